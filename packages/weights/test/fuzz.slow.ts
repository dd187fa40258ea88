// Damaged files of every format end in values or in a BasicError, and touch no other file.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

import "@tensorflow/tfjs-backend-cpu";
import { BasicError } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { openGguf } from "../src/gguf/file.js";
import { loadGguf } from "../src/gguf/load.js";
import { loadHuggingFace } from "../src/hugging-face.js";
import { loadPeft } from "../src/peft.js";
import { Safetensors, type TensorFile } from "../src/safetensors.js";
import { encodeSafetensors } from "../src/safetensors-write.js";
import { readTorchFile } from "../src/torch/torch-file.js";
import { WeightFolder } from "../src/weight-folder.js";
import { llamaFields, llamaTensors, writeGguf } from "./gguf-writer.js";
import { damaged } from "./mutations.js";
import { startWatchdog, type Watchdog } from "./watchdog.js";

const RUNS = 10_000;

const models = new URL("../../../golden/models/", import.meta.url);
const adapter = new URL("../src/__golden__/peft/plain/", import.meta.url);

const touched = vi.hoisted(() => new Set<string>());

vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  const noting =
    <A extends readonly unknown[], R>(call: (...args: A) => R) =>
    (...args: A): R => {
      touched.add(String(args[0]));
      return call(...args);
    };
  return {
    ...fs,
    openSync: noting(fs.openSync),
    statSync: noting(fs.statSync),
    existsSync: noting(fs.existsSync),
    readdirSync: noting(fs.readdirSync),
    readFileSync: noting(fs.readFileSync),
  };
});

const fixture = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(fileURLToPath(new URL(`fixtures/${name}.bin`, import.meta.url))));

const shard = (name: string): Uint8Array =>
  encodeSafetensors([
    { name: `${name}.weight`, shape: [2, 3], values: Float32Array.of(1, 2, 3, 4, 5, 6) },
    { name: `${name}.ids`, shape: [2], values: Int32Array.of(7, 8) },
  ]);

const index = new TextEncoder().encode(
  JSON.stringify({
    metadata: { total_size: 64 },
    weight_map: { "a.weight": "model-1.safetensors", "b.weight": "model-2.safetensors" },
  }),
);

/** Reads every tensor; what the file claims may not exceed what it has. */
function readAll(file: TensorFile, bytes: Uint8Array): void {
  for (const name of file.names) {
    const { dtype } = file.entry(name);
    const isInteger = /^(I|U|BOOL)/.test(dtype);
    expect((isInteger ? file.integers(name) : file.floats(name)).length).toBeLessThanOrEqual(bytes.length);
  }
}

describe("a damaged file", () => {
  let folder: string;
  let watchdog: Watchdog;

  beforeAll(async () => {
    await tf.setBackend("cpu");
    folder = mkdtempSync(join(tmpdir(), "fuzz-"));
    watchdog = startWatchdog({ seconds: 20, megabytes: 1536, input: folder });
  });

  afterAll(async () => {
    await watchdog.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Runs `read` on damaged forms of `whole`. */
  async function check(whole: Uint8Array, read: (bytes: Uint8Array) => unknown): Promise<void> {
    await read(whole);
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(damaged(whole), async (bytes) => {
        touched.clear();
        watchdog.next();
        try {
          await read(bytes);
        } catch (error) {
          if (!(error instanceof BasicError)) throw error;
          refused++;
        }
        const outside = [...touched].filter(
          (path) => !`${resolve(path)}${sep}`.startsWith(`${folder}${sep}`),
        );
        expect(outside).toEqual([]);
      }),
      { numRuns: RUNS, seed: 31 },
    );
    expect(refused).toBeGreaterThan(RUNS / 10);
  }

  function put(name: string, bytes: Uint8Array): string {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    return path;
  }

  it("of safetensors is read or refused", async () => {
    await check(shard("a"), (bytes) => readAll(new Safetensors(bytes), bytes));
  });

  it.each([
    ["an index", index, "model.safetensors.index.json"],
    ["a shard", shard("a"), "model-1.safetensors"],
  ])("that is %s of a folder is read or refused", async (_, whole, name) => {
    put("model.safetensors.index.json", index);
    for (const [i, part] of ["a", "b"].entries()) put(`model-${i + 1}.safetensors`, shard(part));
    await check(whole, (bytes) => {
      put(name, bytes);
      const weights = new WeightFolder(folder);
      try {
        weights.check([{ names: ["a.weight"], shape: [2, 3], fields: [] }], ["a.ids", "b.weight", "b.ids"]);
        weights.floats("a.weight");
      } finally {
        weights.close();
      }
    }).finally(() => put(name, whole));
  });

  it.each(["mm_projector", "layouts"])("of torch.save, %s.bin, is read or refused", async (name) => {
    await check(fixture(name), (bytes) => {
      const file = readTorchFile(put("weights.bin", bytes));
      try {
        readAll(file, bytes);
      } finally {
        file.close();
      }
    });
  });

  it.each(["adapter_config.json", "adapter_model.safetensors"])(
    "of PEFT, %s, is read or refused",
    async (name) => {
      const model = await loadHuggingFace(fileURLToPath(new URL("llama_gqa", models)));
      if (model.kind !== "language") throw new Error("the golden is a language model");
      const whole = new Uint8Array(readFileSync(new URL(name, adapter)));
      for (const other of ["adapter_config.json", "adapter_model.safetensors"]) {
        put(other, new Uint8Array(readFileSync(new URL(other, adapter))));
      }
      await check(whole, (bytes) => {
        put(name, bytes);
        const lora = loadPeft(folder, model.language);
        expect(lora.targets.length).toBeGreaterThan(0);
        lora.detach();
      });
      model.language.parameters.dispose();
    },
  );

  it("of GGUF is read or refused", async () => {
    await check(writeGguf({ fields: llamaFields, tensors: llamaTensors }), async (bytes) => {
      const path = put("model.gguf", bytes);
      const file = await openGguf(path);
      try {
        for (const name of file.names) {
          expect(file.entry(name).end).toBeLessThanOrEqual(bytes.length);
          expect(file.floats(name)).toHaveLength(file.entry(name).size);
        }
      } finally {
        file.close();
      }
      const { language } = await loadGguf(path);
      language.parameters.dispose();
    });
  });
});
