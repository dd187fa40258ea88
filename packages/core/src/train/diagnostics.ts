import * as tf from "@tensorflow/tfjs-core";

import { gatherRows } from "../layers/embedding.js";
import type { VisualSpan } from "../losses/visual-loss.js";
import { sampleSpans } from "../losses/visual-rows.js";
import { symmetricEigenvalues } from "./symmetric-eigenvalues.js";

/** Words that tell whether a matched token fits its picture. All lower case. */
export interface BatchWords {
  /** One per sample: words of its caption, question and answer ({@link meaningfulWords}). */
  readonly samples: readonly ReadonlySet<string>[];
  /** One per visual row: words of what is drawn under that patch, where the data knows it. */
  readonly rows?: readonly ReadonlySet<string>[];
}

/** What {@link visualDiagnostics} reads, on the host. N visual rows of width D. */
export interface DiagnosticRows {
  /** V: projector output, `[N, D]` row-major. */
  readonly initial: Float32Array;
  /** v̂, `[N, D]`. */
  readonly refined: Float32Array;
  /** {@link centredGram} of V; made of `initial` on the host where it is absent. */
  readonly gram?: Float32Array;
  readonly width: number;
  /** Nearest token of each visual row, `[N]`. */
  readonly matches: Int32Array;
  /** Effective a_j after normalisation, `[N]`. */
  readonly patchWeights: Float32Array;
  readonly images: readonly VisualSpan[];
  readonly words?: BatchWords;
  /** Text of a token; needed for the shares. */
  readonly decode?: (token: number) => string;
}

/**
 * Whole words of three letters or more, lower-cased: what a matched token is compared with (method.md).
 *
 * @param texts - Caption, questions and answers of a sample.
 * @param templateWords - Words that every sample of the template has, lower case; left out.
 */
export function meaningfulWords(
  texts: readonly string[],
  templateWords: ReadonlySet<string> = new Set(),
): ReadonlySet<string> {
  const words = texts.flatMap((text) => text.toLowerCase().match(/\p{L}{3,}/gu) ?? []);
  return new Set(words.filter((word) => !templateWords.has(word)));
}

/**
 * How the visual embeddings of a batch stand (method.md, "What to log, always").
 *
 * `normInitial`, `normRefined`: mean length of v and v̂. `cosine`: mean cos(v, v̂). `effectiveRank` of V around
 * its mean. `distinctMatches`: number of different nearest tokens. `patchWeightSum`: Σ_j a_j, mean over samples.
 * `meaningfulShare`, `strictShare`: where the batch carries words.
 */
export function visualDiagnostics(rows: DiagnosticRows): Readonly<Record<string, number>> {
  const { initial, refined, gram, width, matches, patchWeights, images } = rows;
  return {
    normInitial: mean(rowNorms(initial, width)),
    normRefined: mean(rowNorms(refined, width)),
    cosine: meanCosine(initial, refined, width),
    effectiveRank: gram === undefined ? effectiveRank(initial, width) : rankOfGram(Float64Array.from(gram)),
    distinctMatches: new Set(matches).size,
    patchWeightSum: patchWeights.reduce((sum, a) => sum + a, 0) / Math.max(1, sampleSpans(images).length),
    ...shares(rows),
  };
}

/**
 * Effective rank of rows around their mean: exp of the entropy of the normalised eigenvalues of their covariance.
 *
 * Roy and Vetterli, "The effective rank", EUSIPCO 2007, on squared singular values. 0 where all rows are equal.
 *
 * @param values - `[N, D]` row-major.
 */
export function effectiveRank(values: Float32Array, width: number): number {
  const height = values.length / width;
  const centred = centre(values, width);
  // The smaller Gram matrix has the same eigenvalues other than 0.
  const byRow = height <= width;
  const size = byRow ? height : width;
  const strides = byRow ? { item: width, step: 1, steps: width } : { item: 1, step: width, steps: height };
  const gram = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let s = 0; s < strides.steps; s++) {
        const at = s * strides.step;
        sum += (centred[i * strides.item + at] as number) * (centred[j * strides.item + at] as number);
      }
      gram[i * size + j] = sum;
      gram[j * size + i] = sum;
    }
  }
  return rankOfGram(gram);
}

