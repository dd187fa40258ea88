import { getEventListeners } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { BasicError } from "@basic-mllm/core";
import { buildFakeLibraries } from "@basic-mllm/cuda-emulator";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { connectRanks, type RankOptions, start, stop } from "../src/index.js";
import { findNccl } from "../src/nccl/open.js";
import { emulated, errorOf, fake, startOnEmulator } from "./emulator.js";
import { startRanks } from "./nccl/ranks.js";

const { nccl } = await buildFakeLibraries();
let folder: string;
beforeEach(async () => {
  stop();
  fake.reset();
  folder = mkdtempSync(join(tmpdir(), "nccl-"));
});
afterEach(() => {
  stop();
  fake.reset();
  rmSync(folder, { recursive: true });
});

/** One rank of one. */
const connect = (change: Partial<RankOptions> = {}) =>
  connectRanks({ rank: 0, size: 1, folder, timeoutMs: 50, libraries: { nccl }, ...change });

/** Without paths that differ from machine to machine. */
const text = async (action: () => unknown) =>
  (await errorOf(action)).replaceAll(folder, "FOLDER").replaceAll(nccl, "NCCL");

describe("ranks in processes of their own", () => {
  it("sum tensors of many sizes, in place where they can, and numbers, and hear rank 0", async () => {
    const answers = await startRanks("collectives", 3).answers;
    const common = {
      sums: [[6], [6, 60], [6], [], [6, 1.5, 1800]],
      inPlace: true,
      left: 0,
      numbers: [6, 3 * (2 ** 53 - 1), 0.1 + 0.1 + 0.1],
      nothing: [],
      bytes: [7, 8, 9, 10, 11],
      empty: [],
      null: null,
    };
    expect(answers).toEqual(
      [0, 1, 2].map((rank) => ({ ...common, place: [rank, 3], kept: [rank + 1, 10 * (rank + 1)] })),
    );
  });

  it("train as one process does, and end with the same parameters", async () => {
    const [alone] = (await startRanks("train", 1).answers) as Trained[];
    const both = (await startRanks("train", 2).answers) as Trained[];
    expect(both[0]?.losses).toHaveLength(13);
    expect(alone?.losses).toHaveLength(13);
    expect(alone?.parameters.map(({ length }) => length)).toEqual([6, 2, 2]);
    expect(both[0]?.parameters.map(({ length }) => length)).toEqual([6, 2, 2]);
    for (const [i, loss] of (alone?.losses ?? []).entries()) expect(both[0]?.losses[i]).toBeCloseTo(loss, 5);
    expect(both[1]).toEqual({ losses: [], parameters: both[0]?.parameters });
    for (const [i, values] of (alone?.parameters ?? []).entries())
      for (const [j, value] of values.entries()) expect(both[0]?.parameters[i]?.[j]).toBeCloseTo(value, 5);
  });

  it("end where one of them is gone: those that wait say so, and their device goes on", async () => {
    const [first, second] = await startRanks("gone", 2).answers;
    expect(second).toBeUndefined();
    expect(first).toEqual({ first: expect.any(String), same: true, value: 1, aborts: 1 });
    expect((first as { readonly first: string }).first).toMatchInlineSnapshot(
      `"NCCL lost another process of this training (ncclRemoteError between the ranks: remote process exited or there was a network error; rank 1 is gone). See what that one said; start all again from the last checkpoint. [E_RANK_LOST]"`,
    );
  });

  it("end where one is told to give up while it waits: the others learn of it", async () => {
    const answers = await startRanks("abort", 2).answers;
    expect(answers).toMatchInlineSnapshot(`
      [
        "Somebody stopped it. [E_INTERRUPTED]",
        "NCCL lost another process of this training (ncclRemoteError between the ranks: remote process exited or there was a network error; another rank aborted). See what that one said; start all again from the last checkpoint. [E_RANK_LOST]",
      ]
    `);
  });

  it("end where they sum different things", async () => {
    const answers = await startRanks("mismatch", 2).answers;
    expect(answers).toMatchInlineSnapshot(`
      [
        "NCCL 2.27.7 (NCCL) failed on the CUDA device "CUDA emulator 0": ncclInvalidUsage between the ranks: invalid usage (run with NCCL_DEBUG=WARN for details); rank 0 calls ncclAllReduce of 1 elements of type 7, rank 1 ncclAllReduce of 2 elements of type 7. NCCL_DEBUG=WARN makes it say more. Check that all ranks run the same version on GPUs of their own; start again from the last checkpoint. [E_KERNEL_FAILED]",
        "NCCL 2.27.7 (NCCL) failed on the CUDA device "CUDA emulator 0": ncclInvalidUsage between the ranks: invalid usage (run with NCCL_DEBUG=WARN for details); rank 1 calls ncclAllReduce of 2 elements of type 7, rank 0 ncclAllReduce of 1 elements of type 7. NCCL_DEBUG=WARN makes it say more. Check that all ranks run the same version on GPUs of their own; start again from the last checkpoint. [E_KERNEL_FAILED]",
      ]
    `);
  });
});

