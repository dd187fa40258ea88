// A process for the memory test: writes or loads a checkpoint of several GB and says how much memory that took.
import "@tensorflow/tfjs-backend-cpu";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { createDecoder, decoderConfig, parameterShapes } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { writeDecoderConfig } from "../src/hf-config.js";
import { loadHuggingFace } from "../src/hugging-face.js";
import type { LazyTensor } from "../src/safetensors-write.js";
import { writeShards } from "../src/shards.js";
import type { WeightStorage } from "../src/weight-storage.js";

/** 1.2 billion values. */
const config = decoderConfig({
  vocabularySize: 32_000,
  width: 2048,
  depth: 16,
  heads: 32,
  keyValueHeads: 8,
  inner: 8192,
});

/** A figure of this process in bytes, from the system. */
function figure(name: "VmRSS" | "VmHWM"): number {
  const status = readFileSync("/proc/self/status", "utf8");
  const [, kilobytes] = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status) ?? [];
  return 1024 * Number(kilobytes);
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((size, dimension) => size * dimension, 1);

async function write(folder: string): Promise<object> {
  const tensors: LazyTensor[] = [];
  parameterShapes(
    (values) => createDecoder(config, { values }),
    (name, shape) => tensors.push({ name, shape, values: () => noise(sizeOf(shape)) }),
  );
  const files = await writeShards(folder, tensors, { dtype: "BF16", maxShardSize: "500MB" });
  await writeFile(join(folder, "config.json"), JSON.stringify(writeDecoderConfig(config)));
  const sizes = tensors.map(({ shape }) => sizeOf(shape));
  return { files: files.length, values: sizes.reduce((a, b) => a + b), largest: 4 * Math.max(...sizes) };
}

/** Any numbers without a pattern between −0.1 and 0.1. */
function noise(count: number): Float32Array {
  const values = new Float32Array(count);
  let state = count;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    values[i] = state / 2 ** 31 / 10;
  }
  return values;
}

async function load(folder: string, storage: WeightStorage): Promise<object> {
  const model = await loadHuggingFace(folder, { storage });
  if (model.kind !== "language") throw new Error(`a ${model.kind} model`);
  const sizes = [...model.language.parameters].map(({ size }) => size);
  const { bytes, size } = model.language.parameters;
  return { model: bytes, values: size, largest: 4 * Math.max(...sizes) };
}

async function main(folder: string, task: string): Promise<void> {
  await tf.setBackend("cpu");
  const [before, start] = [figure("VmRSS"), performance.now()];
  const result = task === "write" ? await write(folder) : await load(folder, task as WeightStorage);
  const seconds = (performance.now() - start) / 1000;
  process.stdout.write(`${JSON.stringify({ ...result, before, peak: figure("VmHWM"), seconds })}\n`);
}

const [folder, task] = process.argv.slice(2);
main(folder as string, task as string).catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exitCode = 1;
});
