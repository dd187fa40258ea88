import type { LanguageModel, PackedRows } from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";

import { rowsOfTokens } from "./forward.js";
import { PromptCache } from "./prompt-cache.js";
import { isWhole, requireOption, Sampler, type SamplingOptions } from "./sampling.js";
import { StopStrings } from "./stops.js";
import { TextStream } from "./text-stream.js";

/** How {@link generate} picks tokens and when it stops. */
export interface GenerateOptions extends SamplingOptions {
  readonly maxTokens: number;
  /** Stops before this token, or the first of these; `null`: never. */
  readonly endOfSequence: number | readonly number[] | null;
  /** Stops before the next token once it is aborted; what came so far is kept. */
  readonly signal?: AbortSignal;
  /** Called with each token as it comes. */
  readonly onToken?: (id: number) => void;
}

/** What {@link generate} may take over from a call before. */
export interface ContinueOptions {
  /** Rows that the prompt shares with the one before are not run again. Default: a cache for this call alone. */
  readonly cache?: PromptCache;
}

/** How {@link generateText} makes text of tokens and when it stops. */
export interface GenerateTextOptions extends GenerateOptions, ContinueOptions {
  /** Text of token ids. */
  readonly decode: (ids: readonly number[]) => string;
  /** Stops before the first of these texts; it may begin and end inside of tokens. Default: none. */
  readonly stopStrings?: readonly string[];
  /** Called with each new piece of text: whole characters, and nothing of a stop string. */
  readonly onText?: (text: string) => void;
}

/** What {@link generateText} gives back. */
export interface GeneratedText {
  /** Up to the stop string. */
  readonly text: string;
  /** All new tokens, those of a stop string included. */
  readonly ids: readonly number[];
  /** Why it ended: a stop token, a stop string, `maxTokens` or the signal. */
  readonly ended: "stop-token" | "stop-string" | "length" | "aborted";
  /** Seconds until the first token was picked: the forward pass over the prompt. */
  readonly prefillSeconds: number;
  /** Seconds for the forward passes after that, one for each further token. */
  readonly decodeSeconds: number;
  /** How many forward passes `decodeSeconds` holds. */
  readonly decodeSteps: number;
  /** Rows of the prompt that `prefillSeconds` ran; the others were in the cache. */
  readonly prefillRows: number;
}

/** One sample to continue. */
export interface Prompt {
  /** Rows of one sample. */
  readonly packed: PackedRows;
  /** Visual embeddings `[N, D]`. */
  readonly visual: tf.Tensor2D | null;
}

/**
 * Continues one prompt token by token, with a key-value cache.
 *
 * @returns The new token ids.
 * @throws `BasicError` `E_CONFIG` for options out of range, `E_NOT_FINITE` for logits that are not finite.
 */
export async function generate(
  language: LanguageModel,
  prompt: Prompt,
  options: GenerateOptions & ContinueOptions,
): Promise<readonly number[]> {
  const ids: number[] = [];
  for await (const { id } of tokens(language, prompt, options)) {
    if (id !== null) ids.push(id);
  }
  return ids;
}

/**
 * Continues one prompt and gives text as soon as it is whole.
 *
 * @throws As {@link generate}.
 */
export async function generateText(
  language: LanguageModel,
  prompt: Prompt,
  options: GenerateTextOptions,
): Promise<GeneratedText> {
  const stream = new TextStream(options.decode);
  const stops = new StopStrings(options.stopStrings ?? []);
  const ids: number[] = [];
  const seconds: number[] = [];
  let [text, prefillRows] = ["", 0];
  const show = (piece: string): void => {
    text += piece;
    if (piece !== "") options.onText?.(piece);
  };
  let ended: GeneratedText["ended"] | undefined;
  for await (const step of tokens(language, prompt, options)) {
    if (seconds.length === 0) prefillRows = step.rows;
    seconds.push(step.seconds);
    if (step.id === null) {
      ended = "stop-token";
      break;
    }
    ids.push(step.id);
    show(stops.push(stream.push(step.id)));
    if (stops.stopped) break;
  }
  show(stops.push(stream.end()));
  show(stops.end());
  if (stops.stopped) ended = "stop-string";
  ended ??= ids.length >= options.maxTokens ? "length" : "aborted";
  const [prefillSeconds = 0, ...later] = seconds;
  const decodeSeconds = later.reduce((sum, value) => sum + value, 0);
  return { text, ids, ended, prefillSeconds, decodeSeconds, decodeSteps: later.length, prefillRows };
}

/** A forward pass and the token picked after it. */
interface Step {
  /** `null`: a stop token. */
  readonly id: number | null;
  readonly seconds: number;
  /** Rows of the forward pass. */
  readonly rows: number;
}

async function* tokens(
  language: LanguageModel,
  prompt: Prompt,
  options: GenerateOptions & ContinueOptions,
): AsyncGenerator<Step, void> {
  const { maxTokens, signal } = options;
  const stops = checkedStops(options);
  requireRows(prompt);
  const sampler = new Sampler(options);
  sampler.see(prompt.packed.ids);
  const cache = options.cache ?? new PromptCache(language);
  const breathe = pauses();
  const added = cache.remainder(prompt);
  try {
    let input = added;
    for (let count = 0; count < maxTokens; count++) {
      if (signal !== undefined) await breathe();
      if (signal?.aborted === true) return;
      const start = performance.now();
      const rows = input.packed.ids.length;
      const id = sampler.next(await cache.run(input));
      const seconds = (performance.now() - start) / 1000;
      if (stops.has(id)) {
        yield { id: null, seconds, rows };
        return;
      }
      options.onToken?.(id);
      yield { id, seconds, rows };
      input = { packed: rowsOfTokens([{ id, position: cache.length }]), visual: null };
    }
  } finally {
    if (added.visual !== prompt.visual) added.visual?.dispose();
    if (options.cache === undefined) cache.dispose();
  }
}

/** Token ids that end an answer. @throws `BasicError` `E_CONFIG`. */
export function checkedStops({
  maxTokens,
  endOfSequence,
}: Pick<GenerateOptions, "maxTokens" | "endOfSequence">): ReadonlySet<number> {
  requireOption("maxTokens", maxTokens, "a whole number of at least 0", isWhole(maxTokens, 0));
  const ids = endOfSequence === null ? [] : [endOfSequence].flat();
  const valid = ids.every((id) => isWhole(id, 0));
  requireOption("endOfSequence", endOfSequence, "a token id, several, or null", valid);
  return new Set(ids);
}

/** @throws `BasicError` `E_CONFIG` for a prompt without a row to go on from. */
export function requireRows({ packed: { ids } }: Prompt): void {
  requireOption("the number of rows of a prompt", ids.length, "at least 1", ids.length > 0);
}

/**
 * Lets other events in, at most every 50 ms: backends that compute at once would keep a signal, or a key press, from
 * coming through before the end.
 */
export function pauses(): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < 50) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    last = performance.now();
  };
}
