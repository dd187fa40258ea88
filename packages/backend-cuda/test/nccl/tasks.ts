// What a rank does in the tests of NCCL, on the emulator.
import { BasicError, train } from "@basic-mllm/core";
import { buildFakeLibraries, FakeDriver } from "@basic-mllm/cuda-emulator";
import * as tf from "@tensorflow/tfjs-core";

import { linesOf, regressionRecipe, regressionRun } from "../../../core/test/regression.js";
import { connectRanks, start, startedBackend } from "../../src/index.js";
import { TEST_DEVICE } from "../device.js";

/** A rank's place, and what the test tells it. */
interface Place {
  readonly folder: string;
  readonly rank: number;
  readonly size: number;
}

/** Runs one of the tasks below. */
export async function runTask(name: keyof typeof TASKS, place: Place): Promise<unknown> {
  await start(TEST_DEVICE);
  return TASKS[name](place);
}

const connect = ({ folder, rank, size }: Place, signal = new AbortController().signal) =>
  connectRanks({ folder, rank, size, timeoutMs: 60_000, signal });

const TASKS = { collectives, train: trainRegression, mismatch, abort, gone } as const;

/** Values that are kept in bfloat16. */
function inBf16(values: readonly number[]): tf.Tensor {
  const backend = startedBackend();
  const kept = backend.allocate([values.length], "float32", "bf16");
  const given = tf.tensor1d([...values]);
  backend.copy(given, kept);
  given.dispose();
  return tf.engine().makeTensorFromTensorInfo(kept);
}

/** Everything that a collective does once. */
async function collectives(place: Place): Promise<unknown> {
  const collective = await connect(place);
  const own = place.rank + 1;
  const before = tf.memory().numTensors;
  const large = tf.fill([100_000], own);
  const shared = tf.tensor1d([own, 10 * own]);
  const other = shared.clone();
  const list = [large, shared, tf.scalar(own, "int32"), tf.tensor1d([]), inBf16([own, 0.5, 300 * own])];
  const { dataId } = large;
  const sums = await collective.sumTensors(list);
  const values = await Promise.all(sums.map(async (sum) => [...(await sum.data())]));
  const kept = [...(await other.data())];
  const inPlace = sums[0]?.dataId === dataId;
  tf.dispose([...sums, other]);
  const answer = {
    place: [collective.rank, collective.size],
    sums: [[...new Set(values[0])], ...values.slice(1)],
    kept,
    inPlace,
    left: tf.memory().numTensors - before,
    numbers: await collective.sumNumbers([own, 2 ** 53 - 1, 0.1]),
    nothing: await collective.sumNumbers([]),
    bytes: await collective.broadcast(place.rank === 0 ? Uint8Array.of(7, 8, 9, 10, 11) : null),
    empty: await collective.broadcast(place.rank === 0 ? new Uint8Array() : null),
    null: await collective.broadcast(null),
  };
  await collective.barrier();
  collective.close();
  return { ...answer, bytes: [...(answer.bytes ?? [])], empty: [...(answer.empty ?? [])] };
}

/** A short training of two micro-batches a step. */
async function trainRegression(place: Place): Promise<unknown> {
  const collective = place.size === 1 ? undefined : await connect(place);
  const recipe = regressionRecipe({ accumulate: 2, logEvery: 1 });
  const run = regressionRun({ recipe, ...(collective !== undefined && { collective }) });
  const { groups } = await run.objective("align");
  await train(run);
  const values = Object.values(groups).flatMap((set) => [...set].map(({ value }) => value));
  const parameters = await Promise.all(values.map(async (value) => [...(await value.data())]));
  collective?.close();
  const losses = linesOf(run.files).flatMap((line) => (line.kind === "train" ? [line.loss] : []));
  run.dispose();
  return { losses, parameters };
}

/** Ranks that sum different things. */
async function mismatch(place: Place): Promise<unknown> {
  const collective = await connect(place);
  return errorOf(async () => {
    const [sum] = await collective.sumTensors([tf.ones([place.rank + 1])]);
    await sum?.data();
  });
}

/** Rank 0 waits, and is told to stop; rank 1 comes when that has happened. */
async function abort(place: Place): Promise<unknown> {
  const stop = new AbortController();
  const collective = await connect(place, stop.signal);
  const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  if (place.rank === 1) await later(1000);
  else void later(100).then(() => stop.abort(new BasicError("E_INTERRUPTED", "Somebody stopped it.")));
  return errorOf(() => collective.barrier());
}

/** Rank 1 ends without a word; the others wait for it. */
async function gone(place: Place): Promise<unknown> {
  const collective = await connect(place);
  if (place.rank === 1) process.kill(process.pid, "SIGKILL");
  const first = await errorOf(() => collective.barrier());
  const later = await errorOf(() => collective.sumNumbers([1]));
  collective.close();
  // The device itself is well.
  const [value] = await tf.ones([1]).data();
  const { calls } = new FakeDriver((await buildFakeLibraries()).cuda).statistics();
  return { first, same: first === later, value, aborts: calls["ncclCommAbort"] };
}

async function errorOf(action: () => Promise<unknown>): Promise<string> {
  try {
    await action();
  } catch (error) {
    if (error instanceof BasicError) return error.message.replace(/\(\S+libnccl\.so\.2\)/, "(NCCL)");
    throw error;
  }
  return "nothing was thrown";
}