interface Trained {
  readonly losses: readonly number[];
  readonly parameters: readonly (readonly number[])[];
}

describe("a rank that cannot be connected says why", () => {
  it("before the backend is started, or where its GPU is imagined", async () => {
    expect(await text(connect)).toMatchInlineSnapshot(
      `"The CUDA backend has not been started. Call start() first. [E_BACKEND_START]"`,
    );
    await start({ imagine: 1e9 });
    expect(await text(connect)).toMatchInlineSnapshot(
      `"An imagined GPU cannot be connected with others: start the backend on a device. [E_CONFIG]"`,
    );
  });

  it("without NCCL, with another library in its place, with an old one, and on Windows", async () => {
    await startOnEmulator();
    expect(await text(() => connect({ libraries: { nccl: "/none/libnccl.so.2" } }))).toMatch(
      /^NCCL was not found\. Looked for \/none\/libnccl\.so\.2: .+`pip install nvidia-nccl-cu12`.+\[E_BACKEND_START\]$/s,
    );
    const { cublasLt = "" } = emulated().libraries ?? {};
    expect(await text(() => connect({ libraries: { nccl: cublasLt } }))).toMatch(
      /Cannot find function 'ncclGetVersion'/,
    );
    fake.configure({ ncclVersion: 2804 });
    expect(await text(connect)).toMatchInlineSnapshot(
      `"NCCL is too old: NCCL is 2.8.4, and 2.13.0 is needed. Install a newer one with \`pip install nvidia-nccl-cu12\` in an active virtual environment, or name its folder in BASIC_MLLM_CUDA_LIBRARIES. [E_BACKEND_START]"`,
    );
    expect(await text(() => findNccl(12_090, {}, "win32"))).toMatchInlineSnapshot(
      `"Several GPUs need NCCL, which NVIDIA makes for Linux only. Train on one GPU, or under WSL or Linux. [E_BACKEND_START]"`,
    );
  });

  it.each([
    { rank: 2, size: 2 },
    { rank: -1, size: 2 },
    { rank: 0.5, size: 2 },
    { rank: 0, size: 0 },
  ])("as rank $rank of $size", async (place) => {
    await startOnEmulator();
    expect(await text(() => connect(place))).toMatchSnapshot();
    expect(readdirSync(folder)).toEqual([]);
  });

  it("where others do not come", async () => {
    await startOnEmulator();
    writeFileSync(join(folder, "rank-2"), "4");
    expect(await text(() => connect({ size: 4 }))).toMatchInlineSnapshot(
      `"Rank 0 waited 0.05 s in FOLDER for ranks 1, 3 of 4. See what those processes said, and whether all were given the same folder; then start all again in an empty one. [E_RANK_LOST]"`,
    );
    rmSync(join(folder, "rank-0"));
    writeFileSync(join(folder, "rank-1"), "4");
    writeFileSync(join(folder, "rank-3"), "4");
    rmSync(join(folder, "unique-id"));
    rmSync(join(folder, "rank-2"));
    expect(await text(() => connect({ rank: 2, size: 4 }))).toMatchInlineSnapshot(
      `"Rank 2 waited 0.05 s in FOLDER for rank 0 of 4. See what that process said, and whether all were given the same folder; then start all again in an empty one. [E_RANK_LOST]"`,
    );
  });

  it("where somebody has its rank, or says that there are more", async () => {
    await startOnEmulator();
    writeFileSync(join(folder, "rank-0"), "1");
    expect(await text(connect)).toMatchInlineSnapshot(
      `"connectRanks: there is a rank 0 in FOLDER already: two processes have the same rank, or the folder is that of an earlier training. Give each process its own rank, and each training an empty folder. [E_CONFIG]"`,
    );
    expect(await text(() => connect({ rank: 1, size: 2 }))).toMatchInlineSnapshot(
      `"connectRanks: rank-0 in FOLDER was started as one of 1 processes, but rank 1 as one of 2. Start all with the same size, in an empty folder. [E_CONFIG]"`,
    );
  });

  it.each([
    ["ncclGetUniqueId", 2],
    ["ncclCommInitRank", 1],
    ["ncclCommInitRank", 2],
  ])("where %s answers %d", async (name, code) => {
    await startOnEmulator();
    fake.inject(name, 1, code);
    expect(await text(connect)).toMatchSnapshot();
  });
});

