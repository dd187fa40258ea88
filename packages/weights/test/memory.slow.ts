// A checkpoint of several GB is written and loaded within the memory that the docs promise.
import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { afterAll, beforeAll, expect, it } from "vitest";

import { bundleChild } from "./killed-run.js";

/** Bytes that a process may take beside tensors: code, buffers of pieces, what the garbage collector has not freed yet. */
const SLACK = 128 * 2 ** 20;

/** What a process says when it is done, in bytes. */
interface Figures {
  readonly before: number;
  readonly peak: number;
  readonly largest: number;
  readonly values: number;
  readonly model?: number;
  readonly files?: number;
  readonly seconds: number;
}

let scratch: string;
let folder: string;
let child: string;
let written: Figures;

async function run(task: string): Promise<Figures> {
  const { stdout } = await promisify(execFile)(process.execPath, [child, folder, task]);
  process.stdout.write(`memory ${task} ${stdout}`);
  return JSON.parse(stdout) as Figures;
}

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "memory-"));
  folder = join(scratch, "model");
  child = await bundleChild(scratch, "memory-child");
  written = await run("write");
});

afterAll(() => rm(scratch, { recursive: true, force: true }));

it("writes with no more than one tensor in memory", async () => {
  const shards = (await readdir(folder)).filter((name) => name.endsWith(".safetensors"));
  const sizes = await Promise.all(shards.map(async (name) => (await stat(join(folder, name))).size));
  expect(sizes.reduce((sum, size) => sum + size)).toBeGreaterThan(2e9);
  expect(shards.length).toBe(written.files);
  expect(written.peak - written.before).toBeLessThan(written.largest + SLACK);
});

/** Values of table and head, which are float32 whatever the storage. */
const TABLES = 2 * 32_000 * 2048;
/** More bytes than the norms of all blocks take. */
const NORMS = 2 ** 20;

// Bytes of a matrix's value: a block of 32 has a scale of 2 bytes.
it.each([
  ["file", 2],
  ["bf16", 2],
  ["f16", 2],
  ["q8_0", 34 / 32],
  ["q4_0", 18 / 32],
  ["f32", 4],
])("loads as %s with the memory of the model and one tensor", async (storage, bytesPerValue) => {
  const { model = 0, values, largest, peak, before } = await run(storage);
  expect(values).toBe(written.values);
  expect(model).toBeLessThan(bytesPerValue * (values - TABLES) + 4 * TABLES + NORMS);
  expect(peak - before).toBeLessThan(model + largest + SLACK);
});
