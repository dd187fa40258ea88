import type { NativeBindings } from "../../src/bindings.js";

/** A typed array of a call, by its length or its integers. */
export interface Memory {
  readonly role: "in" | "out";
  readonly type: "floats" | "ints" | "bytes";
  readonly length: number;
  /** Integers; floats come from a generator. */
  readonly values?: readonly number[];
}

export type Scalar = number | boolean | string;
export type Argument = Memory | Scalar | { readonly [name: string]: Argument };
export type TypedArray = Float32Array | Int32Array | Uint8Array;

export const isMemory = (argument: Argument): argument is Memory =>
  typeof argument === "object" && typeof argument["role"] === "string";

export const floats = (length: number): Memory => ({ role: "in", type: "floats", length });
export const out = (length: number): Memory => ({ role: "out", type: "floats", length });
export const outInts = (length: number): Memory => ({ role: "out", type: "ints", length });
export const outBytes = (length: number): Memory => ({ role: "out", type: "bytes", length });
export const bytes = (length: number): Memory => ({ role: "in", type: "bytes", length });
export const ints = (values: readonly number[]): Memory => ({
  role: "in",
  type: "ints",
  length: values.length,
  values,
});

/** Arguments with each leaf replaced. */
export function mapLeaves<T>(argument: Argument, change: (leaf: Memory | Scalar) => T): unknown {
  if (typeof argument !== "object" || isMemory(argument)) return change(argument);
  return Object.fromEntries(
    Object.entries(argument).map(([name, inner]) => [name, mapLeaves(inner, change)]),
  );
}

/** Makes arrays whose surroundings can be checked afterwards. */
export interface ArraySource {
  make(type: Memory["type"], length: number): TypedArray;
  /** False when something beside an array was written. */
  intact(): boolean;
  /** Gives the memory back. */
  release(): void;
}

const CANARY = 0x5a;
const KINDS = { floats: Float32Array, ints: Int32Array, bytes: Uint8Array } as const;

/** Arrays inside of larger buffers, `shift` elements after a multiple of 64 bytes, between bytes of a known value. */
export function canaryArrays(shift: number): ArraySource {
  const made: { readonly whole: Uint8Array; readonly array: TypedArray }[] = [];
  return {
    make(type, length) {
      const size = KINDS[type].BYTES_PER_ELEMENT;
      const start = 64 + shift * size;
      const whole = new Uint8Array(start + length * size + 128).fill(CANARY);
      const array = new KINDS[type](whole.buffer, start, length);
      made.push({ whole, array });
      return array;
    },
    intact: () =>
      made.every(({ whole, array: { byteOffset, byteLength } }) =>
        [whole.subarray(0, byteOffset), whole.subarray(byteOffset + byteLength)].every((side) =>
          side.every((byte) => byte === CANARY),
        ),
      ),
    release: () => made.splice(0),
  };
}

/** Blocks of the addon that end where the array ends: for builds that watch what lies beyond. */
export function blockArrays(native: NativeBindings): ArraySource {
  const blocks: Float32Array[] = [];
  return {
    make(type, length): TypedArray {
      const bytes = length * KINDS[type].BYTES_PER_ELEMENT;
      const block = native.allocateBlock(Math.ceil(bytes / 4));
      blocks.push(block);
      return new KINDS[type](
        block.buffer as ArrayBuffer,
        block.byteOffset + block.byteLength - bytes,
        length,
      );
    },
    intact: () => true,
    release: () => {
      for (const block of blocks.splice(0)) native.freeBlock(block);
    },
  };
}

/** Numbers around a normal distribution's middle, from a seed. */
export function randomFloats(seed: number): () => number {
  let state = (seed ^ 0x9e3779b9) >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state / 2 ** 32 - 0.5) * 4;
  };
}
