import {
  type ChatTemplate,
  IMAGE_MARK,
  type MarkedText,
  type Message,
  parseChatTemplate,
  renderChat,
  renderMarked,
  templateError,
  turnMark,
} from "./chat-render.js";
import { IMAGE_PLACEHOLDER, type Sample } from "./samples.js";
import type { Segment } from "./segments.js";
import type { Template } from "./templates.js";
import type { TextTokenizer } from "./tokenizer.js";

/** What one turn says, without its images. */
interface Said {
  readonly role: "user" | "assistant";
  readonly images: number;
  readonly text: string;
}

/** How a template takes what is said: as a text, or as a list of parts (templates of vision-language models). */
type ContentForm = "text" | "parts";

/** A stretch of the text around what is said, and then what a turn says. `answer`: number of the answer, or 0. */
type Run =
  | { readonly kind: "literal"; readonly text: string; readonly answer: number }
  | { readonly kind: "turn"; readonly turn: number; readonly answer: number };

/** The text of conversations of one shape: how many turns, with how many images each. */
interface Layout {
  readonly form: ContentForm;
  readonly runs: readonly Run[];
}

/**
 * A model's own chat template. The conversation is rendered twice, once with a mark in place of what each turn says:
 * the marks show where each answer stands, so that labels never depend on tokenising anything twice. Trained:
 * `{% generation %}` blocks where the template has them, else an answer from where the prompt for it ends to the
 * special token that closes it.
 *
 * @throws `BasicError` `E_CONFIG` where the template is not valid or reorders, repeats, drops or changes turns; what
 *   depends on the conversation from `segments`.
 */
export function modelTemplate(name: string, source: string, tokenizer: TextTokenizer): Template {
  const template = parseChatTemplate(name, source, tokenizer);
  const layouts = new Map<string, Layout>();
  const layoutFor = (turns: readonly Said[]): Layout => {
    const shape = turns.map(({ images }) => images).join(" ");
    const layout = layouts.get(shape) ?? layoutOf(template, turns);
    layouts.set(shape, layout);
    return layout;
  };
  return {
    name,
    source: "the chat template beside the model's tokenizer",
    needs: [],
    stop: stopOf(layoutFor(QUESTION_AND_ANSWER), tokenizer),
    segments: (sample) => {
      const turns = whatIsSaid(sample);
      return segmentsOf(template, turns, layoutFor(turns));
    },
  };
}

const QUESTION_AND_ANSWER: readonly Said[] = [
  { role: "user", images: 0, text: "question" },
  { role: "assistant", images: 0, text: "answer" },
];

function whatIsSaid({ conversations }: Sample): readonly Said[] {
  return conversations.map(({ from, value }) => ({
    role: from === "human" ? "user" : "assistant",
    images: value.split(IMAGE_PLACEHOLDER).length - 1,
    text: value.replaceAll(IMAGE_PLACEHOLDER, "").trim(),
  }));
}

/** Images come first in their turn, as in LLaVA. */
function messagesOf(turns: readonly Said[], form: ContentForm): readonly Message[] {
  return turns.map(({ role, images, text }) => {
    if (form === "text") return { role, content: wordsOf({ images, text }) };
    const shown = Array.from({ length: images }, () => ({ type: "image" as const }));
    return { role, content: [...shown, { type: "text", text }] };
  });
}

/** What a turn says in a template that takes texts: a mark and a line break for each image, then the words. */
function wordsOf({ images, text }: Pick<Said, "images" | "text">): string {
  const shown = Array.from({ length: images }, () => IMAGE_MARK);
  return [...shown, ...(text === "" && images > 0 ? [] : [text])].join("\n");
}

function marked(turns: readonly Said[]): readonly Said[] {
  return turns.map((turn, i) => ({ ...turn, text: turnMark(i) }));
}

function layoutOf(template: ChatTemplate, turns: readonly Said[]): Layout {
  // The mark of a turn stands for its images too where a template takes texts.
  const silent = marked(turns).map((turn) => ({ ...turn, images: 0 }));
  try {
    return { form: "text", runs: runsOf(template, silent, "text") };
  } catch (problem) {
    try {
      return { form: "parts", runs: runsOf(template, marked(turns), "parts") };
    } catch {
      throw problem;
    }
  }
}

function runsOf(template: ChatTemplate, turns: readonly Said[], form: ContentForm): readonly Run[] {
  const open = turns.at(-1)?.role === "user";
  const text = renderMarked(template, messagesOf(turns, form), open);
  checkOrder(template, turns, text);
  const spans =
    text.generation.length > 0
      ? generationSpans(template, turns, text)
      : turns.flatMap(({ role }, turn) =>
          role === "assistant" ? [answerSpan(template, turns, { turn, text, form })] : [],
        );
  return cut(text, spans);
}

/** @throws `BasicError` `E_CONFIG` where turns do not appear once each, in order. */
function checkOrder({ name }: ChatTemplate, turns: readonly Said[], { turns: found }: MarkedText): void {
  const order = found.map(({ turn }) => turn);
  if (order.length === turns.length && order.every((turn, i) => turn === i)) return;
  const dropped = turns.findIndex((_, i) => !order.includes(i));
  const repeated = order.find((turn, i) => order.indexOf(turn) !== i);
  if (dropped >= 0)
    throw templateError(name, `drops turn ${dropped} of ${turns.length}, or does not write it as it is`);
  if (repeated !== undefined) throw templateError(name, `repeats turn ${repeated} of ${turns.length}`);
  throw templateError(name, `writes the turns in the order ${order.join(", ")}`);
}

/** Where labels stand in a marked text, and of which answer they are. */
interface Span {
  readonly from: number;
  readonly to: number;
  readonly answer: number;
}

