import * as tf from "@tensorflow/tfjs-core";
import { defineProgram, type Program } from "../../program.js";
import { bytesOf, countOf } from "../../work.js";
import { type Operation, type Operations, operation, typeOf } from "../operation.js";
import { sizeOf } from "../shapes.js";
import argSource from "./arg-reduce.cu";
import cumulateSource from "./cumulate.cu";
import { blocksFor, lanesFor, THREADS } from "./plan.js";
import topKSource from "./top-k.cu";

/** Sizes before, along and after an axis. */
function sizesAround(shape: readonly number[], axis: number) {
  const [outer, inner] = [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis + 1))];
  return { outer, length: shape[axis] as number, inner };
}

function argProgram(name: string, type: "float" | "int", better: string) {
  return defineProgram({
    name: `${name} ${type}`,
    source: argSource,
    entry: "arg_reduce",
    defines: { VALUE: type, BETTER: better },
    params: { x: "pointer", y: "pointer", length: "i32", inner: "i32", lanes: "i32", results: "i32" },
    block: THREADS,
    work: ({ x, y }) => ({ bytes: bytesOf(x, y), flops: countOf(x) }),
  });
}

function argPrograms(name: string, better: string) {
  return { float: argProgram(name, "float", better), int: argProgram(name, "int", better) };
}

const argMax = argPrograms("ArgMax", "value > best");
const argMin = argPrograms("ArgMin", "value < best");

/** ArgMax and ArgMin along one axis; the first of equal elements. */
function argReduction(programs: ReturnType<typeof argPrograms>): Operation {
  return operation<"x", { axis: number }>(({ inputs: { x }, attrs, backend, allocate }) => {
    const [axis] = tf.util.parseAxisParam(attrs.axis, x.shape) as [number];
    const { outer, length, inner } = sizesAround(x.shape, axis);
    const y = allocate(x.shape.toSpliced(axis, 1), "int32");
    const lanes = lanesFor(length, inner === 1);
    const results = outer * inner;
    if (length === 0) {
      backend.fill(y, 0);
      return y;
    }
    backend.dispatch(programs[typeOf(x)], {
      grid: [blocksFor(results, lanes)],
      args: { x, y, length, inner, lanes, results },
    });
    return y;
  });
}

function cumulateProgram(type: "float" | "int") {
  return defineProgram({
    name: `Cumsum ${type}`,
    source: cumulateSource,
    entry: "cumulate",
    defines: { VALUE: type, TOTAL: type === "float" ? "double" : "int" },
    params: {
      x: "pointer",
      y: "pointer",
      length: "i32",
      inner: "i32",
      lanes: "i32",
      exclusive: "i32",
      reverse: "i32",
      results: "i32",
    },
    block: THREADS,
    work: ({ x, y, lanes }) => ({ bytes: bytesOf(x, y), flops: countOf(x) * Math.log2(Math.max(lanes, 2)) }),
  });
}

const cumulate = { float: cumulateProgram("float"), int: cumulateProgram("int") };

interface CumsumAttrs {
  readonly axis: number;
  readonly exclusive: boolean;
  readonly reverse: boolean;
}

const cumsum = operation<"x", CumsumAttrs>(({ inputs: { x }, attrs, backend, allocate }) => {
  const [axis] = tf.util.parseAxisParam(attrs.axis, x.shape) as [number];
  const { outer, length, inner } = sizesAround(x.shape, axis);
  const y = allocate(x.shape, x.dtype === "bool" ? "int32" : x.dtype);
  const lanes = lanesFor(length, true);
  const results = outer * inner;
  backend.dispatch(cumulate[typeOf(x)], {
    grid: [blocksFor(results, lanes)],
    args: {
      x,
      y,
      length,
      inner,
      lanes,
      exclusive: Number(attrs.exclusive),
      reverse: Number(attrs.reverse),
      results,
    },
  });
  return y;
});

function topKProgram(type: "float" | "int") {
  return defineProgram({
    name: `TopK ${type}`,
    source: topKSource,
    entry: "top_k",
    defines: { VALUE: type },
    params: {
      x: "pointer",
      values: "pointer",
      indices: "pointer",
      length: "i32",
      k: "i32",
      lanes: "i32",
      rows: "i32",
    },
    block: THREADS,
    work: ({ x, values, indices, k }) => ({
      bytes: k * bytesOf(x) + bytesOf(values, indices),
      flops: k * countOf(x),
    }),
  });
}

const topKPrograms = { float: topKProgram("float"), int: topKProgram("int") };

/** TopK along the last axis, sorted. */
const topK = operation<"x", { k: number }>(({ inputs: { x }, attrs: { k }, backend, allocate }) => {
  const length = x.shape.at(-1) ?? 1;
  const shape = [...x.shape.slice(0, -1), k];
  const [values, indices] = [allocate(shape, x.dtype), allocate(shape, "int32")];
  const rows = sizeOf(x.shape.slice(0, -1));
  const lanes = lanesFor(length, true);
  backend.dispatch(topKPrograms[typeOf(x)], {
    grid: [k === 0 ? 0 : blocksFor(rows, lanes)],
    args: { x, values, indices, length, k, lanes, rows },
  });
  return [values, indices];
});

/** Operations along one axis. */
export const alongAxis: Operations = {
  ArgMax: argReduction(argMax),
  ArgMin: argReduction(argMin),
  Cumsum: cumsum,
  TopK: topK,
};

/** Kernels of the operations along one axis. */
export const axisPrograms: readonly Program[] = [argMax, argMin, cumulate, topKPrograms].flatMap(
  (programs) => [programs.float, programs.int],
);
