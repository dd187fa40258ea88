import { mkdtemp, open, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDecoder, parameterShapes, startBackend } from "@basic-mllm/core";
import { parseHuggingFaceConfig } from "@basic-mllm/weights";
import { afterAll, beforeAll, expect, it } from "vitest";

import { VISION, writeMiniTask } from "./mini.js";
import { cli } from "./run-cli.js";

/** Vicuna-7B. */
const CONFIG = {
  model_type: "llama",
  hidden_size: 4096,
  intermediate_size: 11_008,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 32,
  vocab_size: 32_000,
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "basic-mllm-imagined-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** A model of 13 GB, as a file of zeros that takes no room on the disk. */
async function writeHollowModel(): Promise<void> {
  const parsed = parseHuggingFaceConfig(CONFIG, "config");
  if (parsed.kind !== "language") throw new Error("The config is not that of a language model.");
  const header: Record<string, unknown> = {};
  let end = 0;
  parameterShapes(
    (values) => createDecoder(parsed.config, { values }),
    (name, shape) => {
      const start = end;
      end += 2 * shape.reduce((product, size) => product * size, 1);
      header[name] = { dtype: "BF16", shape, data_offsets: [start, end] };
    },
  );
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const file = await open(join(folder, "model.safetensors"), "w");
  await file.write(Buffer.concat([length, text]));
  await file.truncate(8 + text.length + end);
  await file.close();
  await writeFile(join(folder, "config.json"), JSON.stringify(CONFIG));
}

async function dry(recipe: string, memory: string): Promise<readonly [code: number, text: string]> {
  const cache = process.env["BASIC_MLLM_CACHE"];
  process.env["BASIC_MLLM_CACHE"] = join(folder, "cache");
  const argv = [
    "train",
    recipe,
    "--backend",
    "cuda",
    "--dry",
    "--device-memory",
    memory,
    "--out",
    "never-made",
  ];
  const { code, out } = await cli(argv);
  if (cache === undefined) delete process.env["BASIC_MLLM_CACHE"];
  else process.env["BASIC_MLLM_CACHE"] = cache;
  return [code, out];
}

it("whether 7B fits a GPU that is not here is said without a driver, weights or features", async () => {
  // Shapes are asked for on some backend; a process has one.
  await startBackend("cuda", { imagine: 80e9 });
  await writeHollowModel();
  const stage = { batchSize: 3, learningRate: 1e-3, logEvery: 1 };
  const recipe = await writeMiniTask(folder, {
    model: {
      vision: { name: "siglip", options: { config: VISION } },
      visionLayer: -1,
      projector: { name: "mlp2x_gelu" },
      language: { name: folder, options: { storage: "bf16" } },
      tokenizer: join(folder, "tokenizer"),
      lora: { rank: 8, alpha: 16 },
    },
    stages: {
      align: { ...stage, train: ["projector"], steps: 2 },
      finetune: { ...stage, template: "chat", train: ["projector", "lora"], steps: 2 },
    },
  });
  const [code, text] = await dry(recipe, "80GB");
  expect(text).toContain("an imagined GPU with 74.5 GiB: no device was looked at, and nothing is computed");
  const [, peak = ""] =
    /fits: ([\d.]+) GB of 80(?:\.0)? GB of device memory, in stage "finetune"/.exec(text) ?? [];
  expect(code).toBe(0);
  // 13.5 GB of weights, of which the tables are float32, adapters with gradients and moments, and activations of a few rows.
  expect(Number(peak)).toBeGreaterThan(14);
  expect(Number(peak)).toBeLessThan(18);
  expect(await readdir(join(folder, "cache")).catch(() => [])).toEqual([]);

  const [refused, why] = await dry(recipe, "12GB");
  expect(refused).toBe(1);
  expect(why).toMatch(
    /Stage "finetune" would take [\d.]+ GB of device memory, and there are 12(\.0)? GB\..*\[E_MEMORY_LIMIT\]/s,
  );
}, 240_000);