function generationSpans(
  { name }: ChatTemplate,
  turns: readonly Said[],
  { turns: found, generation }: MarkedText,
): readonly Span[] {
  return generation.map(([from, to]) => {
    const inside = found.find(({ turn, at }) => at >= from && at <= to && turns[turn]?.role === "assistant");
    if (inside === undefined) throw templateError(name, "has a generation block that holds no answer");
    return { from, to, answer: inside.turn + 1 };
  });
}

/** From where the prompt for an answer ends to the special token that closes it. */
function answerSpan(
  template: ChatTemplate,
  turns: readonly Said[],
  { turn, text, form }: { readonly turn: number; readonly text: MarkedText; readonly form: ContentForm },
): Span {
  const prompt = renderMarked(template, messagesOf(turns.slice(0, turn), form), true).text;
  const at = text.turns[turn]?.at ?? 0;
  if (!text.text.startsWith(prompt) || prompt.length > at) {
    throw templateError(
      template.name,
      `begins the prompt for turn ${turn} otherwise than the text with the answer in it (the prompt ends with ` +
        `${JSON.stringify(prompt.slice(-40))}, the text before the answer with ${JSON.stringify(text.text.slice(0, at).slice(-40))})`,
    );
  }
  const after = text.text.slice(at, text.turns[turn + 1]?.at ?? text.text.length);
  const closing = closingToken(after, template.tokenizer);
  if (closing === undefined) {
    throw templateError(
      template.name,
      `closes answers with ${JSON.stringify(after.slice(0, 40))} and no special token of the tokenizer: a model could not learn where to stop`,
    );
  }
  return { from: prompt.length, to: at + closing.at + closing.token.length, answer: turn + 1 };
}

/** The first special token of a text. */
function closingToken(text: string, { added }: TextTokenizer): { token: string; at: number } | undefined {
  const found = [...added.keys()]
    .map((token) => ({ token, at: text.indexOf(token) }))
    .filter(({ at }) => at >= 0)
    .toSorted((a, b) => a.at - b.at || b.token.length - a.token.length);
  return found[0];
}

/** Cuts a marked text at its turns and at the edges of its spans. */
function cut({ text, turns }: MarkedText, spans: readonly Span[]): readonly Run[] {
  const edges = new Set([
    0,
    text.length,
    ...spans.flatMap(({ from, to }) => [from, to]),
    ...turns.map(({ at }) => at),
  ]);
  const places = [...edges].toSorted((a, b) => a - b);
  const answerOf = (turn: number): number => spans.find(({ answer }) => answer === turn + 1)?.answer ?? 0;
  return places.flatMap((from, i): Run[] => {
    const to = places[i + 1] ?? text.length;
    const answer = spans.find((span) => span.from <= from && to <= span.to && from < to)?.answer ?? 0;
    const said = turns
      .filter(({ at }) => at === from)
      .map(({ turn }): Run => ({ kind: "turn", turn, answer: answerOf(turn) }));
    return to > from ? [...said, { kind: "literal", text: text.slice(from, to), answer }] : said;
  });
}

/** The token after which a model stops: the last of what is trained of an answer. */
function stopOf({ runs }: Layout, { added }: TextTokenizer): string | null {
  const last = runs.findLast((run) => run.kind === "literal" && run.answer > 0);
  if (last?.kind !== "literal") return null;
  return [...added.keys()].find((token) => last.text.trimEnd().endsWith(token)) ?? null;
}

function segmentsOf(
  template: ChatTemplate,
  turns: readonly Said[],
  { form, runs }: Layout,
): readonly Segment[] {
  const open = turns.at(-1)?.role === "user";
  const rendered = renderChat(template, messagesOf(turns, form), open);
  const segments: Segment[] = [];
  let at = 0;
  for (const run of runs) {
    const text = run.kind === "literal" ? run.text : turnText(turns, run.turn, form);
    if (!rendered.startsWith(text, at)) throw changed(template, { run, text, given: rendered.slice(at) });
    at += text.length;
    const silent = run.answer > 0 && turns[run.answer - 1]?.text === "";
    segments.push(...withImages(text, silent ? 0 : run.answer, imageText(template.tokenizer, run, form)));
  }
  if (at !== rendered.length) throw changed(template, { text: "", given: rendered.slice(at) });
  return segments;
}

function turnText(turns: readonly Said[], turn: number, form: ContentForm): string {
  const said = turns[turn] ?? { images: 0, text: "" };
  return form === "text" ? wordsOf(said) : said.text;
}

/** What stands for an image in a run: our mark in a turn, the model's image token in the text of a template. */
function imageText({ special, token }: TextTokenizer, run: Run, form: ContentForm): string | null {
  if (run.kind === "turn") return form === "text" ? IMAGE_MARK : null;
  if (form === "text") return null;
  return (special.image === null ? null : token(special.image)) ?? IMAGE_PLACEHOLDER;
}

function withImages(text: string, weight: number, image: string | null): readonly Segment[] {
  const pieces = image === null ? [text] : text.split(image);
  return pieces.flatMap((piece, i): Segment[] => {
    const words: Segment = { kind: "text", text: piece, weight };
    return i === 0 ? [words] : [{ kind: "image" }, words];
  });
}

function changed(
  { name }: ChatTemplate,
  { run, text, given }: { readonly run?: Run; readonly text: string; readonly given: string },
): Error {
  const what = run?.kind === "turn" ? `turn ${run.turn}` : "the text around the turns";
  return templateError(
    name,
    `changes ${what} with what is said: ${JSON.stringify(given.slice(0, 60))} in place of ${JSON.stringify(text.slice(0, 60))}`,
  );
}
