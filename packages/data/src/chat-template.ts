import { LAYOUTS, type TemplateLayout } from "./template-layouts.js";
import { findTemplate } from "./templates.js";

/**
 * How a chat template gets what is said: `parts` as Hugging Face's processors, a list of texts and images; `text` as
 * llama.cpp, one text in which a marker stands for each image.
 */
export type ChatForm = "parts" | "text";

/**
 * One of our templates as the Jinja text that other programs read beside a model.
 *
 * @param name - As for {@link findTemplate}.
 * @param image - What stands for an image: the image token, or the marker of the texts.
 * @returns null for templates that Jinja files cannot say: those that drop questions or start each turn anew, and `model`,
 *   which is such a file already.
 * @throws `BasicError` `E_NAME_UNKNOWN`.
 */
export function chatTemplateOf(name: string, form: ChatForm, image: string): string | null {
  if (name === "model" || name.startsWith("model:")) return null;
  const layout = LAYOUTS.find((candidate) => candidate.name === findTemplate(name).name);
  if (layout === undefined || !layout.questions || layout.firstUser !== undefined) return null;
  return jinjaOf(layout, form, image);
}

function jinjaOf(layout: TemplateLayout, form: ChatForm, image: string): string {
  const { images, system, user, assistant, answerStart, answerEnd, afterAnswer, afterImage } = layout;
  const shown = imagesOf(form, quoted(`${image}${afterImage}`), quoted(image));
  const words = wordsOf(form, quoted(image));
  const ends = answerEnd.map((end) => (end === "eos" ? "{{ eos_token }}" : said(end.text))).join("");
  const perMessage = (body: string): string => `{%- for message in messages -%}${body}{%- endfor -%}`;
  return [
    ...(images === "first" ? [perMessage(shown)] : []),
    said(system),
    perMessage(
      [
        "{%- if message['role'] == 'user' -%}",
        `${said(user)}${images === "inline" ? shown : ""}${words}${said(assistant)}`,
        "{%- elif message['role'] == 'assistant' -%}",
        `${said(answerStart)}${words}${ends}${said(afterAnswer)}`,
        "{%- endif -%}",
      ].join(""),
    ),
  ].join("");
}

/** Each image of a message. */
function imagesOf(form: ChatForm, text: string, image: string): string {
  return form === "text"
    ? `{%- for i in range(message['content'].split(${image}) | length - 1) -%}{{ ${text} }}{%- endfor -%}`
    : `{%- for part in message['content'] if part['type'] == 'image' -%}{{ ${text} }}{%- endfor -%}`;
}

/** What a message says, without its images. */
function wordsOf(form: ChatForm, image: string): string {
  return form === "text"
    ? `{{ message['content'].split(${image}) | join('') | trim }}`
    : "{%- for part in message['content'] if part['type'] == 'text' -%}{{ part['text'] | trim }}{%- endfor -%}";
}

function said(text: string): string {
  return text === "" ? "" : `{{ ${quoted(text)} }}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'").replaceAll("\n", "\\n")}'`;
}
