// The rows that benchmarks make of what real runs wrote.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { recipeJsonSchema } from "@basic-mllm/core";
import { smoke } from "@basic-mllm/recipes";
import { afterAll, beforeAll, expect, it } from "vitest";

import { rowsOfRuns, rowsOfTable } from "../../../benchmarks/accuracy.mjs";
import { kernelCases } from "../../../benchmarks/kernels/cases.mjs";
import { MOMENTS, stepCases } from "../../../benchmarks/peers/cases.mjs";
import { engineRows } from "../../../benchmarks/peers/javascript.mjs";
import { flopsOfCase, javascriptCases, kernelPeerCases } from "../../../benchmarks/peers/kernel-cases.mjs";
import { openOnnxProduct } from "../../../benchmarks/peers/onnx.mjs";
import { timeRuns } from "../../../benchmarks/peers/serve.mjs";
import { rowsOf } from "../../../benchmarks/peers/steps.mjs";
import { integers, noise } from "../../../benchmarks/peers/values.mjs";
import { summarise } from "../../../benchmarks/roofline/rows.mjs";
import { bytesOf, flopsOf } from "../../../benchmarks/roofline/work.mjs";
import { rowsOfRun } from "../../../benchmarks/steps.mjs";

let folder;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "basic-mllm-rows-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function writeRun(seed, vqa) {
  const run = join(folder, `smoke-${seed}`);
  mkdirSync(run);
  const train = (stage, stepMs) => ({ kind: "train", stage, stepMs });
  const lines = [
    train("align", 90),
    train("align", 10),
    train("align", 14),
    { kind: "stage" },
    train("finetune", 30),
  ];
  writeFileSync(join(run, "metrics.jsonl"), `${lines.map((line) => JSON.stringify(line)).join("\n")}\n{"cut`);
  writeFileSync(join(run, "recipe.json"), JSON.stringify({ ...smoke, seed }));
  const metrics = { vqa };
  const evaluations = [{ split: "unseen-artist", metrics }];
  writeFileSync(join(run, "evaluation.json"), JSON.stringify({ metrics, evaluations, blind: { vqa: 0.2 } }));
  return run;
}

it("take step times from a run's metrics, without the first line of a stage", () => {
  expect(rowsOfRun(writeRun(0, 0.5))).toEqual([
    { case: "smoke/align", mode: "train", ours_ms: 12, ours_mb: null },
    { case: "smoke/finetune", mode: "train", ours_ms: 30, ours_mb: null },
  ]);
});

it("take mean accuracies over seeds, and the baseline without pictures", () => {
  const common = { kind: "accuracy", recipe: "smoke", set: "unseen-artist", seeds: [1, 2] };
  const rows = rowsOfRuns([writeRun(1, 0.5), writeRun(2, 0.75)]);
  expect(rows.map(({ metrics, ...rest }) => rest)).toEqual([
    { ...common, variant: "0.05 direction + 0.01 distribution" },
    { ...common, variant: "no pictures" },
  ]);
  expect(rows[0].metrics.vqa.mean).toBeCloseTo(0.625, 12);
  expect(rows[0].metrics.vqa.spread).toBeCloseTo(Math.SQRT1_2 / 4, 12);
});

