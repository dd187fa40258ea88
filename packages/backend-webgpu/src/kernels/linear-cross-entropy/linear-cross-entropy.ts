// Losses of labels, without an array of rows x words.
// v1  rows that count are gathered; chunks of words meet them through matmul, with sums that grow

import {
  IGNORED_LABEL,
  type LinearCrossEntropyAttrs,
  linearCrossEntropy,
  linearCrossEntropyBackward,
} from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";

import type { WebGpuBackend } from "../../backend.js";
import { overCount } from "../elementwise.js";
import { clear } from "../fill/fill.js";
import { type Call, implement } from "../implement.js";
import { multiply } from "../matmul/matmul.js";
import { type Run, rowsOf } from "../parts.js";
import { gather } from "../rows/rows.js";
import { planVocabulary, type Reused, reusing, type VocabularyPlan } from "../vocabulary/plan.js";
import { addWords, logitsOf, scaleRows } from "../vocabulary/vocabulary.js";
import { absorbProgram, finishProgram, gradientProgram, placeProgram, slopeProgram } from "./programs.js";

/** BasicLinearCrossEntropy and BasicLinearCrossEntropyBackward. */
export function registerLinearCrossEntropy(): void {
  implement(linearCrossEntropy, (call) => {
    const task = taskOf(call);
    const [loss, logSumExp, slope] = call.outputs as [tf.TensorInfo, tf.TensorInfo, tf.TensorInfo?];
    if (task.counted.length < task.labels.length) {
      for (const output of call.outputs) clear(call.backend, output);
    }
    for (const run of task.plan.rowRuns) forwardRows(task, run, { loss, logSumExp, slope });
  });
  implement(linearCrossEntropyBackward, (call) => {
    const { inputs, attrs, backend } = call;
    const task = taskOf(call);
    const { needsInput = true, needsWeight } = attrs;
    const [dx, dweight] = needsInput ? call.outputs : [undefined, call.out(0)];
    const outputs = { dx, dweight: needsWeight ? dweight : undefined };
    if (dx !== undefined && task.counted.length < task.labels.length) clear(backend, dx);
    if (outputs.dweight !== undefined && task.counted.length === 0) clear(backend, outputs.dweight);
    for (const run of task.plan.rowRuns) {
      backwardRows(task, run, { dloss: inputs.dloss, logSumExp: inputs.logSumExp, ...outputs });
    }
  });
}

/** What both passes work with. */
interface Task extends Pick<LinearCrossEntropyAttrs, "labels" | "softcap"> {
  readonly backend: WebGpuBackend;
  readonly scratch: Reused;
  readonly x: tf.TensorInfo;
  readonly weight: tf.TensorInfo;
  readonly width: number;
  /** Numbers of the rows that have a label. */
  readonly counted: Int32Array;
  /** Cuts those rows, and the words. */
  readonly plan: VocabularyPlan;
  /** For a block of logits. */
  readonly logits: tf.TensorInfo;
}

type Attrs = Pick<LinearCrossEntropyAttrs, "labels" | "softcap" | "chunkBytes">;

function taskOf({
  backend,
  inputs: { x, weight },
  attrs,
  scratch,
}: Pick<Call<"x" | "weight", Attrs>, "backend" | "inputs" | "attrs" | "scratch">): Task {
  const { labels, softcap, chunkBytes } = attrs;
  const [words, width] = weight.shape as [number, number];
  const counted = Int32Array.from(labels.keys()).filter((row) => labels[row] !== IGNORED_LABEL);
  const sizes = { rows: counted.length, words, width, chunkBytes };
  const plan = planVocabulary(backend, sizes);
  const logits = scratch([plan.logits]);
  return { backend, scratch: reusing(scratch), x, weight, width, labels, softcap, counted, plan, logits };
}

/** The rows of a run: their numbers, their labels and, as a matrix of their own, their x. */
function rowsOfRun({ backend, scratch, x, width, labels, counted }: Task, run: Run) {
  const rows = counted.subarray(run.first, run.first + run.count);
  const ownLabels = rows.map((row) => labels[row] as number);
  const all = counted.length === labels.length;
  if (all) return { rows, labels: ownLabels, x: rowsOf(x, run, width) };
  const gathered = scratch("x", [run.count, width]);
  gather(backend, { table: x, ids: rows, y: gathered });
  return { rows, labels: ownLabels, x: gathered };
}

