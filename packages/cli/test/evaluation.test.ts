import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { ReportRun } from "@basic-mllm/evaluate";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { loadRecipe } from "../src/session/load-recipe.js";
import { prepare } from "../src/session/train-run.js";
import { answerSet, openVlm, type VlmSession } from "../src/session/vlm.js";
import type { VlmSet } from "../src/session/vlm-data.js";
import { createTerminal } from "../src/terminal.js";
import { writeMiniTask } from "./mini.js";
import { cli } from "./run-cli.js";

const ask = (value: string) => ({ from: "human", value });
const tell = (value: string) => ({ from: "gpt", value });
const about = (color: string, question = "what color is this ?", answer = color) => ({
  id: `${color} ${question}`,
  image: `pictures/${color}.png`,
  conversations: [ask(`<image>\n${question}`), tell(answer)],
});
const textOnly = { id: "text", conversations: [ask("is red a color ?"), tell("yes")] };
const two = {
  id: "two",
  image: ["pictures/red.png", "pictures/blue.png"],
  conversations: [ask("<image><image>\nwhat color is this ?"), tell("red")],
};
const turns = {
  id: "turns",
  image: "pictures/red.png",
  conversations: [
    ask("<image>\nwhat color is this ?"),
    tell("red red red"),
    ask("is this blue ?"),
    tell("no"),
    ask("a picture ?"),
  ],
};

describe("evaluation sets of any form", () => {
  let folder: string;
  let recipe: string;
  let runs = 0;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "basic-mllm-evaluation-"));
    vi.stubEnv("BASIC_MLLM_CACHE", join(folder, "cache"));
    recipe = await writeMiniTask(folder, { evaluation: { blind: false } });
  });

  afterAll(async () => {
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true, force: true });
  });

  async function set(name: string, records: readonly unknown[]): Promise<readonly string[]> {
    await writeFile(join(folder, `${name}.json`), JSON.stringify(records));
    return ["--set", `data.evaluation.test.file=${name}`];
  }

  async function trained(...argv: readonly string[]) {
    const run = join(folder, `run-${runs++}`);
    const { code, out } = await cli(["train", recipe, "--out", run, ...argv]);
    expect(code, out).toBe(0);
    return run;
  }

  async function report(...argv: readonly string[]): Promise<ReportRun> {
    return JSON.parse(await readFile(join(await trained(...argv), "report.json"), "utf8")) as ReportRun;
  }

  /** Opens the recipe with one evaluation set. */
  async function open(records: readonly unknown[]): Promise<{ session: VlmSession; test: VlmSet }> {
    await set("opened", records);
    const opened = await loadRecipe(recipe, ["data.evaluation.test.file=opened"]);
    if (opened.task !== "vlm") throw new Error("not a multimodal recipe");
    await prepare(opened);
    const terminal = createTerminal({ json: true });
    const session = await openVlm({ recipe: opened, terminal, cache: join(folder, "cache") });
    return { session, test: session.sets.evaluation.get("test") as VlmSet };
  }

  it("the report shows what is about one picture, beside that picture", async () => {
    const single = ["red", "green", "blue"].map((color) => about(color));
    const pure = await report(...(await set("pure", single)));
    const mixed = await report(...(await set("mixed", [textOnly, two, ...single])));
    expect(pure.samples.map(({ questions }) => questions[0]?.truth)).toEqual(["red", "green", "blue"]);
    expect(pure.patches).toHaveLength(3);
    const shown = ({ samples, patches, shares, replacement }: ReportRun) => [
      samples,
      patches,
      shares,
      replacement,
    ];
    expect(shown(mixed)).toEqual(shown(pure));
  });

  it("the report looks at no more pictures than evaluation.limit", async () => {
    const more = ["red", "green", "blue"].map((color) => about(color));
    const limited = await report(...(await set("limited", more)), "--set", "evaluation.limit=2");
    expect(limited.samples.map(({ questions }) => questions[0]?.truth)).toEqual(["red", "green"]);
    expect(limited.patches).toHaveLength(2);
    const asked = await report(...(await set("two", more.slice(0, 2))));
    expect([limited.shares, limited.replacement]).toEqual([asked.shares, asked.replacement]);
  });

  it("the report of a set without pictures has its curves and no gallery", async () => {
    const { samples, patches, final } = await report(...(await set("texts", [textOnly])));
    expect([samples, patches]).toEqual([[], []]);
    expect(final["test"]).toHaveProperty("vqa");
  });

  it("scores the last answer of a conversation, with what was said before as context", async () => {
    const { session, test } = await open([turns]);
    try {
      const [answer] = await answerSet(session, test);
      // "no" and the end of sequence.
      expect(answer).toMatchObject({ question: "is this blue ?", truth: "no", tokens: 2 });
    } finally {
      session.dispose();
    }
  });

  it("a limit counts pictures, and takes all questions of each; a text counts as one", async () => {
    const records = [
      about("red"),
      about("blue"),
      textOnly,
      about("red", "is this red ?", "yes"),
      about("green"),
      about("red", "a picture ?", "yes"),
    ];
    const { session, test } = await open(records);
    try {
      const asked = async (limit?: number) => (await answerSet(session, test, limit)).map(({ id }) => id);
      expect(await asked(1)).toEqual([records[0]?.id, records[3]?.id, records[5]?.id]);
      expect(await asked(3)).toHaveLength(5);
      expect(await asked(4)).toHaveLength(6);
      expect(await asked()).toHaveLength(6);
    } finally {
      session.dispose();
    }
    const texts = await open([textOnly, { ...textOnly, id: "b" }, { ...textOnly, id: "c" }]);
    try {
      expect(await answerSet(texts.session, texts.test, 2)).toHaveLength(2);
    } finally {
      texts.session.dispose();
    }
  });

  it("evaluateEvery holds for every stage; 0 is the end of the last one", async () => {
    const places = async (...argv: readonly string[]) => {
      const lines = await readFile(join(await trained("--no-report", ...argv), "metrics.jsonl"), "utf8");
      return lines
        .split("\n")
        .filter((line) => line.includes('"kind":"evaluation"'))
        .map((line) => JSON.parse(line) as { stage: string; step: number })
        .map(({ stage, step }) => `${stage} ${step}`);
    };
    expect(await places()).toEqual(["finetune 6"]);
    expect(await places("--set", "stages.align.evaluateEvery=1")).toEqual([
      "align 1",
      "align 2",
      "finetune 6",
    ]);
    expect(await places("--set", "stages.finetune.evaluateEvery=4")).toEqual(["finetune 4", "finetune 6"]);
  });

  it("check looks at evaluation sets under the last stage's template", async () => {
    const silent = { ...about("red"), id: "silent", conversations: [ask("<image>"), tell(" ")] };
    const bad = await set("bad", [about("blue"), silent]);
    const { code, json, err } = await cli(["check", recipe, ...bad, "--json"]);
    expect([code, err]).toEqual([1, expect.stringContaining("evaluation test")]);
    const { problems, evaluation } = json<{ problems: string[]; evaluation: object[] }>();
    expect(problems).toMatchInlineSnapshot(`
      [
        "evaluation set test: sample "silent": template "chat" trains answers, and all its answers are empty. Remove the sample, correct its answers, or choose another template. [E_LABELS_MASKED]",
      ]
    `);
    expect(evaluation).toEqual([expect.objectContaining({ set: "test", template: "chat", samples: 2 })]);
    expect((await cli(["check", recipe])).code).toBe(0);
  });
});
