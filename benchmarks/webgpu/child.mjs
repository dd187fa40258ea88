// One side of a case, driven by lines of JSON (see ../peers/turns.mjs): our WebGPU backend, the compositions of tfjs's own
// operations on the same adapter, or our CPU backend.
import * as cpu from "@basic-mllm/backend-cpu";
import * as webgpu from "@basic-mllm/backend-webgpu";
import { linearCrossEntropy, linearKl, registerStockGradients, setFallback } from "@basic-mllm/core";
import { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import * as tf from "@tensorflow/tfjs-core";

import { meanSquare, serve, timeRuns } from "../peers/serve.mjs";
import { allCases } from "./all.mjs";
import { openKernel } from "./kernels.mjs";
import { openStep } from "./steps.mjs";

/** With times of the device where the adapter has them. */
async function startTimed() {
  try {
    await webgpu.start({ timestamps: true });
  } catch (error) {
    if (!error.message.includes("timestamp-query")) throw error;
    await webgpu.start();
    state.withoutTimes = true;
  }
}

/** tfjs's own backend on the device that ours opened, and the compositions as kernels. */
async function startStock() {
  const { device, adapterInfo } = webgpu.startedBackend();
  Object.defineProperty(globalThis, "navigator", { value: { gpu: {} }, configurable: true });
  const stock = new WebGPUBackend(device, adapterInfo);
  tf.registerBackend("webgpu", () => stock);
  tf.env().set("WEBGPU_CPU_FORWARD", false);
  if (!(await tf.setBackend("webgpu"))) throw new Error("tfjs refused its own backend");
  setFallback("reference");
  for (const contract of [linearCrossEntropy, linearKl]) leaveOutSlope(contract);
  return stock;
}

/** A composition gets its gradient from the tape: the slope as well would be one product more than anybody computes. */
function leaveOutSlope(contract) {
  const { reference } = contract;
  contract.reference = (inputs, attrs) => reference(inputs, { ...attrs, withSlope: false });
}

/** Dispatches of the process, whoever makes them; nothing is computed while `imagined`. */
const dispatches = { count: 0, imagined: false };
function watchDispatches() {
  const { prototype } = globalThis.GPUComputePassEncoder;
  const real = prototype.dispatchWorkgroups;
  prototype.dispatchWorkgroups = function dispatch(...sizes) {
    dispatches.count++;
    if (!dispatches.imagined) real.apply(this, sizes);
  };
}

/** tfjs's backend uploads tensors when they are used first. Here they are on the device before anything is measured. */
function withUploads(backend, open) {
  const { write } = backend;
  backend.write = function writeAndUpload(values, shape, dtype) {
    const dataId = write.call(this, values, shape, dtype);
    if (dtype === "float32") this.uploadToGPU(dataId);
    return dataId;
  };
  try {
    open();
  } finally {
    backend.write = write;
  }
}

/** tfjs never gives a buffer back, so what it has allocated is its peak. */
const bytesOn = {
  ours: {
    used: (backend) => backend.pool.numBytesUsed,
    peak: (backend) => backend.pool.peakBytes,
  },
  stock: {
    used: (backend) => backend.bufferManager.numBytesUsed,
    peak: (backend) => backend.bufferManager.numBytesAllocated,
  },
};

const [side] = process.argv.slice(2);
const state = {};
const open = (chosen) => {
  state.opened = chosen.step === undefined ? openKernel(chosen) : openStep(chosen);
};

async function onDevice(run) {
  const results = await run();
  if (side === "cpu") return results;
  const { backend } = state;
  if (backend.commandEncoder !== null) {
    backend.endComputePassEncoder();
    backend.submitQueue();
  }
  await backend.device.queue.onSubmittedWorkDone();
  return results;
}

await serve({
  async open({ title, imagined }) {
    const chosen = allCases().find((one) => one.title === title);
    if (side === "cpu") {
      await cpu.start({ precision: "f32" });
      registerStockGradients();
      open(chosen);
      return {};
    }
    await startTimed();
    const { deviceName } = webgpu.startedBackend();
    watchDispatches();
    dispatches.imagined = imagined;
    state.backend = side === "ours" ? webgpu.startedBackend() : await startStock();
    registerStockGradients();
    withUploads(state.backend, () => open(chosen));
    state.held = bytesOn[side].used(state.backend);
    return { adapter: deviceName };
  },
  /** The first pass of a mode, with the compilation of its shaders: dispatches, peak of memory, and what it gives. */
  async first({ mode, compared }) {
    const before = dispatches.count;
    const results = await onDevice(state.opened.run[mode]);
    const counted = dispatches.count - before;
    const peak = side === "cpu" ? 0 : bytesOn[side].peak(state.backend) - state.held;
    const value = compared && results.length > 0 ? meanSquare(await results[0].data()) : null;
    tf.dispose(results);
    return { dispatches: counted, mb: Math.round(peak / 1e3) / 1e3, value };
  },
  time: ({ mode, repeats }) =>
    timeRuns(async () => {
      tf.dispose(await onDevice(state.opened.run[mode]));
    }, repeats),
  /** Milliseconds of the device by program, of one pass; none where the adapter does not tell. */
  async deviceTimes({ mode }) {
    if (state.withoutTimes) return { programs: [] };
    const programs = await state.backend.deviceTimes(async () => {
      tf.dispose(await onDevice(state.opened.run[mode]));
    });
    return { programs };
  },
});
process.exit(0);