it("take the headline set of an ablation, with the seeds that have a result and the commit of their runs", () => {
  const difference = { mean: -0.1, df: 1, t: -3, p: 0.2 };
  const metric = { mean: 0.5, spread: 0.1, n: 2, difference };
  const variants = [
    {
      name: "das",
      metrics: { test: { vqa: metric }, other: { vqa: metric } },
      diagnostics: { cosine: { mean: 0.9, spread: 0.01, n: 2 } },
    },
  ];
  const runs = [0, 1, 2].map((seed) => {
    mkdirSync(join(folder, `das-${seed}`, "model"), { recursive: true });
    const provenance = JSON.stringify({ commit: "0123456789" });
    writeFileSync(join(folder, `das-${seed}`, "model", "provenance.json"), provenance);
    return {
      variant: "das",
      seed,
      out: `runs/das-${seed}`,
      metrics: seed === 2 ? {} : { test: { vqa: 0.5 } },
    };
  });
  const table = { recipe: "quickstart", seeds: [0, 1, 2], sets: ["test", "other"], variants, runs };
  writeFileSync(join(folder, "table.json"), JSON.stringify(table));
  expect(rowsOfTable(join(folder, "table.json"))).toEqual([
    {
      kind: "accuracy",
      recipe: "quickstart",
      set: "test",
      variant: "das",
      seeds: [0, 1],
      metrics: { vqa: { mean: 0.5, spread: 0.1 } },
      difference: { mean: -0.1, p: 0.2, df: 1 },
      diagnostics: { cosine: { mean: 0.9, spread: 0.01 } },
      commit: "0123456",
    },
  ]);
});

it("have a name of their own for every kernel case", () => {
  for (const cases of [kernelCases, kernelPeerCases, stepCases]) {
    const names = cases.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  }
});

it("give JavaScript engines float32 products that they get through, of all kinds of operands", () => {
  expect(javascriptCases.every(({ name }) => /^gemm\/.*\/f32$/.test(name))).toBe(true);
  expect(new Set(javascriptCases.map(({ operands }) => operands))).toEqual(new Set(["NN", "NT", "TN"]));
  expect(Math.max(...javascriptCases.map(flopsOfCase))).toBeLessThan(2e9);
});

it("compare each of our engines with those that ran", () => {
  const [product] = javascriptCases;
  const times = {
    native: [1, 3, 2],
    wasm: [10, 10, 12],
    "wasm, new weights": [11, 11, 11],
    onnxruntime: [4, 4, 4],
    "tfjs wasm": [20, 20, 20],
    "tfjs wasm, new weights": [22, 22, 22],
    "tfjs cpu": [100, 100, 100],
  };
  expect(engineRows(product, times)).toMatchObject([
    { kind: "javascript-peer", engine: "native", case: product.name, peer: "onnxruntime", ratio: 0.5 },
    { engine: "wasm", ours_ms: 10, peers_ms: { "tfjs wasm": 20, "tfjs cpu": 100 }, ratio: 0.5 },
    { engine: "wasm, new weights", peers_ms: { "tfjs wasm, new weights": 22 }, ratio: 0.5 },
  ]);
  const { native, onnxruntime } = times;
  expect(engineRows(product, { native, onnxruntime }).map(({ engine }) => engine)).toEqual(["native"]);
});

it("write a product as an ONNX model that onnxruntime computes", async () => {
  const a = [
    { values: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] },
    { values: Float32Array.of(1, 4, 2, 5, 3, 6), shape: [3, 2] },
  ];
  const b = [
    { values: Float32Array.of(1, 0, 2, 1, 0, 3), shape: [3, 2] },
    { values: Float32Array.of(1, 2, 0, 0, 1, 3), shape: [2, 3] },
  ];
  for (const [i, j] of ["00", "01", "10", "11"]) {
    const product = {
      sizes: [2, 2, 3],
      a: a[i],
      b: b[j],
      transposeA: i === "1",
      transposeB: j === "1",
    };
    const { run, result } = await openOnnxProduct(product, 1);
    await run();
    expect([...(await result())], `transposed: ${i} ${j}`).toEqual([5, 11, 14, 23]);
  }
  // Sizes of more than one byte.
  const long = { values: new Float32Array(300).fill(1), shape: [300, 1] };
  const { result } = await openOnnxProduct(
    { sizes: [300, 300, 1], a: long, b: { ...long, shape: [1, 300] } },
    1,
  );
  expect((await result()).length).toBe(90_000);
});

