import fc from "fast-check";

import type { NativeBindings } from "../../src/bindings.js";
import {
  type Argument,
  type ArraySource,
  canaryArrays,
  type Memory,
  mapLeaves,
  randomFloats,
  type Scalar,
  type TypedArray,
} from "./arguments.js";
import { CALLS } from "./calls.js";

/** How a call is made wrong. `at` chooses the argument, `how` the value. */
export interface Fault {
  readonly kind: "none" | "length" | "integer" | "float" | "number" | "overlap" | "type" | "word";
  readonly at: number;
  readonly how: number;
}

/** A call, as fast-check makes and shrinks it. */
export interface Plan {
  readonly name: keyof typeof CALLS;
  readonly sizes: readonly [number, number, number, number];
  readonly seed: number;
  /** Elements by which arrays start after a multiple of 64 bytes. */
  readonly shift: number;
  readonly fault: Fault;
}

/** Borders of tiles and vectors, primes, nothing and one. */
const BORDERS = [0, 1, 2, 3, 7, 8, 15, 16, 17, 23, 31, 32, 33, 47, 48, 49, 63, 64, 65, 96, 97];
const FAULTS = ["none", "length", "integer", "float", "number", "overlap", "type", "word"] as const;
const NUMBERS = [0, 1, -1, 2 ** 31, 2 ** 32 - 1, 65_537, 1e300, Number.NaN, Number.NEGATIVE_INFINITY, 1.5];
const INTEGERS = [-1, 2 ** 31 - 1, -(2 ** 31), 1000, 0];
const FLOATS = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3e38, 1e-42];

/** Calls of every function, right and wrong ones. `name`: of this one only. */
export function plans(name?: keyof typeof CALLS): fc.Arbitrary<Plan> {
  const size = (least: number) => fc.constantFrom(...BORDERS.filter((border) => border >= least));
  const names = Object.keys(CALLS) as (keyof typeof CALLS)[];
  return fc.record({
    name: name === undefined ? fc.constantFrom(...names) : fc.constant(name),
    sizes: fc.tuple(size(0), size(1), size(1), fc.integer({ min: 0, max: 4 })),
    seed: fc.nat(),
    shift: fc.integer({ min: 0, max: 17 }),
    fault: fc.record({
      kind: fc.oneof({ arbitrary: fc.constant("none" as const), weight: 7 }, fc.constantFrom(...FAULTS)),
      at: fc.nat(20),
      how: fc.nat(20),
    }),
  });
}

/** Right arguments of a plan's call. */
function argumentsOf({ name, sizes: [rows, width, columns, few], seed }: Plan): Argument[] {
  const random = randomFloats(seed);
  const pick = (below: number) => Math.floor((random() / 4 + 0.5) * below);
  return CALLS[name]({ rows, width, columns, few, pick });
}

/** One array of a call, with what it held before. */
interface Made {
  readonly memory: Memory;
  readonly array: TypedArray;
  readonly before: TypedArray;
}

interface Ready {
  readonly args: unknown[];
  readonly arrays: readonly Made[];
}

const at = <T>(list: readonly T[], index: number): T => list[index % list.length] as T;

function lengthOf({ length }: Memory, how: number): number {
  return Math.max(0, length + at([1, -1, 7, -length, 16, -2], how));
}

function fill(array: TypedArray, memory: Memory, random: () => number): void {
  if (memory.values !== undefined) array.set(memory.values.slice(0, array.length));
  else if (memory.type === "bytes") array.set(Array.from(array, () => (random() > 0 ? 1 : 0)));
  else array.set(Array.from(array, random));
}

/** Builds the arrays of a call and puts the fault in. */
function prepare(plan: Plan, source: ArraySource): Ready {
  const { fault, seed } = plan;
  const random = randomFloats(seed + 1);
  const args = argumentsOf(plan);
  const leaves: (Memory | Scalar)[] = [];
  for (const argument of args) mapLeaves(argument, (leaf) => leaves.push(leaf));
  const target = targetOf(leaves, fault);
  const arrays: Made[] = [];
  let index = -1;
  const build = (leaf: Memory | Scalar): unknown => {
    const hit = ++index === target;
    if (typeof leaf !== "object") return hit ? wrongScalar(leaf, fault) : leaf;
    const first = arrays[0]?.array;
    const wrong = hit ? wrongMemory(leaf, fault) : leaf;
    if (hit && fault.kind === "overlap" && first?.constructor === typeOf(leaf)) return first;
    const array = source.make(wrong.type, wrong.length);
    fill(array, leaf, random);
    if (hit) spoil(array, fault);
    arrays.push({ memory: leaf, array, before: array.slice() });
    return array;
  };
  return { args: args.map((argument) => mapLeaves(argument, build)), arrays };
}

