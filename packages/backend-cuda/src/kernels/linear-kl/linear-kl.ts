// Divergences of words' distributions, without an array of rows x words: chunks of words meet both rows through products, with sums that
// grow; three products where 64 rows of all words fit in one chunk, else four.

import { type LinearKlBackwardInput, type LinearKlInput, linearKl, linearKlBackward } from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";

import { ELEMENTWISE, overElements } from "../elementwise.js";
import { type Call, implement } from "../implement.js";
import {
  planVocabulary,
  type Reused,
  type Run,
  reusing,
  rowsOf,
  type VocabularyPlan,
} from "../vocabulary/plan.js";
import { addWords, logitsOf, scaleRows, wordsFor } from "../vocabulary/vocabulary.js";
import { absorbProgram, finishProgram, gradientProgram, KEEP, slopeProgram } from "./programs.js";

/** Rows are factors of products; what comes of these adds up in float32. */
const storages = { reads: ["v", "r", "vocabulary"], apart: true, writesFloats: true } as const;

type Attrs = { readonly chunkBytes: number };

/** BasicLinearKl and BasicLinearKlBackward. */
export function registerLinearKl(): void {
  implement(
    linearKl,
    (call) => {
      const task = taskOf(call);
      for (const run of task.plan.rowRuns) forwardRows(task, run, call.outputs);
    },
    { ...storages, outputs: [4] },
  );
  implement(
    linearKlBackward,
    (call) => {
      const task = taskOf(call);
      const [dv, dr] = call.outputs as [tf.TensorInfo, tf.TensorInfo?];
      for (const run of task.plan.rowRuns) backwardRows(task, run, { inputs: call.inputs, dv, dr });
    },
    { ...storages, outputs: [0, 1] },
  );
}

/** What both passes work with. */
interface Task extends Pick<Call<LinearKlInput, Attrs>, "backend" | "inputs"> {
  readonly scratch: Reused;
  readonly width: number;
  readonly plan: VocabularyPlan;
  /** For blocks of logits. */
  readonly logits: { readonly v: tf.TensorInfo; readonly r: tf.TensorInfo };
}

function taskOf({
  backend,
  inputs,
  attrs,
  scratch,
}: Pick<Call<LinearKlInput, Attrs>, "backend" | "inputs" | "attrs" | "scratch">): Task {
  const [words, width] = inputs.vocabulary.shape as [number, number];
  const rows = inputs.v.shape[0] as number;
  const plan = planVocabulary({ rows, words, chunkBytes: attrs.chunkBytes });
  const logits = { v: scratch([plan.logits]), r: scratch([plan.logits]) };
  const vocabulary = wordsFor(backend, scratch, { x: inputs.v, words: inputs.vocabulary });
  const own = { ...inputs, vocabulary };
  return { backend, inputs: own, scratch: reusing(scratch), width, plan, logits };
}

/** Fills the blocks with the logits of both rows, for each chunk of words. */
function* chunksOf({ backend, inputs: { v, r, vocabulary }, width, plan, logits }: Task, run: Run) {
  for (const words of plan.wordRuns) {
    const chunk = { weight: vocabulary, words, rows: run.count, width };
    logitsOf(backend, chunk, { x: rowsOf(v, run, width), logits: logits.v });
    logitsOf(backend, chunk, { x: rowsOf(r, run, width), logits: logits.r });
    yield chunk;
  }
}

function forwardRows(task: Task, run: Run, outputs: readonly tf.TensorInfo[]): void {
  const { backend, inputs, plan } = task;
  const [loss, kl, lseV, lseR, slope] = outputs as [
    tf.TensorInfo,
    tf.TensorInfo,
    tf.TensorInfo,
    tf.TensorInfo,
    tf.TensorInfo?,
  ];
  const state = task.scratch("state", [run.count, 5]);
  if (slope === undefined) {
    for (const { words } of chunksOf(task, run)) absorb(task, { words, run, state, keep: KEEP.nothing });
  } else if (plan.wordRuns.length === 1) slopeAtOnce(task, run, { state, slope });
  else slopeInChunks(task, run, { state, slope });
  const args = { state, a: inputs.a, loss, kl, lse_v: lseV, lse_r: lseR };
  backend.dispatch(finishProgram, {
    grid: [Math.ceil(run.count / ELEMENTWISE.threads)],
    args: { ...args, count: run.count, first: run.first },
  });
}

