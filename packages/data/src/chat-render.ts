import { BasicError } from "@basic-mllm/core";
import { Template as Jinja } from "@huggingface/jinja";

import type { TextTokenizer } from "./tokenizer.js";

/** Stands for an image in a text that is rendered. Like the other marks a code point that no text has. */
export const IMAGE_MARK = "\ufdd0";
const GENERATION = { begin: "\ufdd1", end: "\ufdd2" };
const TURN = { begin: "\ufdd3", end: "\ufdd4" };
const MARKS = /\ufdd3(\d+)\ufdd4|\ufdd1|\ufdd2/g;

/** What a chat template is given for one turn. */
export interface Message {
  readonly role: "user" | "assistant";
  readonly content: string | readonly { readonly type: "image" | "text"; readonly text?: string }[];
}

/** A chat template, and the same with its `{% generation %}` blocks marked in the text. */
export interface ChatTemplate {
  readonly name: string;
  readonly jinja: Jinja;
  readonly marked: Jinja;
  readonly tokenizer: TextTokenizer;
}

/** A text that was rendered with marks, the marks taken out. Places are offsets into `text`. */
export interface MarkedText {
  readonly text: string;
  /** Turns in order of appearance. */
  readonly turns: readonly { readonly turn: number; readonly at: number }[];
  /** What `{% generation %}` blocks hold. */
  readonly generation: readonly (readonly [number, number])[];
}

/** @throws `BasicError` `E_CONFIG` where the source is no template. */
export function parseChatTemplate(name: string, source: string, tokenizer: TextTokenizer): ChatTemplate {
  try {
    // The library's own strftime_now cannot be replaced, but it can be called by another name.
    const dated = source.replace(/\bstrftime_now\b/g, "fixed_date");
    return { name, jinja: new Jinja(dated), marked: new Jinja(withGenerationMarks(dated)), tokenizer };
  } catch (cause) {
    throw templateError(name, `is not valid Jinja: ${reasonOf(cause)}`, cause);
  }
}

/** The text of a conversation, as transformers' `apply_chat_template` gives it. */
export function renderChat(
  { name, jinja, tokenizer }: ChatTemplate,
  messages: readonly Message[],
  openAnswer: boolean,
): string {
  const { special, token } = tokenizer;
  const text = (id: number | null): string | null => (id === null ? null : token(id));
  try {
    return jinja.render({
      messages,
      add_generation_prompt: openAnswer,
      bos_token: text(special.bos) ?? "",
      eos_token: text(special.eos) ?? "",
      pad_token: text(special.pad) ?? "",
      unk_token: text(special.unk) ?? "",
      tools: null,
      documents: null,
      date_string: FIXED_DATE,
      fixed_date: fixedDate,
    });
  } catch (cause) {
    throw templateError(name, `refuses the conversation: ${reasonOf(cause)}`, cause);
  }
}

/** The text of a conversation with a mark in place of what each turn says. */
export function renderMarked(
  template: ChatTemplate,
  messages: readonly Message[],
  openAnswer: boolean,
): MarkedText {
  const rendered = renderChat({ ...template, jinja: template.marked }, messages, openAnswer);
  const turns: { turn: number; at: number }[] = [];
  const generation: (readonly [number, number])[] = [];
  let text = "";
  let [read, opened] = [0, 0];
  for (const match of rendered.matchAll(MARKS)) {
    text += rendered.slice(read, match.index);
    read = match.index + match[0].length;
    if (match[0] === GENERATION.begin) opened = text.length;
    else if (match[0] === GENERATION.end) generation.push([opened, text.length]);
    else turns.push({ turn: Number(match[1]), at: text.length });
  }
  return { text: text + rendered.slice(read), turns, generation };
}

/** What stands in a marked text for the words of a turn. */
export function turnMark(turn: number): string {
  return `${TURN.begin}${turn}${TURN.end}`;
}

export function templateError(name: string, problem: string, cause?: unknown): BasicError {
  return new BasicError(
    "E_CONFIG",
    `template "${name}": expected the chat template of the model to write each turn once, in order and unchanged; ` +
      `it ${problem}. Labels would be wrong, so it is not used. Name another template (docs/templates.md), or ` +
      "correct the chat template beside the tokenizer.",
    { cause },
  );
}

/** A day that never changes: a run must see the same text tomorrow. The one that Llama 3's template falls back to. */
const FIXED_DATE = "26 Jul 2024";
const DATE_PARTS: Readonly<Record<string, string>> = {
  "%d": "26",
  "%b": "Jul",
  "%B": "July",
  "%m": "07",
  "%Y": "2024",
  "%y": "24",
  "%A": "Friday",
  "%a": "Fri",
  "%H": "00",
  "%M": "00",
  "%S": "00",
};

function fixedDate(format: string): string {
  return format.replace(/%[a-zA-Z]/g, (part) => DATE_PARTS[part] ?? part);
}

/**
 * Writes marks around `{% generation %}` blocks, which the library drops. Each tag becomes two of `if`, so that white
 * space around it goes or stays as it did.
 */
function withGenerationMarks(source: string): string {
  return source.replace(
    /\{%([-+]?)\s*(end)?generation\s*([-+]?)%\}/g,
    (_, left: string, end: string, right: string) =>
      end === undefined
        ? `{%${left} if true %}{{ "${GENERATION.begin}" }}{% if true ${right}%}`
        : `{%${left} endif %}{{ "${GENERATION.end}" }}{% endif ${right}%}`,
  );
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
