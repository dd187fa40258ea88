import type * as tf from "@tensorflow/tfjs-core";

import type { LoadedKernel } from "./compile/kernel-cache.js";
import type { HostArray } from "./memory/host-data.js";
import type { Parameters, ParameterType, PointerType } from "./program.js";

/** Part of a tensor's elements. */
export interface Part {
  readonly tensor: tf.TensorInfo;
  /** In elements. */
  readonly offset: number;
  readonly length: number;
}

/** What a pointer can be to: device memory, or an array of the host, which is copied there. `null` is the null pointer. */
export type Pointer = tf.TensorInfo | Part | HostArray | null;

/** Arguments of a kernel by the names of its parameters. */
export type Arguments<Params extends Parameters> = {
  readonly [Name in keyof Params]: Params[Name] extends PointerType ? Pointer : number;
};

/**
 * Writes arguments into the native block of a kernel.
 *
 * @throws RangeError for a number that the parameter's type cannot hold.
 */
export function packArguments(
  kernel: LoadedKernel,
  args: Readonly<Record<string, Pointer | number>>,
  addressOf: (pointer: Pointer) => number,
): void {
  const { names, types, words, floats } = kernel;
  for (let i = 0; i < names.length; i++) {
    const value = args[names[i] as string];
    const type = types[i];
    if (typeof value !== "number") writeAddress(words, i, pointerOf(kernel, i, value, addressOf));
    else if (type === "f32") floats[2 * i] = value;
    else writeInteger(kernel, i, value);
  }
}

function pointerOf(
  kernel: LoadedKernel,
  i: number,
  value: Pointer | undefined,
  addressOf: (pointer: Pointer) => number,
): number {
  if (value === undefined || !POINTERS.has(kernel.types[i])) {
    throw new RangeError(`${kernel.program.name}: no ${kernel.types[i]} was given for "${kernel.names[i]}".`);
  }
  return addressOf(value);
}

const POINTERS: ReadonlySet<ParameterType | undefined> = new Set<PointerType>([
  "pointer",
  "activation",
  "stored",
]);

function writeAddress(words: Uint32Array, i: number, address: number): void {
  words[2 * i] = address;
  words[2 * i + 1] = address / 2 ** 32;
}

const RANGES: Readonly<Record<Exclude<ParameterType, PointerType | "f32">, readonly [number, number]>> = {
  i32: [-(2 ** 31), 2 ** 31 - 1],
  u32: [0, 2 ** 32 - 1],
  i64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
};

function writeInteger({ program, names, types, words }: LoadedKernel, i: number, value: number): void {
  const type = types[i] as keyof typeof RANGES;
  const [least, most] = RANGES[type] ?? [0, -1];
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`${program.name}: "${names[i]}" is ${value}, which is no ${type}.`);
  }
  words[2 * i] = value;
  words[2 * i + 1] = Math.floor(value / 2 ** 32);
}
