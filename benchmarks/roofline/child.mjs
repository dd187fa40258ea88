// Times every native call of some training steps: node child.mjs '{"case":…,"mode":"basic","steps":5}'. One thread.
import { start } from "@basic-mllm/backend-cpu";
import * as tf from "@tensorflow/tfjs-core";

import { openStepCase } from "../peers/ours-step.mjs";
import { median } from "../peers/turns.mjs";
import { bytesOf, flopsOf } from "./work.mjs";

const { case: chosen, mode, steps } = JSON.parse(process.argv[2]);
await start({ threads: 1 });
const run = openStepCase(chosen);
for (let i = 0; i < 2; i++) await run.step(mode);

/** Microseconds of CPU time so far. */
function cpuTime() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Calls of one kernel on one shape. */
const calls = new Map();
const { native } = tf.backend();
for (const [name, body] of Object.entries(native)) {
  native[name] = (...args) => {
    const begin = cpuTime();
    const result = body(...args);
    const spent = cpuTime() - begin;
    const [flops, bytes] = [flopsOf(name, args), bytesOf(args)];
    const key = JSON.stringify([name, flops, bytes]);
    const entry = calls.get(key) ?? { name, flops, bytes, times: [] };
    entry.times.push(spent);
    calls.set(key, entry);
    return result;
  };
}

const totals = [];
for (let i = 0; i < steps; i++) {
  const begin = cpuTime();
  await run.step(mode);
  totals.push(cpuTime() - begin);
}
const groups = [...calls.values()].map(({ name, flops, bytes, times }) => ({
  name,
  flops,
  bytes,
  count: times.length / steps,
  ms: median(times) / 1000,
}));
process.stdout.write(`${JSON.stringify({ total_ms: median(totals) / 1000, groups })}\n`);
