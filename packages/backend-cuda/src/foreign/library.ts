import koffi, { type TypeObject } from "koffi";

import { koffiTypeOf, parsePrototype, STRUCTURES } from "./prototype.js";

/** A structure that is passed by value. */
export interface ForeignStructure {
  readonly bytes: Uint8Array;
}

/** Scalars, handles and addresses are numbers; typed arrays are passed in place. */
export type ForeignArgument =
  | number
  | bigint
  | string
  | readonly string[]
  | ArrayBufferView
  | ForeignStructure
  | null;

/** A bound C function. Those that return a text are called through {@link textOf}. */
export type ForeignFunction = (...args: readonly ForeignArgument[]) => number;

/** C functions by the name that we call them. */
export type Foreign<Name extends string> = Readonly<Record<Name, ForeignFunction>>;

/**
 * Loads a shared library and binds functions of it.
 *
 * @throws Error where the library cannot be loaded, or lacks one of the functions.
 */
export function loadLibrary<Name extends string>(
  path: string,
  declarations: Readonly<Record<Name, string>>,
): Foreign<Name> {
  const library = koffi.load(path);
  const bound = Object.entries<string>(declarations).map(([name, declaration]) => {
    const { symbol, result, parameters } = parsePrototype(declaration);
    return [name, library.func(symbol, koffiTypeOf(result), parameters.map(passedAs))];
  });
  return Object.fromEntries(bound) as Foreign<Name>;
}

function passedAs(type: string): string | TypeObject {
  const bytes = STRUCTURES[type];
  return bytes === undefined ? koffiTypeOf(type) : koffi.struct({ bytes: koffi.array("uint8_t", bytes) });
}

/** The text at an address. */
export function textAt(address: bigint): string {
  return koffi.decode.string(address);
}

/** Memory outside of JavaScript's heap, which never moves. */
export interface NativeMemory {
  readonly address: number;
  readonly buffer: ArrayBuffer;
}

/** Allocates zeroed native memory that lives as long as the process. */
export function allocateNative(bytes: number): NativeMemory {
  const pointer: bigint = koffi.alloc("uint8_t", bytes);
  const buffer = koffi.view(pointer, bytes);
  new Uint8Array(buffer).fill(0);
  return { address: Number(pointer), buffer };
}

/** Memory that a library allocated. */
export function viewNative(address: number, bytes: number): Uint8Array {
  return new Uint8Array(koffi.view(BigInt(address), bytes));
}