it("wait for what a kernel promises, and tell each call its number", async () => {
  const calls = [];
  const { wall_ms: milliseconds } = await timeRuns((i) => {
    calls.push(i);
    return new Promise((resolve) => setTimeout(resolve, 5));
  }, 3);
  expect(calls).toEqual([0, 1, 2]);
  expect(milliseconds).toBeGreaterThan(4);
});

it("know how moments can be stored", () => {
  const [vlm] = recipeJsonSchema().anyOf;
  expect(JSON.stringify(vlm)).toContain(`"enum":${JSON.stringify(MOMENTS)}`);
});

it("say how moments were stored, and that memory alone was measured", () => {
  const setting = {
    stepCase: stepCases[0],
    threads: 1,
    builds: ["tuned"],
    precision: "f32",
    moments: "bfloat16",
  };
  const memory = { ours: { off: 300.4, basic: 310 }, tuned: { off: 600, basic: 620 } };
  const common = { case: "tiny-s1", peer: expect.stringMatching(/ tuned$/), moments: "bfloat16", threads: 1 };
  const [off, basic] = rowsOf({ ...setting, steps: 0 }, memory);
  expect(off).toMatchObject({ ...common, kind: "peer-memory", mode: "off", ours_mb: 300, peer_mb: 600 });
  expect(basic).not.toHaveProperty("ours_ms");
  const times = { ours: { off: [1, 2, 3], basic: [3] }, tuned: { off: [4], basic: [6] } };
  expect(rowsOf({ ...setting, steps: 3 }, memory, times)).toMatchObject([
    { ...common, kind: "peer", ours_ms: 2, peer_ms: 4, ratio: 0.5, steps: 3 },
    { ...common, kind: "peer", mode: "basic", ratio: 0.5 },
  ]);
});

it("give a peer the same first values, spread as asked", () => {
  expect([...integers("ids", 4, 1000)]).toEqual([...integers("ids", 8, 1000)].slice(0, 4));
  const values = noise("projector/linear_1.weight", 10_000, 0.02);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  expect(Math.abs(mean)).toBeLessThan(1e-3);
  expect(Math.sqrt(variance)).toBeCloseTo(0.02, 3);
});

it("count the least work of a native call", () => {
  const floats = (length) => new Float32Array(length);
  const offsets = Int32Array.of(0, 3, 5);
  const layout = {
    queryOffsets: offsets,
    keyOffsets: offsets,
    heads: 2,
    headWidth: 4,
    causal: true,
    window: 0,
  };
  // Pairs that see each other: 1 + 2 + 3 and 1 + 2.
  expect(flopsOf("attention", [floats(40), floats(40), floats(40), layout])).toBe(2 * 2 * 9 * 2 * 4);
  expect(flopsOf("attention", [0, 0, 0, { ...layout, window: 1 }])).toBe(2 * 2 * 5 * 2 * 4);
  expect(flopsOf("matmul", [floats(6), floats(12), floats(8), 1, 1, 2, 4, 3, false, false])).toBe(
    2 * 2 * 4 * 3,
  );
  expect(flopsOf("unary", [0, floats(6), floats(6), 0, 0])).toBe(0);
  expect(bytesOf([0, floats(6), { labels: offsets }])).toBe(24 + 12);
});

it("compare kernels with the machine's peak", () => {
  const groups = [
    { name: "matmul", flops: 1e9, bytes: 1e6, count: 2, ms: 20 },
    { name: "unary", flops: 0, bytes: 1e7, count: 1, ms: 1 },
    { name: "matmul", flops: 5e8, bytes: 1e6, count: 1, ms: 10 },
  ];
  const rows = summarise({ total_ms: 100, groups }, { gflops: 100, gbs: 20 });
  expect(rows).toMatchObject([
    { kernel: "matmul", calls: 3, ours_ms: 50, share: 0.5, gflops: 50, roof: 0.5 },
    { kernel: "unary", calls: 1, ours_ms: 1, gbs: 10, roof: 0.5 },
  ]);
});