describe("a call that fails ends the communicator", () => {
  it.each([
    ["ncclGroupStart", 3],
    ["ncclAllReduce", 4],
    ["ncclGroupEnd", 1],
    ["ncclCommGetAsyncError", 4],
    ["ncclAsyncError", 2],
    ["ncclAsyncError", 6],
  ])("where %s answers %d", async (name, code) => {
    await startOnEmulator();
    const collective = await connect();
    const tensors = tf.memory().numTensors;
    fake.inject(name, 1, code);
    const sum = async () => {
      const [result] = await collective.sumTensors([tf.ones([4])]);
      return result?.data();
    };
    const first = await text(sum);
    expect(first).toMatchSnapshot();
    expect(await text(sum)).toBe(first);
    expect(tf.memory().numTensors).toBe(tensors);
    expect(fake.statistics().calls["ncclCommAbort"]).toBe(1);
    collective.close();
    expect(fake.statistics().calls["ncclCommDestroy"]).toBeUndefined();
    // The device goes on.
    expect((await tf.ones([2]).data())[1]).toBe(1);
  });

  it("where ncclBroadcast does", async () => {
    await startOnEmulator();
    const collective = await connect();
    fake.inject("ncclBroadcast", 2, 5);
    expect(await text(() => collective.broadcast(Uint8Array.of(1)))).toMatchInlineSnapshot(
      `"NCCL 2.27.7 (NCCL) failed on the CUDA device "CUDA emulator 0": ncclInvalidUsage from ncclBroadcast: invalid usage (run with NCCL_DEBUG=WARN for details); a test asked ncclBroadcast to fail. NCCL_DEBUG=WARN makes it say more. Check that all ranks run the same version on GPUs of their own; start again from the last checkpoint. [E_KERNEL_FAILED]"`,
    );
  });

  it("where the device is lost, that is what is said", async () => {
    await startOnEmulator();
    const collective = await connect();
    const x = tf.ones([1]);
    fake.inject("cuEventQuery", 1, 700);
    expect(await text(() => collective.barrier())).toContain("read or wrote memory outside of its arrays");
    fake.inject("ncclGroupStart", 1, 1);
    expect(await text(() => collective.sumTensors([x]))).toContain("outside of its arrays");
  });

  it("where somebody else says so first", async () => {
    await startOnEmulator();
    const stop = new AbortController();
    const collective = await connect({ signal: stop.signal });
    const reason = new BasicError("E_RANK_LOST", "Rank 0 stops because rank 1 did.");
    stop.abort(reason);
    expect(await text(() => collective.broadcast(null))).toBe(reason.message);
    expect(await text(() => connect({ folder: join(folder, "next"), signal: stop.signal }))).toBe(
      reason.message,
    );
  });

  it("where a sum of a group is refused, after the end of the group", async () => {
    await startOnEmulator();
    const collective = await connect();
    const tensors = [tf.ones([4]), tf.ones([2])];
    fake.inject("ncclAllReduce", 2, 4);
    fake.startLog();
    expect(await text(() => collective.sumTensors(tensors))).toMatchInlineSnapshot(
      `"NCCL 2.27.7 (NCCL) failed on the CUDA device "CUDA emulator 0": ncclInvalidArgument from ncclAllReduce: invalid argument (run with NCCL_DEBUG=WARN for details); a test asked ncclAllReduce to fail. NCCL_DEBUG=WARN makes it say more. Check that all ranks run the same version on GPUs of their own; start again from the last checkpoint. [E_KERNEL_FAILED]"`,
    );
    const names = ["ncclGroupStart", "ncclAllReduce", "ncclGroupEnd", "ncclCommAbort"];
    expect(fake.log().filter((line) => names.includes(line))).toEqual([
      "ncclGroupStart",
      "ncclAllReduce",
      "ncclAllReduce",
      "ncclGroupEnd",
      "ncclCommAbort",
    ]);
  });

  it("where the device has failed, NCCL's words about it are not what is said", async () => {
    await startOnEmulator();
    const collective = await connect();
    fake.inject("cuEventQuery", 1, 700);
    fake.inject("ncclAsyncError", 2, 1);
    expect(await text(() => collective.barrier())).toContain("read or wrote memory outside of its arrays");
  });

  it("where the signal comes after the last look at it, before NCCL is waited for", async () => {
    await startOnEmulator();
    const stop = new AbortController();
    const reason = new BasicError("E_INTERRUPTED", "Somebody stopped it.");
    vi.spyOn(stop.signal, "throwIfAborted").mockImplementationOnce(() => stop.abort(reason));
    expect(await text(() => connect({ signal: stop.signal }))).toBe(reason.message);
    expect(fake.statistics().calls["ncclCommInitRank"]).toBeUndefined();
  });

  it("and a tensor that cannot be summed is said", async () => {
    await startOnEmulator();
    const collective = await connect();
    const tensors = tf.memory().numTensors;
    expect(
      await text(() => collective.sumTensors([tf.tensor1d([true, false], "bool")])),
    ).toMatchInlineSnapshot(
      `"sumTensors: tensors of float32 or int32 can be summed over ranks, got one of bool. Cast it before. [E_CONFIG]"`,
    );
    expect(tf.memory().numTensors).toBe(tensors);
  });
});

