// One kernel case in a process of its own: node --expose-gc child.mjs '{"kernel":…,"threads":2,"repeats":3}'.
import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { start } from "@basic-mllm/backend-cpu";
import { valueAndGradients } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { median, timeOf } from "../peers/turns.mjs";
import { openCase } from "./bodies.mjs";

/** Longest time that repetitions may take together, and the least, so that short kernels are repeated more often. */
const BUDGET_MS = 10_000;
const LEAST_MS = 300;

const MB = 1e6;

/** A field of /proc/self/status in bytes; undefined where there is no such file. */
function status(field) {
  try {
    const line = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(readFileSync("/proc/self/status", "utf8"));
    return line === null ? undefined : Number(line[1]) * 1024;
  } catch {
    return undefined;
  }
}

/** Resident bytes now. Linux also forgets the peak so far; elsewhere it counts from the start of the process. */
async function resetPeak() {
  // V8 gives array buffers back in the background.
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.();
    await setTimeout(100);
  }
  try {
    writeFileSync("/proc/self/clear_refs", "5");
  } catch {
    // Not Linux: the peak may then hide small growth.
  }
  return status("VmRSS") ?? process.memoryUsage().rss;
}

function peak() {
  return status("VmHWM") ?? process.resourceUsage().maxRSS * 1024;
}

/** One forward and backward pass. @returns Milliseconds (of CPU time on one thread), and bytes of the gradients. */
async function runOnce({ loss, parameters }) {
  const [wall, cpu] = [performance.now(), process.cpuUsage()];
  const { value, gradients } = valueAndGradients(loss, parameters);
  await value.data();
  const { user, system } = process.cpuUsage(cpu);
  const times = { wall_ms: performance.now() - wall, cpu_ms: (user + system) / 1000 };
  const milliseconds = timeOf(times, threads);
  const bytes = gradients.reduce((total, gradient) => total + gradient.size * 4, 0);
  tf.dispose([value, ...gradients]);
  return { milliseconds, bytes };
}

const { threads, repeats, ...chosen } = JSON.parse(process.argv[2]);
await start({ threads });
// Threads, code and small blocks exist before anything is measured.
const small = openCase({ ...chosen, words: 64, rows: 8 });
for (let i = 0; i < 3; i++) await runOnce(small);
const opened = openCase(chosen);
const before = await resetPeak();
const first = await runOnce(opened);
const growth = peak() - before;

const times = [];
const begin = performance.now();
const until = repeats === 0 ? 0 : LEAST_MS;
const spent = () => performance.now() - begin;
while ((times.length < repeats || spent() < until) && spent() < BUDGET_MS) {
  times.push((await runOnce(opened)).milliseconds);
}
const round = (value) => Math.round(value * 100) / 100;
process.stdout.write(
  `${JSON.stringify({
    ours_ms: round(median(times.length === 0 ? [first.milliseconds] : times)),
    ours_mb: round(Math.max(0, growth) / MB),
    results_mb: round(first.bytes / MB),
  })}\n`,
);