interface SlopeOfRows {
  readonly state: tf.TensorInfo;
  readonly slope: tf.TensorInfo;
}

/** The only chunk has all words, so the probabilities are known. */
function slopeAtOnce(task: Task, run: Run, { state, slope }: SlopeOfRows): void {
  const { backend, width, logits } = task;
  for (const chunk of chunksOf(task, run)) {
    absorb(task, { words: chunk.words, run, state, keep: KEEP.difference });
    addWords(backend, chunk, { coefficients: logits.v, result: rowsOf(slope, run, width) });
  }
}

function slopeInChunks(task: Task, run: Run, { state, slope }: SlopeOfRows): void {
  const { backend, scratch, width, logits } = task;
  const rows = run.count;
  const [ours, target] = (["v", "r"] as const).map((side) => ({
    logits: logits[side],
    factors: scratch(`${side} factors`, [rows]),
    means: scratch(`${side} means`, [rows, width]),
  })) as [Side, Side];
  const factors = { v: ours.factors, r: target.factors };
  for (const chunk of chunksOf(task, run)) {
    absorb(task, { words: chunk.words, run, state, keep: KEEP.exponentials, factors });
    for (const side of [ours, target]) {
      if (chunk.words.first > 0) {
        scaleRows(backend, { x: side.means, factors: side.factors, rows, width });
      }
      addWords(backend, chunk, { coefficients: side.logits, result: side.means });
    }
  }
  const count = rows * width;
  const means = { v_means: ours.means, r_means: target.means };
  backend.dispatch(slopeProgram, {
    grid: overElements(count),
    args: { ...means, state, slope: rowsOf(slope, run, width), count, width },
  });
}

/** Sums of words' rows by the distribution of v or of r. */
interface Side {
  readonly logits: tf.TensorInfo;
  readonly factors: tf.TensorInfo;
  readonly means: tf.TensorInfo;
}

interface Absorbed {
  readonly words: Run;
  readonly run: Run;
  readonly state: tf.TensorInfo;
  readonly keep: number;
  /** Factors of the sums so far, where exponentials are kept. */
  readonly factors?: Readonly<Record<"v" | "r", tf.TensorInfo>>;
}

function absorb({ backend, logits }: Task, { words, run, state, keep, factors }: Absorbed): void {
  const { v, r } = factors ?? { v: null, r: null };
  backend.dispatch(absorbProgram, {
    grid: [run.count],
    args: {
      ...{ v_logits: logits.v, r_logits: logits.r, state, v_factors: v, r_factors: r },
      ...{ words: words.count, first_word: words.first, keep },
    },
  });
}

interface BackwardTensors {
  readonly inputs: Readonly<Record<LinearKlBackwardInput, tf.TensorInfo>>;
  readonly dv: tf.TensorInfo;
  readonly dr: tf.TensorInfo | undefined;
}

function backwardRows(task: Task, run: Run, { inputs, dv, dr }: BackwardTensors): void {
  const { backend, width, logits } = task;
  const { dloss, a, kl, lseV, lseR } = inputs;
  for (const chunk of chunksOf(task, run)) {
    backend.dispatch(gradientProgram, {
      grid: [run.count],
      args: {
        ...{ dloss, a, kl, lse_v: lseV, lse_r: lseR, v_logits: logits.v, r_logits: logits.r },
        ...{ words: chunk.words.count, first: run.first, needs_refined: Number(dr !== undefined) },
      },
    });
    addWords(backend, chunk, { coefficients: logits.v, result: rowsOf(dv, run, width) });
    if (dr !== undefined) {
      addWords(backend, chunk, { coefficients: logits.r, result: rowsOf(dr, run, width) });
    }
  }
}
