// A second thread that ends this process when one input hangs, also inside of a synchronous loop, or takes all memory.
import { Worker } from "node:worker_threads";

/** Bounds of one input. */
export interface WatchdogOptions {
  /** Longest time of one input. */
  readonly seconds: number;
  /** Resident memory beyond that at the start, in MiB. */
  readonly megabytes: number;
  /** Where the input lies, for the message. */
  readonly input: string;
}

/** Watches from {@link startWatchdog} on. */
export interface Watchdog {
  /** An input begins: its time counts from here. */
  next(): void;
  stop(): Promise<void>;
}

const PROGRAM = `
const { workerData: { shared, seconds, megabytes, input } } = require("node:worker_threads");
const { writeSync } = require("node:fs");
const count = new Int32Array(shared);
const bound = process.memoryUsage.rss() + megabytes * 2 ** 20;
let [last, since] = [Atomics.load(count, 0), performance.now()];
setInterval(() => {
  const now = Atomics.load(count, 0);
  if (now !== last) [last, since] = [now, performance.now()];
  const rss = process.memoryUsage.rss();
  const slow = now > 0 && performance.now() - since > seconds * 1000;
  if (!slow && rss <= bound) return;
  const what = slow ? "takes more than " + seconds + " s" : "needs " + Math.round(rss / 2 ** 20) + " MiB";
  writeSync(2, "input " + now + " " + what + "; it lies in " + input + "\\n");
  process.kill(process.pid, "SIGKILL");
}, 20);
`;

/** Starts the second thread; the first input must be announced with `next`. */
export function startWatchdog(options: WatchdogOptions): Watchdog {
  const shared = new SharedArrayBuffer(4);
  const count = new Int32Array(shared);
  const worker = new Worker(PROGRAM, { eval: true, workerData: { ...options, shared } });
  worker.unref();
  return {
    next: () => {
      Atomics.add(count, 0, 1);
    },
    stop: async () => {
      await worker.terminate();
    },
  };
}