/** Rows or columns of the largest Gram matrix whose eigenvalues the host looks for. */
const GRAM_SIZE = 256;

/**
 * `X Xᵀ` or `Xᵀ X`, the smaller one, of rows around their mean: what the effective rank needs, on the device.
 *
 * Where `[N, D]` has more than 256 rows and columns, 256 evenly spread rows stand for all.
 */
export function centredGram(rows: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => {
    const [height, width] = rows.shape;
    const thinned = Math.min(height, width) > GRAM_SIZE ? everyRow(rows, GRAM_SIZE) : rows;
    const centred = tf.sub(thinned, tf.mean(thinned, 0, true)) as tf.Tensor2D;
    const byRow = centred.shape[0] <= width;
    return tf.matMul(centred, centred, !byRow, byRow);
  });
}

function everyRow(rows: tf.Tensor2D, count: number): tf.Tensor2D {
  const step = rows.shape[0] / count;
  return gatherRows(
    rows,
    Int32Array.from({ length: count }, (_, i) => Math.floor(i * step)),
  );
}

/** @param gram - Square, row-major; overwritten. */
function rankOfGram(gram: Float64Array): number {
  const eigenvalues = symmetricEigenvalues(gram, Math.sqrt(gram.length)).map((value) => Math.max(0, value));
  const total = eigenvalues.reduce((sum, value) => sum + value, 0);
  if (total === 0) return 0;
  const entropy = eigenvalues.reduce((sum, value) => {
    const share = value / total;
    return share > 0 ? sum - share * Math.log(share) : sum;
  }, 0);
  return Math.exp(entropy);
}

function centre(values: Float32Array, width: number): Float64Array {
  const means = new Float64Array(width);
  const height = values.length / width;
  for (const [i, value] of values.entries()) means[i % width] = (means[i % width] as number) + value / height;
  return Float64Array.from(values, (value, i) => value - (means[i % width] as number));
}

function rowNorms(values: Float32Array, width: number): readonly number[] {
  return Array.from({ length: values.length / width }, (_, row) =>
    Math.sqrt(dot(values.subarray(row * width, (row + 1) * width))),
  );
}

function dot(a: Float32Array, b: Float32Array = a): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
}

function meanCosine(a: Float32Array, b: Float32Array, width: number): number {
  const [lengthsA, lengthsB] = [rowNorms(a, width), rowNorms(b, width)];
  return mean(
    lengthsA.map((length, row) => {
      const both = length * (lengthsB[row] as number);
      const [from, to] = [row * width, (row + 1) * width];
      return both === 0 ? 0 : dot(a.subarray(from, to), b.subarray(from, to)) / both;
    }),
  );
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Share of visual rows whose nearest token is a word of the sample, and a word of what is under the patch. */
function shares({ matches, images, words, decode }: DiagnosticRows): Record<string, number> {
  if (words === undefined || decode === undefined || matches.length === 0) return {};
  const texts = Array.from(matches, (token) => decode(token).trim().toLowerCase());
  const share = (allowed: (row: number) => ReadonlySet<string> | undefined): number =>
    mean(texts.map((text, row) => (allowed(row)?.has(text) ? 1 : 0)));
  const sampleOf = images.flatMap(({ sample, length }) => new Array<number>(length).fill(sample));
  const { samples, rows } = words;
  return {
    meaningfulShare: share((row) => samples[sampleOf[row] as number]),
    ...(rows !== undefined && { strictShare: share((row) => rows[row]) }),
  };
}

/** Name of λ · loss / L_lm in the diagnostics: `das-nce` to `ratioDasNce`. */
export function ratioName(loss: string): string {
  const upper = (_: string, letter: string): string => letter.toUpperCase();
  return `ratio${loss.replace(/(?:^|[^a-zA-Z0-9])([a-zA-Z0-9])/g, upper)}`;
}
