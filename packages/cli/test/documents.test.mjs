// What the documents claim, held against the code.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as cuda from "@basic-mllm/backend-cuda";
import * as core from "@basic-mllm/core";
import * as data from "@basic-mllm/data";
import * as recipes from "@basic-mllm/recipes";
import { describe, expect, it, vi } from "vitest";
import { engineRows } from "../../../benchmarks/peers/javascript.mjs";
import { summary } from "../../../benchmarks/peers/kernels.mjs";
import { recipe } from "../../../docs/examples/recipe.js";
import { renderDocuments } from "../../../scripts/docs.mjs";
import { growthTables } from "../../../scripts/docs-growth.mjs";
import {
  javascriptTable,
  kernelPeerTable,
  overheadTable,
  peerChart,
  peerTable,
} from "../../../scripts/docs-peers.mjs";
import { diagnosticsTable, differenceTable, resultTables } from "../../../scripts/docs-results.mjs";
import { kernelTargets, stepTargets } from "../../../scripts/docs-targets.mjs";
import { commands } from "../src/commands/index.js";
import { loadRecipe } from "../src/session/load-recipe.js";

const root = join(import.meta.dirname, "../../..");
const read = (path) => readFileSync(join(root, path), "utf8");

const pages = [
  "README.md",
  "CONTRIBUTING.md",
  "benchmarks/README.md",
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

it("has tables, examples and a schema that are those of the sources", () => {
  for (const [path, text] of renderDocuments({ core, cuda, data, recipes })) {
    expect(read(path), `${path} is stale: run \`npm run docs:tables\``).toBe(text);
  }
});

describe.each(pages)("%s", (page) => {
  const text = read(page);

  it("links to files that exist", () => {
    const links = [...text.matchAll(/(?<!!)\[[^\]]*\]\(([^)#]+)(?:#[^)]*)?\)/g)].map(([, target]) => target);
    const local = links.filter((target) => !/^https?:/.test(target));
    const missing = local.filter((target) => !existsSync(join(root, dirname(page), target)));
    expect(missing).toEqual([]);
  });

  it("names npm scripts that exist", () => {
    const { scripts } = JSON.parse(read("package.json"));
    const named = [...text.matchAll(/npm (?:run ([\w:]+)|(test)\b)/g)].map(
      ([, script, test]) => script ?? test,
    );
    expect(named.filter((name) => !(name in scripts) && name !== "build:native")).toEqual([]);
  });

  it("uses commands and options that exist", async () => {
    for (const [, verb, rest] of text.matchAll(/^(?:.*[`\s])?basic-mllm ([a-z]+)([^\n`#]*)/gm)) {
      const command = commands.find(({ name }) => name === verb);
      expect(command, `basic-mllm ${verb}`).toBeDefined();
      const words = rest.trim().split(/\s+/);
      const usage = await command.usage(words);
      const options = words.filter((word) => word.startsWith("--")).map((word) => word.split("=")[0]);
      for (const option of options) expect(usage, `${verb} ${option}`).toContain(option);
    }
  });
});

it("says of each backend whether it is there", () => {
  const rows = [...read("README.md").matchAll(/^\| `(\w+)` \| (yes|not yet) \|/gm)];
  expect(rows.map(([, name]) => name)).toEqual(["cpu", "webgpu", "cuda"]);
  for (const [, name, runs] of rows) {
    expect(existsSync(join(root, `packages/backend-${name}/package.json`)), name).toBe(runs === "yes");
  }
});

describe("the examples of the documents", () => {
  it("are one recipe in TypeScript and in YAML", async () => {
    expect(await loadRecipe(join(root, "docs/examples/recipe.yaml"))).toEqual(recipe);
  });

  it("have a recipe with adapters that is valid", async () => {
    const { model } = await loadRecipe(join(root, "docs/examples/lora.yaml"));
    expect(model.lora).toMatchObject({ rank: 8, targets: "all-linear", rankStabilised: false });
  });

  it.each([
    ["library", () => import("../../../docs/examples/library.mjs")],
    ["lora", () => import("../../../docs/examples/lora.mjs")],
  ])("train a step with core and a backend alone (%s)", async (_, run) => {
    const lines = [];
    const write = vi.spyOn(process.stdout, "write").mockImplementation((line) => lines.push(line) > 0);
    await run();
    write.mockRestore();
    const losses = lines.map((line) => Number(/loss ([\d.]+)/.exec(line)?.[1])).filter(Number.isFinite);
    expect(losses).toHaveLength(20);
    expect(losses.at(-1)).toBeLessThan(losses[0]);
  });
});

describe("the tables of results", () => {
  it("say so where nothing was measured", () => {
    expect(resultTables([])).toBe("not measured yet");
  });

  it("show the newest row of each variant and case", () => {
    const row = {
      kind: "accuracy",
      recipe: "quickstart",
      set: "unseen-artist",
      seeds: [0, 1],
      commit: "abc",
    };
    const step = { case: "quickstart/align", mode: "train", threads: 2, device: "a CPU", commit: "abc" };
    const rows = [
      { ...row, variant: "none", metrics: { vqa: 0.5 } },
      { ...row, variant: "none", metrics: { vqa: { mean: 0.7, spread: 0.01 }, nll: 2 } },
      { ...step, ours_ms: 99, ours_mb: null },
      { ...step, ours_ms: 41.26, ours_mb: null },
      { ...step, case: "attention/R=128", mode: "forward and backward", ours_ms: 1 },
    ];
    expect(resultTables(rows)).toMatchInlineSnapshot(`
      "| recipe | tested on | losses | seeds | vqa | commit |
      | --- | --- | --- | --- | --- | --- |
      | quickstart | unseen-artist | none | 2 | 0.700 ± 0.010 | abc |

      | case | mode | ms | threads | device | commit |
      | --- | --- | --- | --- | --- | --- |
      | quickstart/align | train | 41.3 | 2 | a CPU | abc |"
    `);
  });

  it("compare an ablation's variants with plain training, and show their visual embeddings", () => {
    const row = { kind: "accuracy", recipe: "quickstart", set: "unseen-artist", seeds: [0, 1] };
    const metrics = (mean) => ({ vqa: { mean, spread: 0.01 } });
    const diagnostics = { cosine: { mean: 0.5, spread: 0.25 }, distinctMatches: { mean: 36, spread: 2 } };
    const rows = [
      { ...row, variant: "no pictures", metrics: metrics(0.2) },
      { ...row, variant: "none", metrics: metrics(0.7), difference: null, diagnostics },
      {
        ...row,
        variant: "das",
        metrics: metrics(0.5),
        difference: { mean: -0.2, p: 0.04, df: 1 },
        diagnostics,
      },
    ];
    expect(differenceTable(rows)).toMatchInlineSnapshot(`
      "| losses | seeds | mean accuracy | difference to \`none\` | p (paired t test) | answer nll |
      | --- | --- | --- | --- | --- | --- |
      | none | 2 | 0.700 ± 0.010 | – | – | – |
      | das | 2 | 0.500 ± 0.010 | −0.200 | 0.040 | – |"
    `);
    expect(diagnosticsTable(rows)).toMatchInlineSnapshot(`
      "| losses | cos(v, v̂) | length of v | effective rank | distinct matched words | meaningful share | strict share |
      | --- | --- | --- | --- | --- | --- | --- |
      | none | 0.500 ± 0.250 | – | – | 36.0 ± 2.0 | – | – |
      | das | 0.500 ± 0.250 | – | – | 36.0 ± 2.0 | – | – |"
    `);
  });

  it("show a step beside a peer's, and what BASIC adds", () => {
    const row = {
      kind: "peer",
      case: "tiny-s1",
      peer: "torch 2.15.0 tuned",
      threads: 1,
      device: "a CPU",
      commit: "abc",
    };
    const rows = [
      { ...row, mode: "off", ours_ms: 600, peer_ms: 666.7, ratio: 0.9, ours_mb: 400, peer_mb: 1000 },
      { ...row, mode: "basic", ours_ms: 750, peer_ms: 733.4, ratio: 1.023, ours_mb: 420, peer_mb: 1200 },
    ];
    expect(peerTable(rows)).toMatchInlineSnapshot(`
      "| step | losses | products | moments | threads | peer | ms | peer's ms | ratio | MB | peer's MB | ratio | device | commit |
      | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
      | tiny-s1 | without BASIC | f32 | float32 | 1 | torch 2.15.0 tuned | 600 | 667 | 0.90 | 400 | 1000 | 0.40 | a CPU | abc |
      | tiny-s1 | with BASIC | f32 | float32 | 1 | torch 2.15.0 tuned | 750 | 733 | 1.02 | 420 | 1200 | 0.35 | a CPU | abc |"
    `);
    expect(overheadTable(rows)).toMatchInlineSnapshot(`
      "| step | products | moments | threads | peer | BASIC adds | in the peer |
      | --- | --- | --- | --- | --- | --- | --- |
      | tiny-s1 | f32 | float32 | 1 | torch 2.15.0 tuned | 25 % | 10 % |"
    `);
    const chart = peerChart([...rows, { ...row, mode: "off", peer: "torch stock", ratio: 0.5 }]);
    expect(chart).toContain("tiny-s1, with BASIC, f32, 1 thr.");
    expect(chart.match(/<rect/g)).toHaveLength(2);
    expect(stepTargets(rows).split("\n").slice(0, 4).join("\n")).toMatchInlineSnapshot(`
      "| figure | to reach | tiny-s1 | tiny-s2 | smol-s1 | smol-s2 |
      | --- | --- | --- | --- | --- | --- |
      | time in f32 / tuned PyTorch in f32, 1 thread | ≤ 0.85 | 1.02 | – | – | – |
      | time in f32 / tuned PyTorch in f32, 2 threads | ≤ 0.85 | – | – | – | – |"
    `);
    expect(stepTargets(rows)).toContain(
      "| BASIC adds in f32 (in PyTorch, f32), 1 thread | ≤ 15 % in f32 | 25 % (10 %) |",
    );
    const faster = rows.map((one) => ({ ...one, threads: 2, ours_ms: 400, peer_ms: 500 }));
    expect(stepTargets([...rows, ...faster])).toContain(
      "| 2 threads / 1 thread in f32 (PyTorch, f32) | ≥ 1.85 × | 1.88 (1.47) | – | – | – |",
    );
    expect(stepTargets(rows)).toContain("| peak memory / tuned PyTorch | ≤ 0.75 | 0.35 | – | – | – |");
    const tables = [
      peerTable,
      overheadTable,
      stepTargets,
      kernelPeerTable,
      kernelTargets,
      javascriptTable,
      growthTables,
    ];
    expect(new Set(tables.map((show) => show([])))).toEqual(new Set(["not measured yet"]));
  });

  it("keep moments apart, and memory that was measured alone", () => {
    const row = { case: "smol-s2", mode: "basic", peer: "torch 2.15.0 tuned", threads: 1, device: "a CPU" };
    const rows = [
      { ...row, kind: "peer", ours_ms: 750, peer_ms: 1000, ratio: 0.75, ours_mb: 900, peer_mb: 1000 },
      { ...row, kind: "peer", moments: "bfloat16", ours_ms: 9, peer_ms: 1, ratio: 9, ours_mb: 1, peer_mb: 1 },
      { ...row, kind: "peer-memory", moments: "bfloat16", ours_mb: 450, peer_mb: 1000 },
      { ...row, kind: "peer-memory", moments: "float32", ours_mb: 700, peer_mb: 1000 },
    ].map((one) => ({ ...one, commit: "abc" }));
    expect(peerTable(rows)).toMatchInlineSnapshot(`
      "| step | losses | products | moments | threads | peer | ms | peer's ms | ratio | MB | peer's MB | ratio | device | commit |
      | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
      | smol-s2 | with BASIC | f32 | float32 | 1 | torch 2.15.0 tuned | 750 | 1000 | 0.75 | 900 | 1000 | 0.90 | a CPU | abc |
      | smol-s2 | with BASIC | f32 | bfloat16 | 1 | torch 2.15.0 tuned | 9 | 1 | 9.00 | 1 | 1 | 1.00 | a CPU | abc |
      | smol-s2 | with BASIC | f32 | bfloat16 | 1 | torch 2.15.0 tuned | – | – | – | 450 | 1000 | 0.45 | a CPU | abc |
      | smol-s2 | with BASIC | f32 | float32 | 1 | torch 2.15.0 tuned | – | – | – | 700 | 1000 | 0.70 | a CPU | abc |"
    `);
    const targets = stepTargets(rows);
    expect(targets).toContain("| time in f32 / tuned PyTorch in f32, 1 thread | ≤ 0.85 | – | – | – | 0.75 |");
    expect(targets).toContain("| peak memory / tuned PyTorch | ≤ 0.75 | – | – | – | 0.70 |");
    expect(targets).toContain(
      "| peak memory with bfloat16 moments / tuned PyTorch | ≤ 0.50 | – | – | – | 0.45 |",
    );
    expect(peerChart(rows)).toContain("smol-s2, with BASIC, f32, bfloat16 moments, 1 thr.");
  });

  it("show kernels beside libraries", () => {
    const product = (name, times) => ({
      ...summary(`gemm/${name}/f32`, times, 2e6),
      threads: 1,
      device: "a CPU",
      commit: "abc",
    });
    const rows = [
      product("1x2x3/NN", { ours: [2, 9, 1], mkl: [4, 4, 4], openblas: [1, 1, 8] }),
      product("4x5x6/NN", { ours: [1, 1, 1], mkl: [2, 2, 2], openblas: [4, 4, 4] }),
    ];
    expect(rows[0]).toMatchObject({ ours_ms: 2, peer: "openblas", ratio: 2, ours_gflops: 1 });
    expect(kernelPeerTable(rows)).toMatchInlineSnapshot(`
      "| kernel | threads | ms | GFLOP/s | libraries' ms | ratio to the fastest | device | commit |
      | --- | --- | --- | --- | --- | --- | --- | --- |
      | gemm/1x2x3/NN/f32 | 1 | 2.00 | 1 | mkl 4.00, openblas 1.00 | 2.00 | a CPU | abc |
      | gemm/4x5x6/NN/f32 | 1 | 1.00 | 2 | mkl 2.00, openblas 4.00 | 0.50 | a CPU | abc |"
    `);
    expect(kernelTargets(rows)).toMatchInlineSnapshot(`
      "| time of one thread | to reach | shapes | median | worst |
      | --- | --- | --- | --- | --- |
      | products in f32 / OpenBLAS | ≤ 1.05 | 2 | 0.25 | 2.00 |
      | products in f32 / MKL | – | 2 | 0.50 | 0.50 |
      | products in bf16 / oneDNN on bf16 arrays | ≤ 1.05 | – | – | – |
      | products in bf16 / oneDNN from and to f32, as here | – | – | – | – |
      | attention, forward and backward / SDPA | ≤ 0.80 | – | – | – |
      | products in f32 / onnxruntime-node | – | – | – | – |
      | products in f32 / tfjs wasm | – | – | – | – |
      | products in f32 / tfjs cpu | – | – | – | – |
      | products in WebAssembly, NN / tfjs wasm, which has packed the weights | ≤ 1.00 | – | – | – |
      | products in WebAssembly, NN, new weights / tfjs wasm | ≤ 1.00 | – | – | – |
      | products in WebAssembly, NT and TN / tfjs wasm | ≤ 0.20 | – | – | – |"
    `);
  });

  it("show products beside other JavaScript engines", () => {
    const rows = ["NN", "TN"].flatMap((operands) =>
      engineRows(
        { name: `gemm/64x128x128/${operands}/f32`, kernel: "product", sizes: [64, 128, 128] },
        {
          native: [1],
          wasm: [10],
          "wasm, new weights": [11],
          onnxruntime: [2],
          "tfjs wasm": operands === "NN" ? [8] : [80],
          "tfjs wasm, new weights": [22],
          "tfjs cpu": [100],
        },
      ).map((row) => ({ ...row, threads: 1, device: "a CPU", commit: "abc" })),
    );
    expect(javascriptTable(rows).split("\n").slice(0, 5).join("\n")).toMatchInlineSnapshot(`
      "| kernel | engine | threads | ms | GFLOP/s | libraries' ms | ratio to the fastest | device | commit |
      | --- | --- | --- | --- | --- | --- | --- | --- | --- |
      | gemm/64x128x128/NN/f32 | native | 1 | 1.00 | 2 | onnxruntime 2.00, tfjs wasm 8.00, tfjs cpu 100 | 0.50 | a CPU | abc |
      | gemm/64x128x128/NN/f32 | wasm | 1 | 10.0 | 0 | tfjs wasm 8.00, tfjs cpu 100 | 1.25 | a CPU | abc |
      | gemm/64x128x128/NN/f32 | wasm, new weights | 1 | 11.0 | 0 | tfjs wasm, new weights 22.0 | 0.50 | a CPU | abc |"
    `);
    expect(kernelTargets(rows).split("\n").slice(7).join("\n")).toMatchInlineSnapshot(`
      "| products in f32 / onnxruntime-node | – | 2 | 0.50 | 0.50 |
      | products in f32 / tfjs wasm | – | 2 | 0.01 | 0.13 |
      | products in f32 / tfjs cpu | – | 2 | 0.01 | 0.01 |
      | products in WebAssembly, NN / tfjs wasm, which has packed the weights | ≤ 1.00 | 1 | 1.25 | 1.25 |
      | products in WebAssembly, NN, new weights / tfjs wasm | ≤ 1.00 | 1 | 0.50 | 0.50 |
      | products in WebAssembly, NT and TN / tfjs wasm | ≤ 0.20 | 1 | 0.13 | 0.13 |"
    `);
  });

  it("show how cost grows with rows and vocabulary", () => {
    const row = { kind: "timing", mode: "forward", threads: 1, device: "a CPU" };
    const rows = [2000, 32_000, 128_000].flatMap((words) =>
      [128, 512, 2048].map((count) => ({
        ...row,
        case: `linear-kl/V=${words}/R=${count}`,
        ours_ms: 1 + (words * count) / 1e5,
        ours_mb: count / 100 + 0.5,
        results_mb: count / 200,
      })),
    );
    const attention = [128, 512, 2048].map((count) => ({
      ...row,
      case: `attention/R=${count}`,
      ours_ms: count ** 2 / 1e4,
      ours_mb: 2,
      results_mb: 1,
    }));
    const step = { ...row, case: "quickstart/align", mode: "train", ours_ms: 3, ours_mb: null };
    const older = { ...rows[0], ours_ms: 99 };
    expect(growthTables([older, ...rows, ...attention, step])).toMatchInlineSnapshot(`
      "a CPU, 1 thread

      | kernel | vocabulary | ms at rows 128 | rows × 4 | rows × 16 | time per row, 2048 / 512 | own MB at rows 128, 512, 2048 |
      | --- | --- | --- | --- | --- | --- | --- |
      | linear-kl | 2000 | 3.6 | × 3.2 | × 12 | 0.93 | 1.1, 3.1, 10.7 |
      | linear-kl | 32000 | 42.0 | × 3.9 | × 16 | 1.00 | 1.1, 3.1, 10.7 |
      | linear-kl | 128000 | 164.8 | × 4 | × 16 | 1.00 | 1.1, 3.1, 10.7 |
      | attention (per pair of rows) | – | 1.6 | × 16 | × 256 | 1.00 | 1.0, 1.0, 1.0 |

      | kernel | rows | ms at vocabulary 2000 | vocabulary × 16 | vocabulary × 64 | time per word, 128000 / 32000 | own MB at vocabulary 2000, 32000, 128000 |
      | --- | --- | --- | --- | --- | --- | --- |
      | linear-kl | 128 | 3.6 | × 12 | × 46 | 0.98 | 1.1, 1.1, 1.1 |
      | linear-kl | 512 | 11.2 | × 15 | × 58 | 1.00 | 3.1, 3.1, 3.1 |
      | linear-kl | 2048 | 42.0 | × 16 | × 62 | 1.00 | 10.7, 10.7, 10.7 |"
    `);
    expect(growthTables([...attention.slice(0, 2), ...rows.slice(0, 2)])).toBe("not measured yet");
    expect(growthTables([...attention, rows[1]])).toContain(
      "| linear-kl | 2000 | – | – | – | – | –, 3.1, – |",
    );
  });
});
