import { Template as Jinja } from "@huggingface/jinja";
import { describe, expect, it } from "vitest";

import { chatTemplateOf } from "./chat-template.js";
import { LAYOUTS } from "./template-layouts.js";
import { findTemplate } from "./templates.js";

const EOS = "</s>";
const said = ["what's in the image?", "a dog", "where?", "left"];

/** The text that training makes of a conversation about one picture. */
function trained(name: string): string {
  const conversations = said.map((text, i) => {
    return i % 2 === 0
      ? { from: "human" as const, value: i === 0 ? `<image>\n${text}` : text }
      : { from: "gpt" as const, value: text };
  });
  const sample = { id: "1", images: ["a.png"], conversations: conversations.slice(0, 3), metadata: {} };
  return findTemplate(name)
    .segments(sample)
    .map((segment) => {
      if (segment.kind === "text") return segment.text;
      return { begin: "", end: EOS, image: "<image>" }[segment.kind];
    })
    .join("");
}

function rendered(name: string, form: "parts" | "text"): string {
  const messages = said.slice(0, 3).map((text, i) => {
    const role = i % 2 === 0 ? "user" : "assistant";
    if (form === "text") return { role, content: `${i === 0 ? "<image>" : ""}${text}` };
    const image = i === 0 ? [{ type: "image" }] : [];
    return { role, content: [...image, { type: "text", text }] };
  });
  const source = chatTemplateOf(name, form, "<image>") ?? "";
  return new Jinja(source).render({ messages, eos_token: EOS, add_generation_prompt: true });
}

const told = LAYOUTS.filter(({ name }) => chatTemplateOf(name, "parts", "<image>") !== null).map(
  ({ name }) => name,
);

describe("chatTemplateOf", () => {
  it.each(told.flatMap((name) => [[name, "parts"] as const, [name, "text"] as const]))(
    "renders %s as training does, for %s",
    (name, form) => {
      expect(rendered(name, form)).toBe(trained(name));
    },
  );

  it("has none for templates without questions, for those that start anew, and for a model's own", () => {
    for (const name of ["plain", "llava_plain", "llama_2", "model", "model:tools"]) {
      expect(chatTemplateOf(name, "parts", "<image>"), name).toBeNull();
    }
  });

  it("refuses an unknown name", () => {
    expect(() => chatTemplateOf("vicuna2", "text", "<image>")).toThrowError(/E_NAME_UNKNOWN/);
  });
});
