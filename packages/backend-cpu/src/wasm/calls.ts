import type { NativeBindings } from "../bindings.js";

/** What the module exports: the kernels, and what they need in place of external arrays. */
export interface WasmExports {
  /** Address of a zeroed block. */
  allocateAddress(floats: number): number;
  freeAddress(address: number): boolean;
  /** Address of the table of arguments: native/src/wasm.rs. */
  argumentTable(): number;
  readonly [name: string]: (...args: never[]) => unknown;
}

type TypedArray = Float32Array | Int32Array | Uint8Array;
type Body = (...args: unknown[]) => unknown;

/** Makes the error of a kernel that failed. The module has no copy of the core, whose errors these should be. */
export type CreateError = (message: string, cause: Error) => Error;

/** Rows of the table. */
const MOST_ARRAYS = 64;
const FIELDS = 3;
/** Node-API's numbers of the element types. */
const KINDS: Readonly<Record<string, number>> = { Uint8Array: 1, Int32Array: 5, Float32Array: 7 };
const ALIGNMENT = 16;
const FLOAT_BYTES = 4;
/** Memory for copies is kept up to this size. */
const KEPT_BYTES = 2 ** 24;

/** A part of one array buffer of JavaScript's that a call works on, and where its copy lies. */
interface Copied {
  start: number;
  end: number;
  address: number;
}

/**
 * The kernels of a module, callable as those of the native addon.
 *
 * Blocks are views of the module's memory. When that grows, `memory.buffer` becomes another object and older views
 * are not recognised any more, though they still show the same memory; so arrays go in as address and length.
 * Other arrays are copied in and, as the call may have written them, back.
 */
export function bindCalls(
  exports: WasmExports,
  memory: WebAssembly.Memory,
  createError: CreateError,
): NativeBindings {
  const calls = new Calls(exports, memory, createError);
  const bound = Object.entries(exports)
    .filter(([, value]) => typeof value === "function")
    .map(([name, body]) => [name, (...args: unknown[]) => calls.run(name, body as Body, args)]);
  return {
    ...Object.fromEntries(bound),
    allocateBlock: (floats: number) => calls.allocateBlock(floats),
    freeBlock: (block: Float32Array) => calls.freeBlock(block),
  };
}

class Calls {
  readonly #exports: WasmExports;
  readonly #memory: WebAssembly.Memory;
  readonly #table: number;
  readonly #createError: CreateError;
  /** Every buffer object that the memory has had. */
  readonly #buffers = new WeakSet<ArrayBufferLike>();
  #copies = { address: 0, bytes: 0 };
  /** Why no call can follow: the module stopped in the middle of one. */
  #stopped: Error | undefined;

  constructor(exports: WasmExports, memory: WebAssembly.Memory, createError: CreateError) {
    this.#exports = exports;
    this.#createError = createError;
    this.#memory = memory;
    this.#table = exports.argumentTable();
  }

