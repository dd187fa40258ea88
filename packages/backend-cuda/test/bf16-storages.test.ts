import { allContracts, findKernel, type KernelContract } from "@basic-mllm/core";
import { hostTensor } from "@basic-mllm/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, expect, it } from "vitest";

import { BACKEND_NAME, start, startedBackend, stop } from "../src/index.js";
import { storageOf } from "../src/memory/storage.js";
import { inBf16 } from "./bf16.js";

beforeAll(() => start({ imagine: 8e9, precision: "bf16" }));
afterAll(stop);

/** What a contract keeps its outputs in, and the programs that its first case with rows runs. */
function ranOn(contract: KernelContract): string {
  const backend = startedBackend();
  const names: string[] = [];
  const [testCase] = contract.cases;
  if (testCase === undefined) return "no case";
  const inputs = Object.entries(testCase.inputs).map(([name, spec]) => {
    const { shape, values, dtype } = hostTensor(spec, name);
    return [name, inBf16(contract, { backend, name, x: tf.tensor([...values], [...shape], dtype) })];
  });
  backend.watchRehearsal = ({ name }) => names.push(name);
  const kernel = findKernel(contract.name, BACKEND_NAME) as tf.KernelConfig;
  const attrs = testCase.attrs as tf.NamedAttrMap;
  const outputs = [kernel.kernelFunc({ inputs: Object.fromEntries(inputs), attrs, backend })].flat();
  backend.watchRehearsal = undefined;
  const kept = outputs.map(storageOf).join(" ");
  return `${kept}: ${names.join("; ")}`;
}

it("activations and their gradients are kept in bfloat16, all else in float32", () => {
  const text = allContracts.map((contract) => `${contract.name} ${ranOn(contract)}`);
  expect(text).toMatchInlineSnapshot(`
    [
      "BasicLinear bf16: float32 to bf16; product nt, bf16",
      "BasicLinearBias bf16: float32 to bf16; float32 to bf16; product nt, bf16",
      "BasicLinearPair bf16 bf16: float32 to bf16; product nt, bf16; float32 to bf16; product nt, bf16",
      "BasicLinearTriple bf16 bf16 bf16: float32 to bf16; product nt, bf16; float32 to bf16; product nt, bf16; float32 to bf16; product nt, bf16",
      "BasicLinearBackward bf16 f32 f32: float32 to bf16; product nn, bf16; product tn, bf16; float32 to bf16; product nn, bf16; product tn, bf16",
      "BasicFrozenLinear bf16: float32 to bf16; product nt, bf16",
      "BasicFrozenLinearBias bf16: float32 to bf16; float32 to bf16; product nt, bf16",
      "BasicFrozenLinearBackward bf16: float32 to bf16; product nn, bf16",
      "BasicActivation bf16: activation forward none, bf16",
      "BasicActivationBackward bf16: activation backward none, bf16",
      "BasicGatedActivation bf16: activation gated none, bf16",
      "BasicGatedActivationBackward bf16 bf16: activation gated_backward none, bf16",
      "BasicDropout bf16: dropout, bf16",
      "BasicRmsNorm bf16 f32: rms norm, narrow, bf16",
      "BasicRmsNormBackward bf16: rms norm backward, narrow, bf16",
      "BasicLayerNorm bf16 f32 f32: layer norm, narrow, bf16",
      "BasicLayerNormBackward bf16: layer norm backward, narrow, bf16",
      "BasicRotary bf16: rotary, bf16",
      "BasicEmbedding bf16: gather rows; float32 to bf16",
      "BasicSplice bf16: bf16 to float32; gather rows; float32 to bf16",
      "BasicRowGather bf16: gather rows, bf16",
      "BasicScatterAddRows f32: fill; scatter rows, bf16",
      "BasicAttention bf16 f32: bf16 to float32; bf16 to float32; bf16 to float32; attention in bf16, 64 rows, heads of 1 chunks; float32 to bf16",
      "BasicAttentionReceived bf16 f32 f32: bf16 to float32; bf16 to float32; bf16 to float32; attention in bf16, 64 rows, heads of 1 chunks; attention received, 64 rows, heads of 1 chunks; attention received, sum over heads; float32 to bf16",
      "BasicAttentionBackward bf16 bf16 bf16: bf16 to float32; bf16 to float32; bf16 to float32; bf16 to float32; bf16 to float32; attention, statistics of rows in bf16; attention, gradient of queries in bf16, 64 rows, heads of 1 chunks; attention, gradient of keys in bf16, 64 rows, heads of 1 chunks; float32 to bf16; float32 to bf16; float32 to bf16",
      "BasicCachedAttention f32 f32 f32: bf16 to float32; bf16 to float32; bf16 to float32; cached attention, new rows; attention, 8 rows, heads of 1 chunks",
      "BasicDecoderBlock f32 f32 f32: bf16 to float32; copy; rms norm, narrow; float32 to bf16; float32 to bf16; product nt, bf16; rotary; float32 to bf16; product nt, bf16; rotary; float32 to bf16; product nt, bf16; cached attention, new rows; attention, 8 rows, heads of 1 chunks; product nt; rms norm, narrow; float32 to bf16; float32 to bf16; product nt, bf16; float32 to bf16; product nt, bf16; activation gated silu; float32 to bf16; float32 to bf16; product nt, bf16",
      "BasicPackedEmbedding bf16: packed embedding bf16, bf16",
      "BasicLinearCrossEntropy f32 f32: float32 to bf16; product nt, bf16; cross entropy absorb; cross entropy finish",
      "BasicLinearCrossEntropyBackward bf16: float32 to bf16; product nt, bf16; cross entropy gradient; float32 to bf16; product nn, bf16; float32 to bf16",
      "BasicDirection f32: direction, 1 at once, bf16",
      "BasicDirectionBackward bf16: direction backward, 1 at once, bf16",
      "BasicLinearKl f32 f32 f32 f32: float32 to bf16; product nt, bf16; product nt, bf16; kl absorb; kl finish",
      "BasicLinearKlBackward bf16: float32 to bf16; product nt, bf16; product nt, bf16; kl gradient; float32 to bf16; product nn, bf16; float32 to bf16",
      "BasicAccumulate bf16: accumulate, bf16",
      "BasicSquaredNorm f32: bf16 to float32; squares; sum of squares",
      "BasicAdamw f32 f32 f32 f32 f32 f32 f32 f32 f32: adamw float32",
    ]
  `);
});
