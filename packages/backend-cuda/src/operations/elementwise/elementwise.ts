import * as tf from "@tensorflow/tfjs-core";
import type { Pointer } from "../../arguments.js";
import { isBf16, storageOf } from "../../memory/storage.js";
import { defineProgram, type Program } from "../../program.js";
import { bytesOf, type Work } from "../../work.js";
import { type Call, type Operation, type Operations, typeOf, unsupported } from "../operation.js";
import { broadcastStrides, type Loop, loopTable, mergedLoops, sizeOf } from "../shapes.js";
import binarySource from "./binary.cu";
import { BINARY, type BinaryOperation, IN_BF16, type Result, UNARY, type UnaryOperation } from "./table.js";
import unarySource from "./unary.cu";

const THREADS = 256;

/** Elements that a thread of the vector paths computes. */
const WIDTH = 4;

type Element = "float" | "int" | "bf16";

/** A program of one tensor, for elements of these types. */
export function unaryProgram(
  name: string,
  types: { input: string; output: string; argument?: string },
  code: string,
) {
  const { input, output, argument = input } = types;
  return defineProgram({
    name: `${name} ${input} to ${output}`,
    source: unarySource,
    entry: "unary",
    defines: { INPUT: input, OUTPUT: output, ARGUMENT: argument, OPERATION: code },
    params: { x: "pointer", y: "pointer", p0: "f32", p1: "f32", count: "i32" },
    block: THREADS,
    work: ({ x, y, count }) => ({ bytes: bytesOf(x, y), flops: count }),
  });
}

/** Runs a program of one tensor. */
export function applyUnary(
  { backend }: Pick<Call<string, object>, "backend">,
  program: ReturnType<typeof unaryProgram>,
  { x, y, p0 = 0, p1 = 0 }: { x: tf.TensorInfo; y: tf.TensorInfo; p0?: number; p1?: number },
): void {
  const count = sizeOf(y.shape);
  backend.dispatch(program, { grid: [Math.ceil(count / (THREADS * WIDTH))], args: { x, y, p0, p1, count } });
}

/** The programs of an operation of one tensor, by the type of its elements. */
function unaryPrograms(name: string, { float, int, result }: UnaryOperation) {
  const output = (input: "float" | "int") => typeOfResult(result ?? "same", input);
  const ofInt = { input: "int", output: output("int") };
  // A float that goes into an integer is cut as a typed array cuts it.
  const converted = result === undefined ? `to_int32(${float})` : float;
  return {
    float: unaryProgram(name, { input: "float", output: output("float") }, float),
    int:
      int === undefined
        ? unaryProgram(name, { ...ofInt, argument: "float" }, converted)
        : unaryProgram(name, ofInt, int),
  };
}

type UnaryPrograms = ReturnType<typeof unaryPrograms>;

function unary({ result, parameters = [] }: UnaryOperation, programs: UnaryPrograms): Operation {
  return (call) => {
    const { x } = call.inputs as { x: tf.TensorInfo };
    const attrs = call.attrs as Readonly<Record<string, number>>;
    const y = call.allocate(x.shape, dtypeOfResult(result, x));
    const [p0 = 0, p1 = 0] = parameters.map((parameter) => attrs[parameter] ?? 0);
    applyUnary(call, programs[typeOf(x)], { x, y, p0, p1 });
    return y;
  };
}

function typeOfResult(result: Result, input: Element): Element {
  if (result === "same") return input;
  return result === "float32" ? "float" : "int";
}

function dtypeOfResult(result: Result | undefined, { dtype }: tf.TensorInfo): tf.DataType {
  return result === undefined || result === "same" ? dtype : result;
}

/** Operands that repeat come from the cache after the first time. */
function workOfTwo({
  a,
  b,
  y,
  count,
}: Readonly<Record<"a" | "b" | "y", Pointer>> & { readonly count: number }): Work {
  return { bytes: bytesOf(a, b, y), flops: count };
}

/** Types of the elements of two operands, and of the result. */
interface Elements {
  readonly left: Element;
  readonly right: Element;
  readonly output: Element;
}

/** The programs of an operation of two tensors, for elements of these types. */
function binaryPrograms(name: string, { left, right, output }: Elements, code: string) {
  const common = {
    source: binarySource,
    defines: { LEFT: left, RIGHT: right, OUTPUT: output, OPERATION: code },
    block: THREADS,
    work: workOfTwo,
  };
  const input = keyOf(left, right);
  const pointer = output === "bf16" ? "stored" : "pointer";
  const pointers = { a: pointer, b: pointer, y: pointer } as const;
  return {
    flat: defineProgram({
      ...common,
      name: `${name} ${input}`,
      entry: "binary_flat",
      params: { ...pointers, aStep: "i32", bStep: "i32", count: "i32" },
    }),
    rows: defineProgram({
      ...common,
      name: `${name} ${input} rows`,
      entry: "binary_rows",
      params: { ...pointers, loops: "pointer", rank: "i32", count: "i32" },
    }),
    strided: defineProgram({
      ...common,
      name: `${name} ${input} strided`,
      entry: "binary_strided",
      params: { ...pointers, loops: "pointer", rank: "i32", count: "i32" },
    }),
  };
}

type BinaryPrograms = ReturnType<typeof binaryPrograms>;

/** The programs of an operation by the types of its operands: see {@link keyOf}. */
type ByElement = Readonly<Record<string, BinaryPrograms>>;

/** One type where both operands have it. */
function keyOf(left: Element, right: Element): string {
  return left === right ? left : `${left} ${right}`;
}

