import * as tf from "@tensorflow/tfjs-core";
import { defineProgram, type Program } from "../../program.js";
import { bytesOf, countOf } from "../../work.js";
import { type Call, type Operation, type Operations, typeOf, unsupported } from "../operation.js";
import { sizeOf } from "../shapes.js";
import { blocksFor, chunksFor, groupAxes, lanesFor, THREADS } from "./plan.js";
import source from "./reduce.cu";
import { type Combination, REDUCTIONS, type Reduction } from "./table.js";

interface AxisAttrs {
  readonly axis?: number | number[];
  readonly reductionIndices?: number | number[];
  readonly keepDims?: boolean;
}

type Type = "float" | "int";

function reduceProgram(name: string, input: Type, output: Type, combination: Combination) {
  const { accumulator, initial, combine, finish = "total" } = combination;
  return defineProgram({
    name: `${name} ${input} to ${output}`,
    source,
    entry: "reduce",
    defines: {
      INPUT: input,
      OUTPUT: output,
      ACCUMULATOR: accumulator,
      INITIAL: initial,
      COMBINE: combine,
      FINISH: finish,
    },
    params: {
      x: "pointer",
      y: "pointer",
      length: "i32",
      inner: "i32",
      chunk: "i32",
      chunks: "i32",
      lanes: "i32",
      divisor: "i32",
      results: "i32",
    },
    block: THREADS,
    work: ({ x, y }) => ({ bytes: bytesOf(x, y), flops: countOf(x) }),
  });
}

type ReduceProgram = ReturnType<typeof reduceProgram>;

/** The first run over values of a type, and the runs over its results. */
interface Programs {
  readonly first: ReduceProgram;
  readonly further: ReduceProgram;
}

function programsFor(name: string, input: Type, { float, int, result }: Reduction): Programs | undefined {
  const combination = input === "float" ? float : int;
  if (combination === undefined) return undefined;
  const output = result === "float32" ? "float" : input;
  const first = reduceProgram(name, input, output, combination);
  const further = output === input ? first : reduceProgram(name, output, output, combination);
  return { first, further };
}

/** The programs of a reduction by the type of its values. */
function byType(name: string, entry: Reduction) {
  const float = programsFor(name, "float", entry);
  const int = programsFor(name, "int", entry);
  // Floats that were made of integers are reduced like others.
  const further = float?.first.name === int?.further.name ? float?.first : int?.further;
  return { float, int: int && { first: int.first, further: further ?? int.further } };
}

function reduction(name: string, entry: Reduction, programs: ReturnType<typeof byType>): Operation {
  return (call) => {
    const { x } = call.inputs as { x: tf.TensorInfo };
    const attrs = call.attrs as AxisAttrs;
    const own = programs[typeOf(x)];
    if (own === undefined) throw unsupported(name, `${x.dtype} tensors`, "Cast to bool first");
    const whole = x.shape.map((_, axis) => axis);
    const axes = tf.util.parseAxisParam(attrs.axis ?? attrs.reductionIndices ?? whole, x.shape);
    const shape = x.shape.flatMap((size, axis) =>
      axes.includes(axis) ? (attrs.keepDims === true ? [1] : []) : [size],
    );
    const y = call.allocate(shape, resultDtype(x, entry));
    reduceAxes(call, own, { x, y, axes });
    return y;
  };
}

function resultDtype({ dtype }: tf.TensorInfo, { result }: Reduction): tf.DataType {
  if (result === "float32") return "float32";
  return result === "number" && dtype === "bool" ? "int32" : dtype;
}

/** Reduces one group of axes after the other, from the last to the first. */
function reduceAxes(
  call: Call<string, object>,
  { first, further }: Programs,
  { x, y, axes }: { x: tf.TensorInfo; y: tf.TensorInfo; axes: readonly number[] },
): void {
  const groups = groupAxes(x.shape, axes);
  const reduced = groups.filter((group) => group.reduced).length;
  if (reduced === 0) {
    runReduction(call, first, { x, y, outer: sizeOf(x.shape), length: 1, inner: 1 });
    return;
  }
  let values = x;
  for (let left = reduced; left > 0; left--) {
    const i = groups.findLastIndex((group) => group.reduced);
    const sizes = groups.map(({ size }) => size);
    const [outer, inner] = [sizeOf(sizes.slice(0, i)), sizeOf(sizes.slice(i + 1))];
    const next = left === 1 ? y : call.scratch([outer, inner], y.dtype);
    const program = values === x ? first : further;
    runReduction(call, program, { x: values, y: next, outer, length: sizes[i] as number, inner, further });
    groups.splice(i, 1);
    values = next;
  }
}

interface Run {
  readonly x: tf.TensorInfo;
  readonly y: tf.TensorInfo;
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
  /** Combines chunks; without it there is one. */
  readonly further?: ReduceProgram;
}

/** y `[outer, inner]` = x `[outer, length, inner]` reduced along its second axis, by chunks where results are few. */
function runReduction(
  { backend, scratch }: Call<string, object>,
  program: ReduceProgram,
  { x, y, outer, length, inner, further }: Run,
): void {
  const results = outer * inner;
  const lanes = lanesFor(length, inner === 1);
  const chunks = further === undefined ? 1 : chunksFor(results, length, lanes);
  const chunk = Math.ceil(length / chunks);
  const target = chunks === 1 ? y : scratch([outer, chunks, inner], y.dtype);
  const ownLanes = lanesFor(chunk, inner === 1);
  backend.dispatch(program, {
    grid: [blocksFor(results * chunks, ownLanes)],
    args: {
      x,
      y: target,
      length,
      inner,
      chunk,
      chunks,
      lanes: ownLanes,
      divisor: chunks === 1 ? length : 1,
      results: results * chunks,
    },
  });
  if (chunks === 1 || further === undefined) return;
  const last = lanesFor(chunks, inner === 1);
  backend.dispatch(further, {
    grid: [blocksFor(results, last)],
    args: {
      x: target,
      y,
      length: chunks,
      inner,
      chunk: chunks,
      chunks: 1,
      lanes: last,
      divisor: length,
      results,
    },
  });
}

const all = Object.entries(REDUCTIONS).map(([name, entry]) => ({
  name,
  entry,
  programs: byType(name, entry),
}));

/** Every reduction of the table. */
export const reductions: Operations = Object.fromEntries(
  all.map(({ name, entry, programs }) => [name, reduction(name, entry, programs)]),
);

/** Kernels of the reductions. */
export const reductionPrograms: readonly Program[] = all.flatMap(({ programs: { float, int } }) =>
  [float?.first, int?.first].filter((program) => program !== undefined),
);
