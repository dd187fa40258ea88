import { BasicError, createRandom, type Random } from "@basic-mllm/core";

/** How a token is drawn from logits. Order and meaning are those of Hugging Face's logits processors. */
export interface SamplingOptions {
  /** 0 (default): the likeliest token. Otherwise draws from the distribution at this temperature. */
  readonly temperature?: number;
  /** Draws from the k likeliest tokens only, and those equal to the last of them. Default: from all. */
  readonly topK?: number;
  /** Draws from the fewest likeliest tokens whose probability reaches p, above 0 and up to 1. Default 1: from all. */
  readonly topP?: number;
  /**
   * Divides positive and multiplies negative logits of tokens that occur in the prompt or the answer (Keskar et al.
   * 2019, arXiv 1909.05858). Default 1: none.
   */
  readonly repetitionPenalty?: number;
  /** Of the draws. Default 0. */
  readonly seed?: number;
}

/** Tokens that may be drawn, with probabilities that sum to 1. */
export interface Candidates {
  readonly ids: Int32Array;
  readonly probabilities: Float64Array;
}

/** @throws `BasicError` `E_CONFIG` for a value out of range. */
export function checkSampling(options: SamplingOptions): void {
  const { temperature = 0, topK, topP = 1, repetitionPenalty = 1, seed = 0 } = options;
  requireOption(
    "temperature",
    temperature,
    "a number of at least 0",
    finite(temperature) && temperature >= 0,
  );
  if (topK !== undefined) requireOption("topK", topK, "a whole number of at least 1", isWhole(topK, 1));
  requireOption("topP", topP, "a number above 0 and up to 1", topP > 0 && topP <= 1);
  const penalty = finite(repetitionPenalty) && repetitionPenalty > 0;
  requireOption("repetitionPenalty", repetitionPenalty, "a number above 0 (1: no penalty)", penalty);
  requireOption("seed", seed, "a whole number of at least 0", isWhole(seed, 0));
}

/** @throws `BasicError` `E_CONFIG` unless `holds`. */
export function requireOption(name: string, given: unknown, expected: string, holds: boolean): void {
  if (holds) return;
  const shown = typeof given === "number" ? String(given) : JSON.stringify(given);
  throw new BasicError("E_CONFIG", `generate: ${name} must be ${expected}, got ${shown}. Correct ${name}.`);
}

/** Whether `value` is a safe whole number of at least `minimum`. */
export function isWhole(value: number, minimum: number): boolean {
  return Number.isSafeInteger(value) && value >= minimum;
}

function finite(value: number): boolean {
  return Number.isFinite(value);
}

/**
 * Draws tokens one after the other; equal options and logits give equal tokens.
 *
 * @throws `BasicError` `E_CONFIG` for a value out of range.
 */
export class Sampler {
  readonly #options: SamplingOptions;
  readonly #random: Random;
  readonly #seen = new Set<number>();

  constructor(options: SamplingOptions) {
    checkSampling(options);
    this.#options = options;
    this.#random = createRandom(options.seed ?? 0, "generate");
  }

  /** Tokens that the repetition penalty holds for; negative ids (rows of pictures) are none. */
  see(ids: Iterable<number>): void {
    for (const id of ids) if (id >= 0) this.#seen.add(id);
  }

