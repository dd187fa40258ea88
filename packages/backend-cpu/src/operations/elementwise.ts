import * as tf from "@tensorflow/tfjs-core";

import { allFloats, loops, override, rowMajorStrides, sizeOf, UNHANDLED } from "./register.js";

/** Functions of one number, in the order of native/src/ops/unary.rs. */
const UNARY = [
  "Relu",
  "Sigmoid",
  "Tanh",
  "Erf",
  "Exp",
  "Log",
  "Sqrt",
  "Rsqrt",
  "Square",
  "Neg",
  "Abs",
  "Reciprocal",
  "ClipByValue",
  "Step",
] as const;

/** Functions of two numbers, in the order of native/src/ops/binary.rs. */
const BINARY = ["Add", "Sub", "Multiply", "RealDiv", "Maximum", "Minimum", "SquaredDifference"] as const;

/** Comparisons, in the order of native/src/ops/binary.rs. */
const COMPARE = ["Greater", "GreaterEqual", "Less", "LessEqual", "Equal", "NotEqual"] as const;

interface UnaryAttrs {
  readonly clipValueMin?: number;
  readonly clipValueMax?: number;
  readonly alpha?: number;
}

export function registerElementwise(): void {
  for (const [code, name] of UNARY.entries()) registerUnary(code, name);
  for (const [code, name] of BINARY.entries()) registerBinary(code, name);
  for (const [code, name] of COMPARE.entries()) registerComparison(code, name);
  registerAddN();
  registerSelect();
}

function registerUnary(code: number, name: string): void {
  override<"x", UnaryAttrs>(name, ({ inputs: { x }, attrs, backend }) => {
    if (x.dtype !== "float32") return UNHANDLED;
    const y = backend.allocate(x.shape);
    const [p0, p1] = [attrs.clipValueMin ?? attrs.alpha ?? 0, attrs.clipValueMax ?? 0];
    backend.native.unary(code, backend.floats(x), y.values, p0, p1);
    return y;
  });
}

function registerBinary(code: number, name: string): void {
  override<"a" | "b">(name, ({ inputs: { a, b }, backend }) => {
    if (!allFloats([a, b])) return UNHANDLED;
    const shape = broadcastShape(a.shape, b.shape);
    const out = backend.allocate(shape);
    const dimensions = broadcastLoops(a.shape, b.shape, shape);
    backend.native.binary(code, backend.floats(a), backend.floats(b), out.values, dimensions);
    return out;
  });
}

function registerComparison(code: number, name: string): void {
  override<"a" | "b">(name, ({ inputs: { a, b }, backend }) => {
    if (!allFloats([a, b])) return UNHANDLED;
    const shape = broadcastShape(a.shape, b.shape);
    const out = new Uint8Array(sizeOf(shape));
    const dimensions = broadcastLoops(a.shape, b.shape, shape);
    backend.native.compare(code, backend.floats(a), backend.floats(b), out, dimensions);
    return backend.makeTensorInfo(shape, "bool", out);
  });
}

function broadcastShape(a: number[], b: number[]): number[] {
  return tf.util.arraysEqual(a, b) ? a : tf.broadcast_util.assertAndGetBroadcastShape(a, b);
}

/** Strides of both operands along each axis of their broadcast shape: 0 where they repeat. */
function broadcastLoops(a: readonly number[], b: readonly number[], shape: readonly number[]): Int32Array {
  if (tf.util.arraysEqual([...a], [...b])) return Int32Array.of(sizeOf(shape), 1, 1);
  return loops(shape, broadcastStrides(a, shape.length), broadcastStrides(b, shape.length));
}

function broadcastStrides(shape: readonly number[], rank: number): number[] {
  const own = rowMajorStrides(shape).map((stride, axis) => (shape[axis] === 1 ? 0 : stride));
  return [...new Array<number>(rank - shape.length).fill(0), ...own];
}

/** AddN: the sum of tensors of one shape, from the first to the last. */
function registerAddN(): void {
  override<string>("AddN", ({ inputs, backend }) => {
    const tensors = Object.values(inputs);
    const [first, second, ...rest] = tensors;
    if (first === undefined || second === undefined || !allFloats(tensors)) return UNHANDLED;
    const out = backend.allocate(first.shape);
    const whole = Int32Array.of(out.values.length, 1, 1);
    backend.native.binary(0, backend.floats(first), backend.floats(second), out.values, whole);
    for (const tensor of rest) backend.native.accumulate(backend.floats(tensor), out.values);
    return out;
  });
}

/** Select: a condition per element, or one per row of the first axis. */
function registerSelect(): void {
  override<"condition" | "t" | "e">("Select", ({ inputs: { condition, t, e }, backend }) => {
    if (!allFloats([t, e]) || condition.dtype !== "bool") return UNHANDLED;
    const out = backend.allocate(t.shape);
    const count = sizeOf(condition.shape);
    const inner = count === 0 ? 1 : out.values.length / count;
    const bytes = backend.bytes(condition);
    backend.native.select(bytes, backend.floats(t), backend.floats(e), out.values, inner);
    return out;
  });
}