const typeOf = ({ type }: Memory) => ({ floats: Float32Array, ints: Int32Array, bytes: Uint8Array })[type];

function wrongMemory(leaf: Memory, { kind, how }: Fault): Memory {
  if (kind === "length") return { ...leaf, length: lengthOf(leaf, how) };
  return kind === "type" ? { ...leaf, type: leaf.type === "floats" ? "ints" : "floats" } : leaf;
}

/** Number of the leaf that gets the fault; -1 where there is none of that kind. */
function targetOf(leaves: readonly (Memory | Scalar)[], { kind, at: which }: Fault): number {
  const fits = (leaf: Memory | Scalar): boolean => {
    if (kind === "number") return typeof leaf === "number";
    if (kind === "word") return typeof leaf === "string";
    if (typeof leaf !== "object" || kind === "none") return false;
    if (kind === "integer") return leaf.type === "ints" && leaf.role === "in";
    if (kind === "float") return leaf.type === "floats" && leaf.role === "in";
    return kind !== "overlap" || leaf.role === "out";
  };
  const found = leaves.flatMap((leaf, i) => (fits(leaf) ? [i] : []));
  return found.length === 0 ? -1 : at(found, which);
}

function wrongScalar(value: Scalar, { how }: Fault): Scalar {
  if (typeof value === "number") return at(NUMBERS, how);
  return at(["", "none!", "q4_1", "silu"], how);
}

function spoil(array: TypedArray, { kind, how, at: where }: Fault): void {
  if (array.length === 0) return;
  if (kind === "integer") array[where % array.length] = at(INTEGERS, how);
  if (kind === "float") array[where % array.length] = at(FLOATS, how);
}

function call(native: NativeBindings, name: string, args: unknown[]): Error | undefined {
  const functions = native as unknown as Record<string, (...args: unknown[]) => unknown>;
  try {
    functions[name]?.(...args);
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

const sameBits = (a: TypedArray, b: TypedArray): boolean =>
  Buffer.compare(
    Buffer.from(a.buffer, a.byteOffset, a.byteLength),
    Buffer.from(b.buffer, b.byteOffset, b.byteLength),
  ) === 0;

/** What is wrong with how a plan's call went: nothing, as it should be. */
export function problemOf(native: NativeBindings, plan: Plan, source: ArraySource): string | undefined {
  const { name, fault } = plan;
  try {
    const { args, arrays } = prepare(plan, source);
    const error = call(native, name, args);
    if (!source.intact()) return "memory beside an array was written";
    const written = arrays.filter(
      ({ memory, array, before }) => memory.role === "in" && !sameBits(array, before),
    );
    if (written.length > 0 && fault.kind !== "overlap") return "an input was written";
    if (error !== undefined) return problemOfError(error, plan);
    return fault.kind === "none" ? problemOfPlace(native, plan, arrays) : undefined;
  } finally {
    source.release();
  }
}

/** A wrong call is refused in words; a right one is not. */
function problemOfError({ message }: Error, { fault }: Plan): string | undefined {
  if (fault.kind === "none" || fault.kind === "float") return `a right call is refused: ${message}`;
  const clear = message.length > 10 && !/internal error|unreachable|out of bounds/.test(message);
  return clear ? undefined : `the error is not clear: ${message}`;
}

/** Results must not depend on where arrays lie. */
function problemOfPlace(native: NativeBindings, plan: Plan, arrays: readonly Made[]): string | undefined {
  const again = prepare(plan, canaryArrays(0));
  const error = call(native, plan.name, again.args);
  if (error !== undefined) return `refused at another place: ${error.message}`;
  const moved = arrays.findIndex(({ array }, i) => !sameBits(array, again.arrays[i]?.array ?? array));
  return moved < 0 ? undefined : `array ${moved} depends on where arrays lie`;
}
