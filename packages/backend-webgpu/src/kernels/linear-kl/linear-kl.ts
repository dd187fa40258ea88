// Divergences of words' distributions, without an array of rows x words.
// v1  chunks of words meet both rows through matmul, with sums that grow; three products where 64 rows of all words fit in one chunk,
//     else four

import { type LinearKlBackwardInput, type LinearKlInput, linearKl, linearKlBackward } from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";

import { overCount, overElements } from "../elementwise.js";
import { type Call, implement } from "../implement.js";
import { type Run, rowsOf } from "../parts.js";
import { planVocabulary, type Reused, reusing, type VocabularyPlan } from "../vocabulary/plan.js";
import { addWords, logitsOf, scaleRows } from "../vocabulary/vocabulary.js";
import type { Kept } from "./linear-kl.wgsl.js";
import { absorbProgram, factorsProgram, finishProgram, gradientProgram, slopeProgram } from "./programs.js";

type Attrs = { readonly chunkBytes: number };

/** BasicLinearKl and BasicLinearKlBackward. */
export function registerLinearKl(): void {
  implement(linearKl, (call) => {
    const task = taskOf(call);
    for (const run of task.plan.rowRuns) forwardRows(task, run, call.outputs);
  });
  implement(linearKlBackward, (call) => {
    const { backend, inputs, scratch, outputs } = call;
    const task = taskOf(call);
    const factors = scratch(inputs.a.shape);
    backend.dispatch(factorsProgram, {
      reads: { dloss: inputs.dloss, a: inputs.a },
      writes: { factors },
      ...overElements(inputs.a, backend),
    });
    const [dv, dr] = outputs as [tf.TensorInfo, tf.TensorInfo?];
    for (const run of task.plan.rowRuns) backwardRows(task, run, { inputs, factors, dv, dr });
  });
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
  const sizes = { rows: inputs.v.shape[0] as number, words, width, ...attrs };
  const plan = planVocabulary(backend, sizes);
  const logits = { v: scratch([plan.logits]), r: scratch([plan.logits]) };
  return { backend, inputs, scratch: reusing(scratch), width, plan, logits };
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
  const [loss, kl, lseV, lseR] = outputs as [tf.TensorInfo, tf.TensorInfo, tf.TensorInfo, tf.TensorInfo];
  const slope = outputs[4];
  const state = task.scratch("state", [run.count, 5]);
  if (slope === undefined) {
    for (const { words } of chunksOf(task, run)) absorb(task, { words, run, state, keep: "none" });
  } else if (plan.wordRuns.length === 1) slopeAtOnce(task, run, { state, slope });
  else slopeInChunks(task, run, { state, slope });
  const { uniforms, workgroups } = overCount(run.count, backend);
  backend.dispatch(finishProgram, {
    reads: { state, a: inputs.a },
    writes: { loss, kl, lse_v: lseV, lse_r: lseR },
    uniforms: { ...uniforms, first: run.first },
    workgroups,
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
    absorb(task, { words: chunk.words, run, state, keep: "difference" });
    addWords(backend, chunk, { coefficients: logits.v, result: rowsOf(slope, run, width) });
  }
}

function slopeInChunks(task: Task, run: Run, { state, slope }: SlopeOfRows): void {
  const { backend, scratch, width, logits } = task;
  const rows = run.count;
  const sums = (["v", "r"] as const).map((side) => ({
    logits: logits[side],
    factors: scratch(`${side} factors`, [rows]),
    means: scratch(`${side} means`, [rows, width]),
  }));
  const [ours, target] = sums as [(typeof sums)[number], (typeof sums)[number]];
  const factors = { v_factors: ours.factors, r_factors: target.factors };
  for (const chunk of chunksOf(task, run)) {
    absorb(task, { words: chunk.words, run, state, keep: "both", factors });
    for (const side of sums) {
      if (chunk.words.first > 0) {
        scaleRows(backend, { x: side.means, factors: side.factors, rows, width });
      }
      addWords(backend, chunk, { coefficients: side.logits, result: side.means });
    }
  }
  const { uniforms, workgroups } = overCount(rows * width, backend);
  backend.dispatch(slopeProgram, {
    reads: { v_means: ours.means, r_means: target.means, state },
    writes: { slope: rowsOf(slope, run, width) },
    uniforms: { ...uniforms, width },
    workgroups,
  });
}

interface Absorbed {
  readonly words: Run;
  readonly run: Run;
  readonly state: tf.TensorInfo;
  readonly keep: Kept;
  readonly factors?: Readonly<Record<"v_factors" | "r_factors", tf.TensorInfo>>;
}

function absorb({ backend, logits }: Task, { words, run, state, keep, factors }: Absorbed): void {
  backend.dispatch(absorbProgram(keep), {
    reads: {},
    writes: { v_logits: logits.v, r_logits: logits.r, state, ...factors },
    uniforms: { words: words.count, first_word: words.first },
    workgroups: [run.count],
  });
}

interface BackwardTensors {
  readonly inputs: Readonly<Record<LinearKlBackwardInput, tf.TensorInfo>>;
  readonly factors: tf.TensorInfo;
  readonly dv: tf.TensorInfo;
  readonly dr: tf.TensorInfo | undefined;
}

function backwardRows(task: Task, run: Run, { inputs, factors, dv, dr }: BackwardTensors): void {
  const { backend, width, logits } = task;
  const { lseV, lseR, kl } = inputs;
  for (const chunk of chunksOf(task, run)) {
    const { words } = chunk;
    const { uniforms, workgroups } = overCount(run.count * words.count, backend);
    backend.dispatch(gradientProgram(dr !== undefined), {
      reads: { lse_v: lseV, lse_r: lseR, factors, ...(dr !== undefined && { kl }) },
      writes: { v_logits: logits.v, r_logits: logits.r },
      uniforms: { ...uniforms, words: words.count, first: run.first },
      workgroups,
    });
    addWords(backend, chunk, { coefficients: logits.v, result: rowsOf(dv, run, width) });
    if (dr !== undefined) {
      addWords(backend, chunk, { coefficients: logits.r, result: rowsOf(dr, run, width) });
    }
  }
}
