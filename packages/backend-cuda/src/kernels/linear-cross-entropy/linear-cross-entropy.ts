// Losses of labels, without an array of rows x words: rows that count are gathered; chunks of words meet them through products, with sums
// that grow.

import {
  IGNORED_LABEL,
  type LinearCrossEntropyAttrs,
  linearCrossEntropy,
  linearCrossEntropyBackward,
} from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";

import type { Part } from "../../arguments.js";
import type { CudaBackend } from "../../backend.js";
import { storageOf } from "../../memory/storage.js";
import { ELEMENTWISE, overElements } from "../elementwise.js";
import { type Call, implement } from "../implement.js";
import { multiply } from "../matmul/matmul.js";
import { gather } from "../rows/rows.js";
import {
  planVocabulary,
  type Reused,
  type Run,
  reusing,
  rowsOf,
  type VocabularyPlan,
} from "../vocabulary/plan.js";
import {
  addWords,
  logitsOf,
  placeRows,
  scaleRows,
  type WordChunk,
  wordsFor,
} from "../vocabulary/vocabulary.js";
import { absorbProgram, finishProgram, gradientProgram, KEEP, slopeProgram } from "./programs.js";

/** BasicLinearCrossEntropy and BasicLinearCrossEntropyBackward. */
export function registerLinearCrossEntropy(): void {
  implement(
    linearCrossEntropy,
    (call) => {
      const task = taskOf(call);
      const [loss, logSumExp, slope] = call.outputs as [tf.TensorInfo, tf.TensorInfo, tf.TensorInfo?];
      if (!task.all) for (const output of call.outputs) call.backend.fill(output, 0);
      for (const run of task.plan.rowRuns) forwardRows(task, run, { loss, logSumExp, slope });
    },
    { ...storages, outputs: [2] },
  );
  implement(
    linearCrossEntropyBackward,
    (call) => {
      const { inputs, attrs, backend } = call;
      const task = taskOf(call);
      const { needsInput = true, needsWeight } = attrs;
      const [dx, dweight] = needsInput ? call.outputs : [undefined, call.out(0)];
      const outputs = { dx, dweight: needsWeight ? dweight : undefined };
      if (dx !== undefined && !task.all) backend.fill(dx, 0);
      if (outputs.dweight !== undefined && task.counted.length === 0) backend.fill(outputs.dweight, 0);
      for (const run of task.plan.rowRuns) {
        backwardRows(task, run, { dloss: inputs.dloss, logSumExp: inputs.logSumExp, ...outputs });
      }
    },
    { ...storages, outputs: ({ needsInput = true }) => (needsInput ? [0] : []) },
  );
}

/** Rows are factors of products; what comes of these adds up in float32, and rows of the weight with it. */
const storages = { reads: ["x"], apart: true, writesFloats: true } as const;

/** What both passes work with. */
interface Task extends Pick<LinearCrossEntropyAttrs, "labels" | "softcap"> {
  readonly backend: CudaBackend;
  readonly scratch: Reused;
  readonly x: tf.TensorInfo;
  /** For products with x. */
  readonly weight: tf.TensorInfo;
  /** The same, as it was given. */
  readonly table: tf.TensorInfo;
  readonly width: number;
  /** Numbers of the rows that have a label. */
  readonly counted: Int32Array;
  /** All rows have one. */
  readonly all: boolean;
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
  const plan = planVocabulary({ rows: counted.length, words, chunkBytes });
  return {
    ...{ backend, scratch: reusing(scratch), x, table: weight, width, labels, softcap, counted, plan },
    weight: wordsFor(backend, scratch, { x, words: weight }),
    all: counted.length === labels.length,
    logits: scratch([plan.logits]),
  };
}

/** Some of the rows that count. */
interface OwnRows {
  /** Their numbers and labels. */
  readonly rows: Int32Array;
  readonly labels: Int32Array;
  readonly x: tf.TensorInfo | Part;
}

function rowsOfRun({ backend, scratch, x, width, labels, counted, all }: Task, run: Run): OwnRows {
  const rows = counted.slice(run.first, run.first + run.count);
  const ownLabels = rows.map((row) => labels[row] as number);
  if (all) return { rows, labels: ownLabels, x: rowsOf(x, run, width) };
  const gathered = scratch("x", [run.count, width], storageOf(x));
  gather(backend, { table: x, other: x, ids: rows, y: gathered });
  return { rows, labels: ownLabels, x: gathered };
}

interface ForwardTensors {
  readonly loss: tf.TensorInfo;
  readonly logSumExp: tf.TensorInfo;
  readonly slope: tf.TensorInfo | undefined;
}

