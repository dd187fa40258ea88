import koffi from "koffi";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { entry, Machine, module } from "./machine.js";

/** Answers of cuda.h. */
const CUDA = {
  INVALID_VALUE: 1,
  OUT_OF_MEMORY: 2,
  NO_DEVICE: 100,
  INVALID_DEVICE: 101,
  INVALID_CONTEXT: 201,
  NO_BINARY_FOR_GPU: 209,
  INVALID_PTX: 218,
  UNSUPPORTED_PTX_VERSION: 222,
  INVALID_HANDLE: 400,
  NOT_FOUND: 500,
  NOT_READY: 600,
  ILLEGAL_ADDRESS: 700,
  LAUNCH_FAILED: 719,
} as const;

/** Adds 1 to every word. */
const COUNT = module(
  entry(
    "count",
    1,
    `.reg .b32 %r<4>; .reg .b64 %d<2>; mov.u32 %r0, %tid.x; mad.wide.u32 %d0, %r0, 4, %a0;
ld.global.u32 %r1, [%d0]; add.u32 %r1, %r1, 1; st.global.u32 [%d0], %r1;`,
  ),
);

describe("the stand-in for the driver", () => {
  let machine: Machine;
  beforeEach(async () => {
    machine = await Machine.start();
  });
  afterEach(() => machine.close());

  const words = (address: bigint, count = 4) => [...machine.get(address, new Uint32Array(count))];

  describe("streams", () => {
    it("run nothing before somebody waits, and then everything in order", () => {
      const kernel = machine.kernel(COUNT, "count");
      const stream = machine.handle("createStream", 1);
      const memory = machine.handle("allocateHost", 16, 0);
      const address = machine.put(new Uint32Array([1, 2, 3, 4]));
      machine.launch(kernel, [address], { block: [4], stream });
      machine.launch(kernel, [address], { block: [4], stream });
      machine.api.downloadPinned(memory, address, 16, stream);
      const event = machine.handle("createEvent", 2);
      machine.api.record(event, stream);
      expect(machine.fake.statistics().launches).toBe(2);
      expect(machine.api.synchronizeEvent(event)).toBe(0);
      machine.api.uploadPinned(address + 4n, memory, 4, stream);
      expect(words(address)).toEqual([3, 3, 5, 6]);
    });

    it("see what pinned memory holds when the copy runs, and pageable memory as it was", () => {
      const stream = machine.handle("createStream", 1);
      const pinned = machine.handle("allocateHost", 4, 0);
      const [early, late] = [machine.put(new Uint32Array(1)), machine.put(new Uint32Array([7]))];
      const pageable = new Uint32Array([5]);
      machine.api.uploadAsync(early, pageable, 4, stream);
      pageable[0] = 6;
      expect(machine.api.downloadPinned(pinned, late, 4, stream)).toBe(0);
      machine.api.uploadPinned(late, pinned, 4, stream);
      machine.api.fill(early + 0n, 9, 0, stream);
      machine.api.synchronizeStream(stream);
      expect([words(early, 1), words(late, 1)]).toEqual([[5], [7]]);
    });

    it("are asked by events, and wait for those of others", () => {
      const kernel = machine.kernel(COUNT, "count");
      const [first, second] = [machine.handle("createStream", 1), machine.handle("createStream", 1)];
      const address = machine.put(new Uint32Array(4));
      machine.launch(kernel, [address], { block: [4], stream: first });
      const event = machine.handle("createEvent", 2);
      machine.api.record(event, first);
      machine.api.waitEvent(second, event, 0);
      machine.launch(kernel, [address], { block: [4], stream: second });
      expect(machine.api.synchronizeStream(second)).toBe(0);
      expect(machine.api.query(event)).toBe(0);
      expect(words(address)).toEqual([2, 2, 2, 2]);
      expect(machine.api.synchronizeStream(12345n)).toBe(CUDA.INVALID_HANDLE);
      expect(machine.api.destroyStream(first)).toBe(0);
      expect(machine.api.destroyStream(first)).toBe(CUDA.INVALID_HANDLE);
    });

    it("give an event its time only when it is asked", () => {
      const kernel = machine.kernel(
        module(
          entry(
            "slow",
            1,
            `.reg .b32 %r<2>; .reg .pred %p<1>; mov.u32 %r0, 0;
AGAIN: add.u32 %r0, %r0, 1; ld.global.u32 %r1, [%a0]; setp.lt.u32 %p0, %r0, 2000000; @%p0 bra AGAIN;`,
          ),
        ),
        "slow",
      );
      const stream = machine.handle("createStream", 1);
      const address = machine.put(new Uint32Array(1));
      for (let index = 0; index < 20; index++) machine.launch(kernel, [address], { block: [1], stream });
      const event = machine.handle("createEvent", 2);
      machine.api.record(event, stream);
      expect(machine.api.query(event)).toBe(CUDA.NOT_READY);
      let asked = 1;
      while (machine.api.query(event) === CUDA.NOT_READY) asked++;
      expect(asked).toBeGreaterThan(1);
    });
  });

  describe("memory", () => {
    it("begins with NaN", () => {
      const address = machine.handle("allocate", 8);
      expect([...machine.get(address, new Float32Array(2))]).toEqual([NaN, NaN]);
    });

    it("is counted, and refused when there is no more", () => {
      machine.fake.configure({ memoryMb: 1 });
      const address = machine.handle("allocate", 2 ** 19);
      expect(machine.api.allocate(new BigUint64Array(1), 2 ** 20)).toBe(CUDA.OUT_OF_MEMORY);
      const [free, total] = [new BigUint64Array(1), new BigUint64Array(1)];
      machine.api.memoryInfo(free, total);
      expect([free[0], total[0]]).toEqual([BigInt(2 ** 19), BigInt(2 ** 20)]);
      expect(machine.fake.statistics()).toMatchObject({
        liveAllocations: 1,
        bytes: 2 ** 19,
        peakBytes: 2 ** 19,
      });
      expect(machine.api.free(address)).toBe(0);
      expect(machine.api.free(address)).toBe(CUDA.INVALID_VALUE);
      expect(machine.fake.statistics().liveAllocations).toBe(0);
    });

    it("that is freed in the order of a stream makes room for what comes after", () => {
      machine.fake.configure({ memoryMb: 1 });
      const stream = machine.handle("createStream", 1);
      const address = machine.handle("allocateAsync", 2 ** 20, stream);
      expect(machine.api.freeAsync(address, stream)).toBe(0);
      expect(machine.fake.statistics().liveAllocations).toBe(1);
      expect(machine.api.allocateAsync(new BigUint64Array(1), 2 ** 20, stream)).toBe(0);
      expect(machine.fake.statistics().liveAllocations).toBe(1);
    });

    it("is copied only within an allocation", () => {
      const address = machine.put(new Uint32Array(4));
      expect(machine.api.upload(address + 8n, new Uint32Array(4), 16)).toBe(CUDA.INVALID_VALUE);
      expect(machine.api.download(new Uint32Array(8), address, 32)).toBe(CUDA.INVALID_VALUE);
      expect(machine.api.fill(address, 0, 5, 0)).toBe(CUDA.INVALID_VALUE);
    });

    it("leaks are counted until the context ends", () => {
      machine.put(new Uint32Array(4));
      machine.handle("allocateHost", 100, 0);
      expect(machine.fake.statistics()).toMatchObject({ liveAllocations: 1, pinned: 1 });
      machine.api.release(0);
      expect(machine.fake.statistics().liveAllocations).toBe(0);
      machine.handle("retain", 0);
    });
  });

  describe("failures", () => {
    it("come from the call that a test names, once", () => {
      machine.fake.inject("cuMemAlloc", 2, CUDA.OUT_OF_MEMORY);
      const out = new BigUint64Array(1);
      expect([1, 2, 3].map(() => machine.api.allocate(out, 16))).toEqual([0, CUDA.OUT_OF_MEMORY, 0]);
    });

    it("of a kernel come when it runs", () => {
      const kernel = machine.kernel(COUNT, "count");
      machine.fake.inject("kernel", 1, CUDA.LAUNCH_FAILED);
      expect(machine.launch(kernel, [machine.put(new Uint32Array(4))], { block: [4] })).toBe(0);
      expect(machine.api.synchronize()).toBe(CUDA.LAUNCH_FAILED);
    });

    it("that end the context are the answer of every later call, until it begins again", () => {
      const kernel = machine.kernel(COUNT, "count");
      expect(machine.launch(kernel, [0n], { block: [1] }) || machine.api.synchronize()).toBe(
        CUDA.ILLEGAL_ADDRESS,
      );
      expect(machine.api.allocate(new BigUint64Array(1), 16)).toBe(CUDA.ILLEGAL_ADDRESS);
      expect(machine.fake.lastFault()).toContain("memcheck: load of 4 bytes at 0x0");
      machine.api.release(0);
      machine.api.setCurrent(machine.handle("retain", 0));
      expect(machine.api.allocate(new BigUint64Array(1), 16)).toBe(0);
    });

    it("injected ones end the context as real ones do", () => {
      machine.fake.inject("cuMemAlloc", 1, CUDA.LAUNCH_FAILED);
      const out = new BigUint64Array(1);
      expect([1, 2].map(() => machine.api.allocate(out, 16))).toEqual([
        CUDA.LAUNCH_FAILED,
        CUDA.LAUNCH_FAILED,
      ]);
    });
  });

  describe("devices", () => {
    it("none", () => {
      machine.fake.configure({ devices: 0 });
      expect(machine.api.init(0)).toBe(CUDA.NO_DEVICE);
    });

    it("two, each with its own memory", () => {
      machine.fake.configure({ devices: 2 });
      const count = new Int32Array(1);
      machine.api.deviceCount(count);
      expect(count[0]).toBe(2);
      expect(machine.api.device(new Int32Array(1), 2)).toBe(CUDA.INVALID_DEVICE);
      const kernel = machine.kernel(COUNT, "count");
      machine.api.setCurrent(machine.handle("retain", 1));
      const foreign = machine.put(new Uint32Array(4));
      machine.api.setCurrent(machine.handle("retain", 0));
      expect(machine.launch(kernel, [foreign], { block: [4] }) || machine.api.synchronize()).toBe(
        CUDA.ILLEGAL_ADDRESS,
      );
      machine.api.release(1);
      machine.api.release(0);
    });

    it("a thread without a context is refused", () => {
      machine.api.setCurrent(0n);
      expect(machine.api.allocate(new BigUint64Array(1), 16)).toBe(CUDA.INVALID_CONTEXT);
    });
  });

  describe("modules", () => {
    const load = (text: string) => machine.api.load(new BigUint64Array(1), Buffer.from(`${text}\0`));

    it("newer than the driver or for a newer device are refused", () => {
      machine.fake.configure({ driverVersion: 12000 });
      expect(load(COUNT.replace(".version 8.0", ".version 8.8"))).toBe(CUDA.UNSUPPORTED_PTX_VERSION);
      machine.fake.reset();
      expect(load(COUNT.replace("sm_80", "sm_100"))).toBe(CUDA.NO_BINARY_FOR_GPU);
      expect(load("\x7fELF")).toBe(CUDA.NO_BINARY_FOR_GPU);
      expect(load("nothing")).toBe(CUDA.INVALID_PTX);
    });

    it("with an unknown instruction say which, also in the caller's log", () => {
      const text = module(
        entry("k", 1, ".reg .b32 %r<2>;\ntex.1d.v4.s32.s32 {%r0, %r0, %r0, %r0}, [%a0, {%r1}];"),
      );
      const log = Buffer.alloc(200);
      // The error buffer (5) and its size (6).
      const values = new BigUint64Array([BigInt(addressOf(log)), 200n]);
      expect(
        machine.api.loadWithLog(
          new BigUint64Array(1),
          Buffer.from(`${text}\0`),
          2,
          new Int32Array([5, 6]),
          values,
        ),
      ).toBe(CUDA.INVALID_PTX);
      const message = log.toString().replace(/\0.*$/s, "").trim();
      expect(message).toBe(machine.fake.lastFault().trim());
      expect(message).toMatch(/^PTX line \d+: /);
    });

    it("give functions by name, with what they need", () => {
      const loaded = machine.handle("load", Buffer.from(`${COUNT}\0`));
      expect(machine.api.getFunction(new BigUint64Array(1), loaded, "other")).toBe(CUDA.NOT_FOUND);
      const value = new Int32Array(1);
      machine.api.getAttribute(value, 0, machine.handle("getFunction", loaded, "count"));
      expect(value[0]).toBe(1024);
      expect(machine.api.unload(loaded)).toBe(0);
    });

    it("launch only what fits", () => {
      const limited = COUNT.replace(") {", ")\n.maxntid 64, 1, 1\n{");
      const kernel = machine.kernel(limited, "count");
      const address = machine.put(new Uint32Array(64));
      const launch = (start: Parameters<Machine["launch"]>[2]) => machine.launch(kernel, [address], start);
      expect(launch({ block: [65] })).toBe(CUDA.INVALID_VALUE);
      expect(launch({ grid: [0] })).toBe(CUDA.INVALID_VALUE);
      expect(launch({ grid: [1, 65536] })).toBe(CUDA.INVALID_VALUE);
      expect(launch({ block: [4], shared: 50000 })).toBe(CUDA.INVALID_VALUE);
      expect(machine.api.setAttribute(kernel, 8, 300000)).toBe(CUDA.INVALID_VALUE);
      expect(machine.api.setAttribute(kernel, 8, 50000)).toBe(0);
      expect(launch({ block: [4], shared: 50000 })).toBe(0);
    });
  });

  it("notes calls and launches", () => {
    const kernel = machine.kernel(COUNT, "count");
    const address = machine.put(new Uint32Array(4));
    machine.fake.startLog();
    machine.run(kernel, [address], { block: [4] });
    expect(machine.fake.log()).toEqual([
      "cuLaunchKernel count grid=1,1,1 block=4,1,1 shared=0",
      "cuCtxSynchronize",
    ]);
    expect(machine.fake.statistics().calls["cuLaunchKernel"]).toBe(1);
  });

  it("refuses settings that are no numbers", () => {
    expect(() => machine.fake.configure({ memoryMb: 0.5 })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: The CUDA emulator does not take the settings memoryMb=0.5. Expected whole numbers for memoryMb, driverVersion, computeCapability, devices, threads, seed and ncclVersion, and booleans for check and deferred. [E_CONFIG]]`,
    );
  });
});

/** Where a buffer is in memory. */
function addressOf(buffer: Buffer): number | bigint {
  return koffi.address(buffer);
}