  /**
   * The next token, which counts as seen from then on.
   *
   * @param logits - `[V]`; left as they are.
   * @throws `BasicError` `E_NOT_FINITE` where they hold NaN or infinity, or nothing above minus infinity.
   */
  next(logits: Float32Array): number {
    const { repetitionPenalty = 1, temperature = 0 } = this.#options;
    const scores = repetitionPenalty === 1 ? logits : penalised(logits, this.#seen, repetitionPenalty);
    const likeliest = indexOfLargest(scores);
    const id =
      temperature === 0
        ? likeliest
        : draw(candidates(scores, { ...this.#options, temperature }), this.#random.uniform());
    this.#seen.add(id);
    return id;
  }
}

/** A copy of the logits in which tokens that were `seen` are less likely by `penalty`. */
export function penalised(logits: Float32Array, seen: Iterable<number>, penalty: number): Float32Array {
  const scores = logits.slice();
  for (const id of seen) {
    const score = scores[id];
    if (score !== undefined) scores[id] = score < 0 ? score * penalty : score / penalty;
  }
  return scores;
}

/**
 * Tokens left by temperature, top-k and top-p, in this order.
 *
 * @param scores - `[V]`, finite or minus infinity, after the penalty. @param options - Temperature above 0.
 */
export function candidates(
  scores: Float32Array,
  options: { readonly temperature: number; readonly topK?: number; readonly topP?: number },
): Candidates {
  const { temperature, topK = scores.length, topP = 1 } = options;
  const top = scores[indexOfLargest(scores)] as number;
  const least = topK < scores.length ? kthLargest(scores, topK) : Number.NEGATIVE_INFINITY;
  const ids = new Int32Array(scores.length);
  const weights = new Float64Array(scores.length);
  let kept = 0;
  for (let id = 0; id < scores.length; id++) {
    const score = scores[id] as number;
    if (score < least || score === Number.NEGATIVE_INFINITY) continue;
    ids[kept] = id;
    weights[kept] = Math.exp((score - top) / temperature);
    kept += 1;
  }
  const all = normalised(ids.subarray(0, kept), weights.subarray(0, kept));
  return topP < 1 ? nucleus(all, topP) : all;
}

/** The fewest likeliest tokens whose probability reaches `topP`; of equally likely ones, the lower ids. */
function nucleus({ ids, probabilities }: Candidates, topP: number): Candidates {
  // Tokens this unlikely hold at most 1 - p together, so none of them is needed; only the rest has to be sorted.
  const least = (1 - topP) / ids.length;
  const order = new Int32Array(ids.length);
  let count = 0;
  for (let i = 0; i < ids.length; i++) {
    if ((probabilities[i] as number) > least) order[count++] = i;
  }
  const sorted = order
    .subarray(0, count)
    .sort((a, b) => (probabilities[b] as number) - (probabilities[a] as number) || a - b);
  let mass = 0;
  let kept = 0;
  while (kept < count && (kept === 0 || mass < topP))
    mass += probabilities[sorted[kept++] as number] as number;
  const chosen = sorted.subarray(0, kept);
  return normalised(
    chosen.map((i) => ids[i] as number),
    Float64Array.from(chosen, (i) => probabilities[i] as number),
  );
}

function normalised(ids: Int32Array, weights: Float64Array): Candidates {
  let sum = 0;
  for (const weight of weights) sum += weight;
  return { ids, probabilities: weights.map((weight) => weight / sum) };
}

function draw({ ids, probabilities }: Candidates, uniform: number): number {
  let rest = uniform;
  for (let i = 0; i < ids.length; i++) {
    rest -= probabilities[i] as number;
    if (rest < 0) return ids[i] as number;
  }
  // Rounding may leave a rest after the last token.
  return ids[ids.length - 1] as number;
}

/** The k-th largest value, k from 1 to the length. */
function kthLargest(values: Float32Array, k: number): number {
  // Ascending; inserting is cheap for the usual small k, as few values get in.
  if (k > 256) return values.slice().sort()[values.length - k] as number;
  const best = new Float32Array(k).fill(Number.NEGATIVE_INFINITY);
  for (const value of values) {
    if (value <= (best[0] as number)) continue;
    let place = 1;
    for (; place < k && (best[place] as number) < value; place++) best[place - 1] = best[place] as number;
    best[place - 1] = value;
  }
  return best[0] as number;
}

function indexOfLargest(values: Float32Array): number {
  let best = -1;
  let top = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (Number.isNaN(value) || value === Number.POSITIVE_INFINITY) throw notFinite(value, i);
    if (value > top) {
      top = value;
      best = i;
    }
  }
  if (best < 0) throw notFinite(Number.NEGATIVE_INFINITY, 0);
  return best;
}

function notFinite(value: number, id: number): BasicError {
  return new BasicError(
    "E_NOT_FINITE",
    `generate: the logit of token ${id} is ${value}, expected finite logits. Check the weights, or train with a lower learning rate.`,
  );
}