  allocateBlock(floats: number): Float32Array {
    const address = this.run("allocateBlock", this.#exports.allocateAddress as Body, [floats]) as number;
    const { buffer } = this.#memory;
    this.#buffers.add(buffer);
    return new Float32Array(buffer, address, floats);
  }

  /** Does nothing once the module has stopped: disposing tensors must not fail as well. */
  freeBlock(block: Float32Array): boolean {
    if (this.#stopped !== undefined || !this.owns(block)) return false;
    return this.#exports.freeAddress(block.byteOffset);
  }

  owns(array: TypedArray): boolean {
    return this.#buffers.has(array.buffer);
  }

  run(name: string, body: Body, args: unknown[]): unknown {
    if (this.#stopped !== undefined) throw this.#stopped;
    try {
      return this.#run(body, args);
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      this.#stopped = this.#createError(stoppedText(name, error), error);
      throw this.#stopped;
    }
  }

  #run(body: Body, args: unknown[]): unknown {
    const arrays: TypedArray[] = [];
    const rows = args.map((arg) => rowsOf(arg, arrays));
    if (arrays.length === 0) return body(...args);
    if (arrays.length > MOST_ARRAYS)
      throw new Error(`a call has ${arrays.length} arrays, at most ${MOST_ARRAYS}`);
    const copied = this.#copyIn(arrays);
    this.#fillTable(arrays, copied);
    const result = body(...rows);
    this.#copyBack(copied);
    return result;
  }

  #copyIn(arrays: readonly TypedArray[]): ReadonlyMap<ArrayBufferLike, Copied> {
    const copied = new Map<ArrayBufferLike, Copied>();
    for (const array of arrays) {
      if (this.owns(array) || array.length === 0) continue;
      const [start, end] = [array.byteOffset, array.byteOffset + array.byteLength];
      const part = copied.get(array.buffer);
      if (part === undefined) copied.set(array.buffer, { start: down(start), end, address: 0 });
      else {
        part.start = Math.min(part.start, down(start));
        part.end = Math.max(part.end, end);
      }
    }
    if (copied.size === 0) return copied;
    let bytes = 0;
    for (const part of copied.values()) {
      part.address = bytes;
      bytes += down(part.end - part.start + ALIGNMENT - 1);
    }
    const base = this.#copySpace(bytes);
    for (const [buffer, part] of copied) {
      part.address += base;
      this.#bytes(part).set(new Uint8Array(buffer, part.start, part.end - part.start));
    }
    return copied;
  }

  #copyBack(copied: ReadonlyMap<ArrayBufferLike, Copied>): void {
    for (const [buffer, part] of copied) {
      new Uint8Array(buffer, part.start, part.end - part.start).set(this.#bytes(part));
    }
    if (this.#copies.bytes > KEPT_BYTES) {
      this.#exports.freeAddress(this.#copies.address);
      this.#copies = { address: 0, bytes: 0 };
    }
  }

  #bytes({ start, end, address }: Copied): Uint8Array {
    return new Uint8Array(this.#memory.buffer, address, end - start);
  }

  #copySpace(bytes: number): number {
    if (bytes > this.#copies.bytes) {
      if (this.#copies.bytes > 0) this.#exports.freeAddress(this.#copies.address);
      // Nothing is kept if this fails.
      this.#copies = { address: 0, bytes: 0 };
      const size = Math.max(bytes, 2 ** 16);
      this.#copies = { address: this.#exports.allocateAddress(size / FLOAT_BYTES), bytes: size };
    }
    return this.#copies.address;
  }

  #fillTable(arrays: readonly TypedArray[], copied: ReadonlyMap<ArrayBufferLike, Copied>): void {
    const table = new Uint32Array(this.#memory.buffer, this.#table, arrays.length * FIELDS);
    for (const [row, array] of arrays.entries()) {
      const part = copied.get(array.buffer);
      const address = part === undefined ? array.byteOffset : part.address + array.byteOffset - part.start;
      table.set(
        [KINDS[array.constructor.name] ?? 0, array.length === 0 ? 0 : address, array.length],
        row * FIELDS,
      );
    }
  }
}

/** A panic in WebAssembly is a trap: locks stay taken and the stack is not put back. */
function stoppedText(name: string, { message }: Error): string {
  return (
    `The WebAssembly kernel "${name}" stopped in the middle of its work (${message}), so that its memory, with all ` +
    "tensors, can no longer be used. Load the page again or start another process, and go on from the last " +
    "checkpoint. Use fewer or smaller tensors where memory ran out (WebAssembly has 4 GiB); otherwise this is a " +
    "defect of the backend: report the name of the kernel and the shapes."
  );
}

/** `value` with the number of its row for each typed array in it. */
function rowsOf(value: unknown, arrays: TypedArray[]): unknown {
  if (ArrayBuffer.isView(value)) return arrays.push(value as TypedArray) - 1;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, rowsOf(inner, arrays)]));
}

function down(bytes: number): number {
  return bytes - (bytes % ALIGNMENT);
}