function programsOf(name: string, { float, int, result = "same" }: BinaryOperation): ByElement {
  const byElements = (code: string, types: readonly Elements[]) =>
    types.map((own) => [keyOf(own.left, own.right), binaryPrograms(name, own, code)] as const);
  const alike = (type: "float" | "int") => ({ left: type, right: type, output: typeOfResult(result, type) });
  const rounded = IN_BF16.includes(name)
    ? ([
        { left: "bf16", right: "bf16", output: "bf16" },
        { left: "bf16", right: "float", output: "bf16" },
        { left: "float", right: "bf16", output: "bf16" },
      ] as const)
    : [];
  return Object.fromEntries([
    ...(float === undefined ? [] : byElements(float, [alike("float"), ...rounded])),
    ...(int === undefined ? [] : byElements(int, [alike("int")])),
  ]);
}

function elementOf(tensor: tf.TensorInfo): Element {
  return isBf16(tensor) ? "bf16" : typeOf(tensor);
}

function programsFor(name: string, programs: ByElement, a: tf.TensorInfo, b: tf.TensorInfo): BinaryPrograms {
  const own = programs[keyOf(elementOf(a), elementOf(b))];
  if (own !== undefined) return own;
  const types = Object.keys(programs).filter((type) => !type.includes("bf16"));
  const known = types.map((type) => (type === "float" ? "float32" : "int32"));
  throw unsupported(name, `${a.dtype} with ${b.dtype}`, `Cast both to ${known.join(", or both to ")}`);
}

function binary(
  name: string,
  { result, inputs = ["a", "b"] }: BinaryOperation,
  programs: ByElement,
): Operation {
  return (call) => {
    const [a, b] = inputs.map((input) => call.inputs[input]) as [tf.TensorInfo, tf.TensorInfo];
    const own = programsFor(name, programs, a, b);
    const shape = tf.broadcast_util.assertAndGetBroadcastShape([...a.shape], [...b.shape]);
    const y = call.allocate(shape, dtypeOfResult(result, a), [a, b].some(isBf16) ? "bf16" : "f32");
    applyBinary(call, own, { a, b, y });
    return y;
  };
}

interface Operands {
  readonly a: tf.TensorInfo;
  readonly b: tf.TensorInfo;
  readonly y: tf.TensorInfo;
}

function applyBinary(
  { backend }: Pick<Call<string, object>, "backend">,
  { flat, rows, strided }: BinaryPrograms,
  { a, b, y }: Operands,
): void {
  const count = sizeOf(y.shape);
  const rank = y.shape.length;
  const merged = mergedLoops(y.shape, broadcastStrides(a.shape, rank), broadcastStrides(b.shape, rank));
  const [only] = merged;
  const vectors = [Math.ceil(count / (THREADS * WIDTH))] as const;
  if (merged.length === 1 && only !== undefined) {
    const [aStep, bStep] = only.strides;
    backend.dispatch(flat, { grid: vectors, args: { a, b, y, aStep, bStep, count } });
    return;
  }
  const args = { a, b, y, loops: loopTable(merged), rank: merged.length, count };
  if (allowsVectors(merged)) backend.dispatch(rows, { grid: vectors, args });
  else backend.dispatch(strided, { grid: [Math.ceil(count / THREADS)], args });
}

/** Whether four neighbours of the result are four neighbours at a multiple of 16 bytes, or one value, on both sides. */
function allowsVectors(loops: readonly Loop[]): boolean {
  const outer = loops.slice(0, -1);
  const inner = loops.at(-1) as Loop;
  const fits = (side: 0 | 1) =>
    inner.strides[side] === 0 || outer.every(({ strides }) => strides[side] % WIDTH === 0);
  return inner.size % WIDTH === 0 && fits(0) && fits(1);
}

/** AddN: the sum of tensors of one shape, from the first to the last. Sums go back and forth between two tensors. */
function addN(programs: ByElement): Operation {
  return (call) => {
    const [first, ...terms] = Object.values(call.inputs) as [tf.TensorInfo, ...tf.TensorInfo[]];
    if (terms.length === 0) return call.backend.alias(first);
    const y = call.allocate(first.shape, first.dtype, storageOf(first));
    const other = terms.length === 1 ? y : call.scratch(first.shape, first.dtype, storageOf(first));
    let sum = first;
    for (const [i, term] of terms.entries()) {
      const next = (terms.length - i) % 2 === 1 ? y : other;
      applyBinary(call, programsFor("AddN", programs, sum, term), { a: sum, b: term, y: next });
      sum = next;
    }
    return y;
  };
}

const unaries = Object.entries(UNARY).map(([name, entry]) => ({
  name,
  entry,
  programs: unaryPrograms(name, entry),
}));

const binaries = Object.entries(BINARY).map(([name, entry]) => ({
  name,
  entry,
  programs: programsOf(name, entry),
}));

/** The operations of the table, and AddN. */
export const elementwise: Operations = {
  ...Object.fromEntries(unaries.map(({ name, entry, programs }) => [name, unary(entry, programs)])),
  ...Object.fromEntries(binaries.map(({ name, entry, programs }) => [name, binary(name, entry, programs)])),
  AddN: addN(binaries.find(({ name }) => name === "Add")?.programs ?? {}),
};

/** Every kernel of the table. */
export const elementwisePrograms: readonly Program[] = [
  ...unaries.flatMap(({ programs }) => Object.values(programs)),
  ...binaries.flatMap(({ programs }) => Object.values(programs).flatMap((own) => Object.values(own))),
];