it("one rank is the identity; its end is said to NCCL once", async () => {
  await startOnEmulator();
  const collective = await connect();
  const x = tf.tensor1d([1, 2]);
  const [sum] = await collective.sumTensors([x]);
  expect(sum).toBe(x);
  expect([...((await sum?.data()) ?? [])]).toEqual([1, 2]);
  // The same tensor twice: neither may be written where the other is read.
  const twice = await collective.sumTensors([x, x]);
  expect(await Promise.all(twice.map(async (each) => [...(await each.data())]))).toEqual([
    [1, 2],
    [1, 2],
  ]);
  expect(x.isDisposed).toBe(true);
  collective.close();
  collective.close();
  expect(fake.statistics().calls).toMatchObject({ ncclCommDestroy: 1, ncclGroupStart: 2, ncclGroupEnd: 2 });
});

it("what is asked of it after its end is refused, and its signal forgotten", async () => {
  await startOnEmulator();
  const { signal } = new AbortController();
  const collective = await connect({ signal });
  expect(getEventListeners(signal, "abort")).toHaveLength(1);
  collective.close();
  expect(getEventListeners(signal, "abort")).toHaveLength(0);
  const tensors = tf.memory().numTensors;
  const refused = await text(() => collective.barrier());
  expect(refused).toMatchInlineSnapshot(
    `"A sum or broadcast was asked of rank 0 of 1 after its collective was closed. Call close() when all of them are done; to go on, connect all ranks again with connectRanks in an empty folder. [E_CONFIG]"`,
  );
  expect(await text(() => collective.sumTensors([tf.ones([4])]))).toBe(refused);
  expect(await text(() => collective.broadcast(null))).toBe(refused);
  expect(tf.memory().numTensors).toBe(tensors);
  // The device goes on.
  expect([...(await tf.ones([1]).data())]).toEqual([1]);
});
