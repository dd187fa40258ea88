import koffi from "koffi";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { buildFakeLibraries } from "../src/index.js";
import { Machine } from "./machine.js";

const PROTOTYPES = {
  version: "int ncclGetVersion(_Out_ int *version)",
  id: "int ncclGetUniqueId(void *id)",
  destroy: "int ncclCommDestroy(uint64_t comm)",
  abort: "int ncclCommAbort(uint64_t comm)",
  asyncError: "int ncclCommGetAsyncError(uint64_t comm, _Out_ int *error)",
  lastError: "const char *ncclGetLastError(uint64_t comm)",
  groupStart: "int ncclGroupStart()",
  groupEnd: "int ncclGroupEnd()",
  sum: "int ncclAllReduce(uint64_t from, uint64_t to, size_t count, int type, int op, uint64_t comm, uint64_t stream)",
  broadcast:
    "int ncclBroadcast(uint64_t from, uint64_t to, size_t count, int type, int root, uint64_t comm, uint64_t stream)",
} as const;

type Api = Readonly<Record<keyof typeof PROTOTYPES, (...args: unknown[]) => number>>;

/** Values of nccl.h. */
const UNHANDLED_CUDA_ERROR = 1;
const INVALID_ARGUMENT = 4;
const INVALID_USAGE = 5;
const INT32 = 2;
const FLOAT16 = 6;
const FLOAT32 = 7;
const FLOAT64 = 8;
const SUM = 0;
const MAX = 2;

// Several ranks are tested with the backend, in processes of their own.
describe("the stand-in for NCCL", () => {
  let machine: Machine;
  let api: Api;
  let connect: (rank: number, size: number, id?: Uint8Array) => readonly [code: number, handle: bigint];
  beforeAll(async () => {
    const library = koffi.load((await buildFakeLibraries()).nccl);
    api = Object.fromEntries(
      Object.entries(PROTOTYPES).map(([name, prototype]) => [name, library.func(prototype)]),
    ) as unknown as Api;
    const uniqueId = koffi.struct({ bytes: koffi.array("uint8_t", 128) });
    const init = library.func("ncclCommInitRank", "int", ["void *", "int", uniqueId, "int"]);
    connect = (rank, size, id = newId()) => {
      const handle = new BigUint64Array(1);
      return [init(handle, size, { bytes: id }, rank), handle[0] ?? 0n];
    };
    machine = await Machine.start();
  });
  beforeEach(() => machine.fake.reset());
  afterAll(() => machine.close());

  const newId = (): Uint8Array => {
    const id = new Uint8Array(128);
    expect(api.id(id)).toBe(0);
    return id;
  };
  const reason = (handle = 0n): string => String(api.lastError(handle));

  it("sums what one rank has, of each type, where the stream comes to it", () => {
    const [code, comm] = connect(0, 1);
    expect(code).toBe(0);
    for (const [type, values] of [
      [INT32, Int32Array.of(1, -2, 3)],
      [FLOAT32, Float32Array.of(1.5, -2.5, 3)],
      [FLOAT64, Float64Array.of(1e300, -2.5, 3)],
    ] as const) {
      const [from, to] = [machine.put(values), machine.put(values.map(() => 0))];
      expect(api.sum(from, to, 3, type, SUM, comm, 0n)).toBe(0);
      expect(machine.api.synchronize()).toBe(0);
      expect(
        machine.get(
          to,
          values.map(() => 9),
        ),
      ).toEqual(values);
    }
    expect(api.destroy(comm)).toBe(0);
  });

  it("refuses a freed communicator, unknown types and operations, a rank or an id that is none, and a bad stream", () => {
    const [, comm] = connect(0, 1);
    const x = machine.put(Float32Array.of(1));
    expect(api.sum(x, x, 1, FLOAT16, SUM, comm, 0n)).toBe(INVALID_ARGUMENT);
    expect(reason()).toBe("the emulator's NCCL has no data type 6");
    expect(api.sum(x, x, 1, FLOAT32, MAX, comm, 0n)).toBe(INVALID_ARGUMENT);
    expect(api.broadcast(x, x, 1, FLOAT32, 1, comm, 0n)).toBe(INVALID_ARGUMENT);
    expect(reason()).toBe("there is no rank 1");
    expect(api.sum(x, x, 1, FLOAT32, SUM, comm, 12345n)).toBe(UNHANDLED_CUDA_ERROR);
    expect(api.destroy(comm)).toBe(0);
    for (const call of [
      () => api.sum(x, x, 1, FLOAT32, SUM, comm, 0n),
      () => api.broadcast(x, x, 1, FLOAT32, 0, comm, 0n),
      () => api.destroy(comm),
      () => api.abort(comm),
      () => api.asyncError(comm, [0]),
    ]) {
      expect(call()).toBe(INVALID_ARGUMENT);
      expect(reason()).toBe("the communicator was destroyed, or is none");
    }
    expect(connect(2, 2)[0]).toBe(INVALID_ARGUMENT);
    expect(connect(0, 17)[0]).toBe(INVALID_ARGUMENT);
    expect(connect(0, 1, new Uint8Array(128))[0]).toBe(INVALID_ARGUMENT);
    expect(reason()).toBe("the unique id is none of the emulator's");
  });

  it("runs a group at its end, or nothing of it where a call of it was refused", () => {
    const [, comm] = connect(0, 1);
    const [x, y] = [machine.put(Float32Array.of(5)), machine.put(Float32Array.of(0))];
    expect(api.groupEnd()).toBe(INVALID_USAGE);
    api.groupStart();
    expect(api.sum(x, y, 1, FLOAT32, SUM, comm, 0n)).toBe(0);
    expect(api.sum(x, y, 1, FLOAT16, SUM, comm, 0n)).toBe(INVALID_ARGUMENT);
    expect(api.groupEnd()).toBe(INVALID_ARGUMENT);
    machine.api.synchronize();
    expect(machine.get(y, new Float32Array(1))).toEqual(Float32Array.of(0));
    api.groupStart();
    expect(api.sum(x, y, 1, FLOAT32, SUM, comm, 0n)).toBe(0);
    expect(api.groupEnd()).toBe(0);
    machine.api.synchronize();
    expect(machine.get(y, new Float32Array(1))).toEqual(Float32Array.of(5));
    expect(api.destroy(comm)).toBe(0);
  });

  it("answers what a test asks for, and counts its calls", () => {
    machine.fake.configure({ ncclVersion: 21_800 });
    const version = [0];
    expect(api.version(version)).toBe(0);
    expect(version).toEqual([21_800]);
    const [, comm] = connect(0, 1);
    machine.fake.inject("ncclAsyncError", 1, 6);
    const error = [0];
    expect(api.asyncError(comm, error)).toBe(0);
    expect(error).toEqual([6]);
    machine.fake.inject("ncclCommDestroy", 1, 3);
    expect([api.destroy(comm), api.abort(comm)]).toEqual([3, 0]);
    expect(machine.fake.statistics().calls).toMatchObject({ ncclCommInitRank: 1, ncclCommAbort: 1 });
  });

  it("ends the context where a buffer is outside of every allocation", () => {
    const [, comm] = connect(0, 1);
    const x = machine.put(Float32Array.of(1, 2));
    expect(api.sum(x, x, 3, FLOAT32, SUM, comm, 0n)).toBe(0);
    expect(machine.api.synchronize()).toBe(700);
    expect(machine.fake.lastFault()).toBe(
      "memcheck: a buffer is outside of every allocation [ncclAllReduce of 3 elements of type 7]",
    );
  });
});
