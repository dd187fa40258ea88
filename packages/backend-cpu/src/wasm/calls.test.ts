import { beforeEach, expect, it } from "vitest";

import { kernelError } from "../kernel-error.js";
import { bindCalls, type WasmExports } from "./calls.js";

const TABLE = 1024;

let memory: WebAssembly.Memory;
let next: number;
let free: number[];

/** Adds 1 to every element of the first array and writes that to the last, as a module would. */
function addOne(...rows: unknown[]): void {
  const [x, y] = [rows[0], rows.at(-1)].map((row) => viewOf(row as number));
  for (const [i, value] of (x ?? []).entries()) y?.set([value + 1], i);
}

function viewOf(row: number): Float32Array {
  const [kind, address, length] = new Uint32Array(memory.buffer, TABLE + row * 12, 3);
  expect(kind).toBe(7);
  return new Float32Array(memory.buffer, address, length);
}

/** A module with a heap that only grows; `grow` makes the memory's buffer another object first. */
function createModule(): WasmExports {
  const allocateAddress = (floats: number) => {
    const address = next;
    next += Math.ceil(floats / 16) * 64;
    if (next > memory.buffer.byteLength) memory.grow(Math.ceil((next - memory.buffer.byteLength) / 65_536));
    return address;
  };
  const freeAddress = (address: number) => free.push(address) > 0;
  const nested = ({ x, y }: { x: number; y: number }) => addOne(x, y);
  return {
    allocateAddress,
    freeAddress,
    argumentTable: () => TABLE,
    addOne,
    nested,
  } as unknown as WasmExports;
}

type Bound = Record<"addOne" | "nested", (...args: unknown[]) => void> & {
  allocateBlock(floats: number): Float32Array;
  freeBlock(block: Float32Array): boolean;
};

beforeEach(() => {
  memory = new WebAssembly.Memory({ initial: 1, maximum: 4096, shared: true });
  next = 8192;
  free = [];
});

type Body = (...args: unknown[]) => void;

function errorOf(body: () => void): Error {
  try {
    body();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}

const bind = () => bindCalls(createModule(), memory, kernelError) as unknown as Bound;

it("lets the module work in its own memory", () => {
  const module = bind();
  const [x, y] = [module.allocateBlock(4), module.allocateBlock(4)];
  x.set([1, 2, 3, 4]);
  module.addOne(x, y);
  expect([...y]).toEqual([2, 3, 4, 5]);
  expect(next).toBe(8192 + 2 * 64);
});

it("finds a block by its old view after the memory has grown", () => {
  const module = bind();
  const x = module.allocateBlock(4);
  const before = memory.buffer;
  const y = module.allocateBlock(100_000);
  expect(memory.buffer).not.toBe(before);
  x.set([1, 2, 3, 4]);
  module.addOne(x.subarray(1), y.subarray(0, 3));
  expect([...y.subarray(0, 3)]).toEqual([3, 4, 5]);
  module.addOne(y.subarray(0, 3), x.subarray(1));
  expect([...x]).toEqual([1, 4, 5, 6]);
});

it("copies other arrays in and back, also when that makes the memory grow", () => {
  const module = bind();
  const [x, y] = [new Float32Array(50_000).fill(1), new Float32Array(50_000)];
  module.addOne(x, y);
  expect(new Set(y)).toEqual(new Set([2]));
  expect(new Set(x)).toEqual(new Set([1]));
});

it("keeps the places of several views of one buffer", () => {
  const all = Float32Array.from([1, 2, 3, 4, 5, 6, 7]);
  bind().addOne(all.subarray(1, 4), all.subarray(3, 6));
  // Written in order, as on shared memory: the first write changes what is read last.
  expect([...all]).toEqual([1, 2, 3, 3, 4, 4, 7]);
});

it("looks into options", () => {
  const y = new Float32Array(2);
  bind().nested({ x: Float32Array.of(1, 2), y });
  expect([...y]).toEqual([2, 3]);
});

it("frees its own blocks only, by whatever view", () => {
  const module = bind();
  const block = module.allocateBlock(4);
  expect(module.freeBlock(block.subarray(0, 2))).toBe(true);
  expect(module.freeBlock(new Float32Array(4))).toBe(false);
  expect(free).toEqual([block.byteOffset]);
});

it("gives large copies back", () => {
  const module = bind();
  module.addOne(new Float32Array(5_000_000), new Float32Array(5_000_000));
  expect(free.length).toBe(1);
});

it("refuses more arrays than a call may have", () => {
  expect(() => bind().addOne(...Array.from({ length: 65 }, () => new Float32Array(1)))).toThrow(
    "a call has 65 arrays, at most 64",
  );
});

it("says what happened when the module stops in a call, and lets no call follow", () => {
  const stop = () => {
    throw new WebAssembly.RuntimeError("unreachable");
  };
  const module = bindCalls({ ...createModule(), silu: stop }, memory, kernelError) as unknown as Bound &
    Record<"silu", Body>;
  const [x, y] = [module.allocateBlock(4), module.allocateBlock(4)];
  const caught = errorOf(() => module.silu(x, y));
  expect(caught).toMatchInlineSnapshot(
    `[BasicError: The WebAssembly kernel "silu" stopped in the middle of its work (unreachable), so that its memory, with all tensors, can no longer be used. Load the page again or start another process, and go on from the last checkpoint. Use fewer or smaller tensors where memory ran out (WebAssembly has 4 GiB); otherwise this is a defect of the backend: report the name of the kernel and the shapes. [E_KERNEL_FAILED]]`,
  );
  expect(errorOf(() => module.addOne(x, y))).toBe(caught);
  expect(errorOf(() => module.allocateBlock(4))).toBe(caught);
  expect(module.freeBlock(x)).toBe(false);
});
