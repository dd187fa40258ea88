// A library's side of a comparison with other JavaScript engines, driven by lines of JSON (see turns.mjs).
import { start } from "@basic-mllm/backend-cpu";
import * as tf from "@tensorflow/tfjs-core";

import { meanSquare, serve, timeRuns } from "./serve.mjs";
import { noise } from "./values.mjs";

/** Until the JavaScript engine has compiled JavaScript and WebAssembly for speed. */
const WARM_UP_MS = 1000;

// Without this, tfjs looks for mistakes and recommends other packages.
tf.enableProdMode();

function operandsOf({ sizes: [m, n, k], operands }) {
  const [transposeA, transposeB] = [...operands].map((letter) => letter === "T");
  return {
    a: { values: noise("a", m * k, 1), shape: transposeA ? [k, m] : [m, k] },
    b: { values: noise("b", k * n, 1), shape: transposeB ? [n, k] : [k, n] },
    transposeA,
    transposeB,
  };
}

/**
 * `tf.matMul` on the backend that runs: operands are its tensors already, the result is a new one. `runNew` gives each
 * call a right operand that was never multiplied before.
 */
function openTensors(chosen) {
  const { a, b, transposeA, transposeB } = operandsOf(chosen);
  const [left, right] = [a, b].map(({ values, shape }) => tf.tensor2d(values, shape));
  const product = (weights) => tf.matMul(left, weights, transposeA, transposeB);
  return {
    run: () => product(right).dispose(),
    result: () => product(right).dataSync(),
    runNew(count) {
      const all = Array.from({ length: count }, () => tf.tensor2d(b.values, b.shape));
      return { run: (i) => product(all[i]).dispose(), close: () => tf.dispose(all) };
    },
  };
}

async function openTfjs(name, chosen) {
  if (!(await tf.setBackend(name))) throw new Error(`The tfjs backend "${name}" does not start.`);
  return openTensors(chosen);
}

const OPEN = {
  async native(chosen, threads) {
    await start({ threads, engine: "native", precision: "f32" });
    return openTensors(chosen);
  },
  async wasm(chosen, threads) {
    await start({ threads, engine: "wasm", precision: "f32" });
    return openTensors(chosen);
  },
  /** In Node it has SIMD, but no threads. */
  async "tfjs wasm"(chosen) {
    await import("@tensorflow/tfjs-backend-wasm");
    return openTfjs("wasm", chosen);
  },
  async "tfjs cpu"(chosen) {
    await import("@tensorflow/tfjs-backend-cpu");
    return openTfjs("cpu", chosen);
  },
  async onnxruntime(chosen, threads) {
    const { openOnnxProduct } = await import("./onnx.mjs");
    return openOnnxProduct({ sizes: chosen.sizes, ...operandsOf(chosen) }, threads);
  },
};

let opened;

await serve({
  async open({ library, case: chosen, threads }) {
    opened = await OPEN[library](chosen, threads);
    const result = meanSquare(await opened.result());
    const begin = performance.now();
    let once;
    do once = (await timeRuns(opened.run, 1)).wall_ms;
    while (performance.now() - begin < WARM_UP_MS);
    return { results: [result], once_ms: once };
  },
  async time({ repeats, newWeights }) {
    if (!newWeights) return timeRuns(opened.run, repeats);
    const { run, close } = opened.runNew(repeats);
    const times = await timeRuns(run, repeats);
    close();
    return times;
  },
});
