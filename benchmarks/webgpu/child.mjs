// One case on one side: node child.mjs ours|stock NAME. Prints a row.
import { start, startedBackend } from "@basic-mllm/backend-webgpu";
import { registerStockGradients, setFallback, valueAndGradients } from "@basic-mllm/core";
import { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import * as tf from "@tensorflow/tfjs-core";

import { openCase } from "../kernels/bodies.mjs";
import { median } from "../peers/turns.mjs";
import { openLanguageStep, openMultimodalStep } from "./steps.mjs";

const REPEATS = 2;
const ROWS = 16;
const WORDS = 49_152;
const WIDTH = 576;

const [side, name] = process.argv.slice(2);

/** tfjs's own backend on the device that ours opened, and the compositions as kernels. */
async function startStock() {
  const { device, adapterInfo } = startedBackend();
  Object.defineProperty(globalThis, "navigator", { value: { gpu: {} }, configurable: true });
  const stock = new WebGPUBackend(device, adapterInfo);
  tf.registerBackend("webgpu", () => stock);
  tf.env().set("WEBGPU_CPU_FORWARD", false);
  if (!(await tf.setBackend("webgpu"))) throw new Error("tfjs refused its own backend");
  setFallback("reference");
  return stock;
}

/** Counts the programs of tfjs that a backend runs. */
function countPrograms(backend) {
  const counter = { programs: 0 };
  const run = backend.runWebGPUProgram.bind(backend);
  backend.runWebGPUProgram = (...args) => {
    counter.programs++;
    return run(...args);
  };
  return counter;
}

function openKernel(kernel) {
  const { loss, parameters } = openCase({ kernel, words: WORDS, rows: ROWS, width: WIDTH });
  return {
    title: `${kernel}/D=${WIDTH}/V=${WORDS}/R=${ROWS}`,
    run: async () => {
      const { value, gradients } = valueAndGradients(loss, parameters);
      await gradients[0].data();
      tf.dispose([value, ...gradients]);
    },
  };
}

const STEPS = { "language-step": openLanguageStep, "multimodal-step": openMultimodalStep };

await start();
const ours = startedBackend();
const backend = side === "ours" ? ours : await startStock();
registerStockGradients();
const { title, run } = STEPS[name]?.() ?? openKernel(name);
const held = ours.pool.numBytesUsed + (backend === ours ? 0 : backend.bufferManager.numBytesUsed);
const counter = countPrograms(backend);
const before = ours.dispatches;
await run();
const dispatches = counter.programs + ours.dispatches - before;
const times = [];
for (let i = 0; i < REPEATS; i++) {
  const begun = performance.now();
  await run();
  times.push(performance.now() - begun);
}
// tfjs never gives a buffer back, so what it has allocated is its peak.
const peak = backend === ours ? ours.pool.peakBytes : backend.bufferManager.numBytesAllocated;
console.log(
  JSON.stringify({
    case: title,
    adapter: ours.deviceName,
    ms: Math.round(median(times) * 10) / 10,
    dispatches,
    mb: Math.round((peak - held) / 1e4) / 100,
  }),
);
process.exit(0);
