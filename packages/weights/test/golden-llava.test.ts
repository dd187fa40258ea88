import "@tensorflow/tfjs-backend-cpu";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type ImageSpan, type PackedRows, setFallback } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import {
  type LlavaModel,
  loadHuggingFace,
  loadLlava,
  openSafetensors,
  type Safetensors,
  saveHuggingFace,
} from "../src/index.js";
import { Comparison, casesOf, golden, openCase } from "./golden.js";

const folders = ["checkpoint", "checkpoint_v5", "checkpoint_memory_names"];

let scratch: string;

beforeAll(async () => {
  await tf.setBackend("cpu");
  setFallback("reference");
  scratch = await mkdtemp(join(tmpdir(), "basic-mllm-"));
});

afterAll(async () => {
  await rm(scratch, { recursive: true });
});

/** The valid rows of a right-padded batch with expanded image tokens. */
function pack(
  data: Safetensors,
  model: LlavaModel,
  imageRows: number,
): { packed: PackedRows; rows: number[] } {
  const [samples = 0, width = 0] = data.entry("in.input_ids").shape;
  const mask = data.integers("in.attention_mask");
  const all = data.integers("in.input_ids");
  const rows = [...mask.keys()].filter((row) => mask[row] === 1);
  const lengths = Array.from(
    { length: samples },
    (_, b) => rows.filter((row) => Math.floor(row / width) === b).length,
  );
  const offsets = Int32Array.from([
    0,
    ...lengths.map((_, b) => lengths.slice(0, b + 1).reduce((a, c) => a + c)),
  ]);
  let visual = 0;
  const images: ImageSpan[] = [];
  const ids = Int32Array.from(rows, (row, r) => {
    if (all[row] !== model.config.imageTokenId) return all[row] as number;
    if (visual % imageRows === 0)
      images.push({ sample: Math.floor(row / width), start: r, length: imageRows });
    return -1 - visual++;
  });
  const packed = {
    ids,
    offsets,
    positions: Int32Array.from(rows, (row) => row % width),
    images,
    countsAsText: ids.map((id) => (id < 0 ? 0 : 1)),
    labels: ids.map(() => -100),
  };
  return { packed, rows };
}

function pixelsOf(data: Safetensors): tf.Tensor4D {
  const shape = data.entry("in.pixel_values").shape as [number, number, number, number];
  return tf.transpose(tf.tensor4d(data.floats("in.pixel_values"), shape), [0, 2, 3, 1]);
}

const cases = casesOf("llava").filter(({ kind }) => kind === "end_to_end");

describe.each(cases.map((testCase) => [testCase.name, testCase] as const))("%s", (_, testCase) => {
  it("has the features, embeddings, logits, refined embeddings and patch weights of the oracle", async () => {
    const options = (testCase as unknown as { options: { k: number | null; scheme: string } }).options;
    const data = openCase(testCase);
    const model = await loadLlava(join(golden, "llava", testCase.folder));
    const comparison = new Comparison(data, testCase.tol);
    const features = model.vision.encode(pixelsOf(data));
    comparison.check("out.features", features.rows);
    const embeddings = model.projector.project(features);
    comparison.check("out.projected", embeddings.rows);
    const imageRows = embeddings.offsets[1] ?? 0;
    const { packed, rows } = pack(data, model, imageRows);
    const { language } = model;
    const result = language.forward(
      { packed, visual: embeddings.rows },
      {
        layerWeights: layerWeights(options.k ?? Math.floor(language.depth / 2), options.scheme),
        patchWeights: true,
        stopGradient: true,
      },
    );
    const wide = rows.flatMap((row) =>
      Array.from({ length: language.vocabularySize }, (_, t) => row * language.vocabularySize + t),
    );
    comparison.check("out.logits", language.logits(result.hidden), wide);
    let start = 0;
    for (let sample = 0; sample + 1 < packed.offsets.length; sample++) {
      const size = packed.images.filter((image) => image.sample === sample).length * imageRows;
      if (size === 0) continue;
      comparison.check(
        `out.sample${sample}.a_raw`,
        tf.slice(result.patchWeights as tf.Tensor1D, start, size),
      );
      comparison.check(
        `out.sample${sample}.vhat`,
        tf.slice(result.refined as tf.Tensor2D, [start, 0], [size, -1]),
      );
      start += size;
    }
    expect(comparison.failures).toEqual([]);
  });
});

/** method.md, 2. */
function layerWeights(k: number, scheme: string): number[] {
  const plain = Array.from({ length: k }, (_, i) => {
    if (scheme === "constant") return 1;
    return (scheme === "increasing" ? i + 1 : k - i) ** 2;
  });
  const sum = plain.reduce((total, weight) => total + weight, 0);
  return plain.map((weight) => weight / sum);
}

describe("loadHuggingFace", () => {
  it("reads the hub's names, transformers 5's and those in memory alike", async () => {
    const values = await Promise.all(
      folders.map(async (folder) => {
        const model = await loadLlava(join(golden, "llava", folder));
        return [model.vision, model.projector, model.language].flatMap(({ parameters }) =>
          [...parameters].map(({ name, value }) => [name, value.dataSync()] as const),
        );
      }),
    );
    expect(values[1]).toEqual(values[0]);
    expect(values[2]).toEqual(values[0]);
  });

  it.each(["checkpoint", "checkpoint_siglip_qwen2"])(
    "reads back what was saved of %s, byte by byte",
    async (name) => {
      const model = await loadLlava(join(golden, "llava", name));
      const [first, second] = [join(scratch, `${name}-1`), join(scratch, `${name}-2`)];
      await saveHuggingFace(first, model);
      const again = await loadHuggingFace(first);
      await saveHuggingFace(second, again);
      for (const file of ["config.json", "model.safetensors"]) {
        expect(await readFile(join(second, file))).toEqual(await readFile(join(first, file)));
      }
      expect((again as LlavaModel).config).toEqual(model.config);
    },
  );

  it.each(["phi3", "dinov2", "dinov2_swiglu", "siglip_v5"])(
    "writes %s as it read it, tensor by tensor",
    async (name) => {
      const [from, to] = [join(golden, "models", name), join(scratch, `model-${name}`)];
      await saveHuggingFace(to, await loadHuggingFace(from));
      const [read, written] = [from, to].map((folder) =>
        openSafetensors(join(folder, "model.safetensors")),
      ) as [Safetensors, Safetensors];
      for (const tensor of written.names) {
        const stored = read.has(tensor) ? tensor : tensor.replace("vision_model.", "");
        expect(written.entry(tensor).shape).toEqual(read.entry(stored).shape);
        expect(written.floats(tensor)).toEqual(read.floats(stored));
      }
      const left = read.names.filter((tensor) => !/mask_token|(^|\.)head\./.test(tensor));
      expect(written.names.length).toBe(left.length);
      read.close();
      written.close();
    },
  );

  it("explains a folder without weights, and weights of another config", async () => {
    const message = async (folder: string) => {
      const error: unknown = await loadHuggingFace(folder).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      return (error as Error).message.replaceAll(golden, "golden").replaceAll(scratch, "scratch");
    };
    expect(await message(join(scratch, "nowhere"))).toMatchInlineSnapshot(
      `"scratch/nowhere/config.json cannot be read. Check the path. [E_WEIGHTS_MISSING]"`,
    );
    expect(await message(join(golden, "images"))).toMatchInlineSnapshot(
      `"golden/images/config.json cannot be read. Check the path. [E_WEIGHTS_MISSING]"`,
    );
  });
});