function forwardRows(task: Task, run: Run, { loss, logSumExp, slope }: ForwardTensors): void {
  const { backend, plan } = task;
  const own = rowsOfRun(task, run);
  const state = task.scratch("state", [run.count, 3]);
  if (slope === undefined) {
    for (const words of plan.wordRuns) absorb(task, own, { words, state, keep: KEEP.nothing, factors: null });
  } else if (plan.wordRuns.length === 1) slopeAtOnce(task, run, { own, state, slope });
  else slopeInChunks(task, own, { state, slope });
  backend.dispatch(finishProgram, {
    grid: [Math.ceil(run.count / ELEMENTWISE.threads)],
    args: { state, rows: own.rows, loss, log_sum_exp: logSumExp, count: run.count },
  });
}

interface Absorbed {
  readonly words: Run;
  readonly state: tf.TensorInfo;
  readonly keep: number;
  /** Factors of the sums so far, where exponentials are kept. */
  readonly factors: tf.TensorInfo | null;
}

/** Logits of a chunk, taken into the rows' states. */
function absorb(task: Task, own: OwnRows, { words, state, keep, factors }: Absorbed): WordChunk {
  const { backend, weight, width, softcap, logits } = task;
  const chunk = { weight, words, rows: own.rows.length, width };
  logitsOf(backend, chunk, { x: own.x, logits });
  const sizes = { words: words.count, first_word: words.first, softcap, keep };
  backend.dispatch(absorbProgram, {
    grid: [chunk.rows],
    args: { labels: own.labels, logits, state, factors, ...sizes },
  });
  return chunk;
}

interface SlopeOfRows {
  readonly state: tf.TensorInfo;
  readonly slope: tf.TensorInfo;
}

/** The only chunk has all words, so the gradient of the logits is known. */
function slopeAtOnce(task: Task, run: Run, { own, state, slope }: SlopeOfRows & { own: OwnRows }): void {
  const { backend, scratch, width, plan, logits, all } = task;
  const result = all ? rowsOf(slope, run, width) : scratch("slope", [run.count, width]);
  for (const words of plan.wordRuns) {
    const chunk = absorb(task, own, { words, state, keep: KEEP.gradient, factors: null });
    addWords(backend, chunk, { coefficients: logits, result });
  }
  if ("shape" in result) placeRows(backend, { x: result, rows: own.rows, y: slope, width });
}

function slopeInChunks(task: Task, own: OwnRows, { state, slope }: SlopeOfRows): void {
  const { backend, scratch, table, width, softcap, plan, logits } = task;
  const rows = own.rows.length;
  const [factors, means] = [scratch("factors", [rows]), scratch("means", [rows, width])];
  for (const words of plan.wordRuns) {
    const chunk = absorb(task, own, { words, state, keep: KEEP.exponentials, factors });
    if (words.first > 0) scaleRows(backend, { x: means, factors, rows, width });
    addWords(backend, chunk, { coefficients: logits, result: means });
  }
  const labelRows = scratch("label rows", [rows, width]);
  gather(backend, { table, other: table, ids: own.labels, y: labelRows });
  const count = rows * width;
  backend.dispatch(slopeProgram, {
    grid: overElements(count),
    args: { means, label_rows: labelRows, state, rows: own.rows, slope, count, width, softcap },
  });
}

interface BackwardTensors {
  readonly dloss: tf.TensorInfo;
  readonly logSumExp: tf.TensorInfo;
  readonly dx: tf.TensorInfo | undefined;
  readonly dweight: tf.TensorInfo | undefined;
}

function backwardRows(task: Task, run: Run, { dloss, logSumExp, dx, dweight }: BackwardTensors): void {
  const { backend, scratch, weight, width, softcap, plan, logits, all } = task;
  const { rows, labels, x } = rowsOfRun(task, run);
  const ownDx = dx && (all ? rowsOf(dx, run, width) : scratch("dx", [run.count, width]));
  for (const words of plan.wordRuns) {
    const chunk = { weight, words, rows: run.count, width };
    logitsOf(backend, chunk, { x, logits });
    const args = { dloss, log_sum_exp: logSumExp, rows, labels, logits };
    backend.dispatch(gradientProgram, {
      grid: [run.count],
      args: { ...args, words: words.count, first_word: words.first, softcap },
    });
    if (ownDx !== undefined) addWords(backend, chunk, { coefficients: logits, result: ownDx });
    if (dweight === undefined) continue;
    const operands = { left: logits, weight: x, result: rowsOf(dweight, words, width) };
    const sizes = { rows: words.count, columns: width, depth: run.count };
    multiply(backend, { layout: "tn", accumulate: run.first > 0 }, { ...operands, ...sizes });
  }
  if (dx !== undefined && ownDx !== undefined && "shape" in ownDx) {
    placeRows(backend, { x: ownDx, rows, y: dx, width });
  }
}