function forwardRows(
  task: Task,
  run: Run,
  outputs: { loss: tf.TensorInfo; logSumExp: tf.TensorInfo; slope: tf.TensorInfo | undefined },
): void {
  const { backend, scratch, weight, width, softcap, plan, logits } = task;
  const { rows, labels, x } = rowsOfRun(task, run);
  const state = scratch("state", [run.count, 3]);
  const sums = outputs.slope && {
    factors: scratch("factors", [run.count]),
    means: scratch("means", [run.count, width]),
  };
  for (const words of plan.wordRuns) {
    const chunk = { weight, words, rows: run.count, width };
    logitsOf(backend, chunk, { x, logits });
    backend.dispatch(absorbProgram({ capped: softcap > 0, keep: sums !== undefined }), {
      reads: { labels },
      writes: { logits, state, ...(sums && { factors: sums.factors }) },
      uniforms: { words: words.count, first_word: words.first, softcap },
      workgroups: [run.count],
    });
    if (sums === undefined) continue;
    const { factors, means } = sums;
    if (words.first > 0) scaleRows(backend, { x: means, factors, rows: run.count, width });
    addWords(backend, chunk, { coefficients: logits, result: means });
  }
  backend.dispatch(finishProgram, {
    reads: { state, rows },
    writes: { loss: outputs.loss, log_sum_exp: outputs.logSumExp },
    ...overCount(run.count, backend),
  });
  if (outputs.slope !== undefined && sums !== undefined) {
    writeSlope(task, { rows, labels, state, means: sums.means, slope: outputs.slope });
  }
}

interface SlopeOfRows {
  readonly rows: Int32Array;
  readonly labels: Int32Array;
  readonly state: tf.TensorInfo;
  readonly means: tf.TensorInfo;
  readonly slope: tf.TensorInfo;
}

function writeSlope(
  { backend, scratch, weight, width, softcap }: Task,
  { rows, labels, state, means, slope }: SlopeOfRows,
): void {
  const labelRows = scratch("label rows", [rows.length, width]);
  gather(backend, { table: weight, ids: labels, y: labelRows });
  const { uniforms, workgroups } = overCount(rows.length * width, backend);
  backend.dispatch(slopeProgram(softcap > 0), {
    reads: { means, label_rows: labelRows, state, rows },
    writes: { slope },
    uniforms: { ...uniforms, width, softcap },
    workgroups,
  });
}

interface BackwardTensors {
  readonly dloss: tf.TensorInfo;
  readonly logSumExp: tf.TensorInfo;
  readonly dx: tf.TensorInfo | undefined;
  readonly dweight: tf.TensorInfo | undefined;
}

function backwardRows(task: Task, run: Run, { dloss, logSumExp, dx, dweight }: BackwardTensors): void {
  const { backend, scratch, weight, width, softcap, plan, logits } = task;
  const { rows, labels, x } = rowsOfRun(task, run);
  const ownDx = dx && scratch("dx", [run.count, width]);
  for (const words of plan.wordRuns) {
    const chunk = { weight, words, rows: run.count, width };
    logitsOf(backend, chunk, { x, logits });
    const { uniforms, workgroups } = overCount(run.count * words.count, backend);
    backend.dispatch(gradientProgram(softcap > 0), {
      reads: { dloss, log_sum_exp: logSumExp, rows, labels },
      writes: { logits },
      uniforms: { ...uniforms, words: words.count, first_word: words.first, softcap },
      workgroups,
    });
    if (ownDx !== undefined) addWords(backend, chunk, { coefficients: logits, result: ownDx });
    if (dweight !== undefined) {
      const what = { layout: "tn", accumulate: run.first > 0 } as const;
      const sizes = { rows: words.count, columns: width, depth: run.count };
      const result = rowsOf(dweight, words, width);
      multiply(backend, what, { left: logits, weight: x, result, ...sizes });
    }
  }
  if (dx === undefined || ownDx === undefined) return;
  const { uniforms, workgroups } = overCount(run.count * width, backend);
  backend.dispatch(placeProgram, {
    reads: { x: ownDx, rows },
    writes: { y: dx },
    uniforms: { ...uniforms, width },
    workgroups,
  });
}
