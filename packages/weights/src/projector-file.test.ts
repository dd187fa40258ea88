import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import "@tensorflow/tfjs-backend-cpu";
import { addImageNewline, type BuiltInProjector, createProjector, createRandom } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { openSafetensors, writeSafetensors } from "./files.js";
import { loadProjector, saveProjector } from "./projector-file.js";

let scratch: string;
let path: string;

beforeAll(async () => {
  await tf.setBackend("cpu");
  scratch = await mkdtemp(join(tmpdir(), "basic-mllm-"));
  path = join(scratch, "mm_projector.safetensors");
});

afterAll(async () => {
  await rm(scratch, { recursive: true });
});

const make = (name: string, seed: number, width = 3) => createProjector(name, { features: 4, width, seed });
const valuesOf = ({ parameters }: BuiltInProjector) =>
  [...parameters].map(({ value }) => Array.from(value.dataSync()));

describe.each([
  ["linear", ["model.mm_projector.weight", "model.mm_projector.bias"]],
  [
    "mlp3x_gelu",
    [0, 2, 4].flatMap((i) => [`model.mm_projector.${i}.weight`, `model.mm_projector.${i}.bias`]),
  ],
])("a file of %s", (kind, names) => {
  it("has LLaVA's names and comes back bit for bit", async () => {
    const [trained, fresh] = [make(kind, 1), make(kind, 2)];
    await saveProjector(path, trained);
    const file = openSafetensors(path);
    expect(file.names).toEqual(names);
    file.close();
    expect(valuesOf(fresh)).not.toEqual(valuesOf(trained));
    loadProjector(path, fresh);
    expect(valuesOf(fresh)).toEqual(valuesOf(trained));
  });
});

describe("image_newline", () => {
  const withNewline = (seed: number) => {
    const projector = make("linear", seed);
    addImageNewline(projector, 3, createRandom(seed));
    return projector;
  };

  it("is saved under LLaVA's name and comes back", async () => {
    const [trained, fresh] = [withNewline(1), withNewline(2)];
    await saveProjector(path, trained);
    const file = openSafetensors(path);
    expect(file.names.at(-1)).toBe("model.image_newline");
    file.close();
    expect(loadProjector(path, fresh)).toEqual([]);
    expect(valuesOf(fresh)).toEqual(valuesOf(trained));
  });

  it("stays as it is where the file has none, and has no place in a projector without", async () => {
    const [first, fresh] = [make("linear", 1), withNewline(2)];
    await saveProjector(path, first);
    const before = valuesOf(fresh).at(-1);
    expect(loadProjector(path, fresh)).toEqual(["image_newline"]);
    expect(valuesOf(fresh)).toEqual([...valuesOf(first), before]);
    await saveProjector(path, fresh);
    expect(() => loadProjector(path, make("linear", 3))).toThrow(
      /holds "model\.image_newline", which the projector has no place for/,
    );
  });
});

describe("a projector with a norm after its products", () => {
  const withNorm = (seed: number, rms: number) =>
    createProjector("linear", { features: 4, width: 3, seed, outputNorm: { rms } });

  it("comes back, and into nothing else", async () => {
    const [trained, fresh] = [withNorm(1, 0.5), withNorm(2, 0.5)];
    await saveProjector(path, trained);
    loadProjector(path, fresh);
    expect(valuesOf(fresh)).toEqual(valuesOf(trained));
    const messages = [make("linear", 3), withNorm(3, 0.25)].map((other) => {
      try {
        loadProjector(path, other);
      } catch (error) {
        return error instanceof Error ? error.message.replaceAll(scratch, "") : "";
      }
      return "nothing was thrown";
    });
    expect(messages).toMatchInlineSnapshot(`
      [
        "/mm_projector.safetensors holds a projector that was trained with \`outputNorm\` {"rms":0.5}, but the one given has "none". Give it the same option. [E_WEIGHTS_FORMAT]",
        "/mm_projector.safetensors holds a projector that was trained with \`outputNorm\` {"rms":0.5}, but the one given has {"rms":0.25}. Give it the same option. [E_WEIGHTS_FORMAT]",
      ]
    `);
  });
});

describe("loadProjector", () => {
  const messageOf = (projector: BuiltInProjector): string => {
    const before = valuesOf(projector);
    try {
      loadProjector(path, projector);
    } catch (error) {
      expect(valuesOf(projector)).toEqual(before);
      return (error as Error).message.replaceAll(scratch, "scratch");
    }
    return "none";
  };

  it("finds a projector inside of a LLaVA of Hugging Face's", async () => {
    const [trained, fresh] = [make("mlp2x_gelu", 1), make("mlp2x_gelu", 2)];
    const tensors = [...trained.parameters].map(({ name, shape, value }) => ({
      name: `multi_modal_projector.${name}`,
      shape,
      values: value.dataSync<"float32">(),
    }));
    const other = { name: "language_model.lm_head.weight", shape: [1], values: new Float32Array(1) };
    await writeSafetensors(path, [...tensors, other]);
    loadProjector(path, fresh);
    expect(valuesOf(fresh)).toEqual(valuesOf(trained));
  });

  it.each([
    [
      "TinyLLaVA's",
      "mlp2x_gelu",
      (name: string) => `_connector.${name.replace("linear_1", "0").replace("linear_2", "2")}`,
    ],
    ["those of a single product", "linear", (name: string) => name.replace("linear_1", "mm_projector")],
  ])("understands %s names", async (_, kind, nameOf) => {
    const [trained, fresh] = [make(kind, 1), make(kind, 2)];
    const tensors = [...trained.parameters].map(({ name, shape, value }) => ({
      name: nameOf(name),
      shape,
      values: value.dataSync<"float32">(),
    }));
    await writeSafetensors(path, tensors);
    loadProjector(path, fresh);
    expect(valuesOf(fresh)).toEqual(valuesOf(trained));
  });

  it("says what does not fit, and changes nothing then", async () => {
    await saveProjector(path, make("mlp2x_gelu", 1));
    expect(messageOf(make("mlp3x_gelu", 2))).toMatchInlineSnapshot(
      `"scratch/mm_projector.safetensors holds no tensor "model.mm_projector.4.weight" (or linear_3.weight, multi_modal_projector.linear_3.weight, model.multi_modal_projector.linear_3.weight, mm_projector.4.weight, ...); it holds model.mm_projector.0.weight, model.mm_projector.0.bias, model.mm_projector.2.weight, model.mm_projector.2.bias. Is it a projector of another kind? [E_WEIGHTS_MISSING]"`,
    );
    expect(messageOf(make("mlp2x_gelu", 2, 5))).toMatchInlineSnapshot(
      `"scratch/mm_projector.safetensors: tensor "model.mm_projector.0.weight" has shape [3, 4], but the projector's is [5, 4]. It was trained for another encoder or language model. [E_WEIGHTS_FORMAT]"`,
    );
    const plain = createProjector("mlp2x_gelu", { features: 4, width: 3, bias: false });
    expect(messageOf(plain)).toMatchInlineSnapshot(
      `"scratch/mm_projector.safetensors holds "model.mm_projector.0.bias", which the projector has no place for. Name the projector that it was trained as, with its options (bias). [E_WEIGHTS_FORMAT]"`,
    );
  });
});

/** Where the first parameter of each kind stands in the originals' checkpoints. */
const originals: Readonly<Record<string, readonly [options: object, prefix: string, first: string]>> = {
  "gelu-mlp": [{}, "", "projector.0.weight"],
  "fused-gelu-mlp": [{}, "", "projector.0.weight"],
  ldp: [{}, "model.mm_projector.", "model.mlp.1.weight"],
  ldpv2: [{ pool: [2, 2] }, "model.mm_projector.", "mlp.mlp.0.weight"],
  "c-abstractor": [{ depth: 1, hidden: 4, positions: [2, 2] }, "abstractor.", "pos_emb"],
  resampler: [{ queries: 2, depth: 1, heads: 1, headWidth: 2 }, "_connector.", "latents"],
  vocabulary: [{ hidden: 5 }, "model.mm_projector.", "0.weight"],
};

describe.each(Object.entries(originals))("a file of %s", (name, [options, prefix, first]) => {
  const vocabulary = () =>
    tf.tensor2d(
      Float32Array.from({ length: 21 }, (_, i) => i),
      [7, 3],
    );
  const make = (seed: number) =>
    createProjector(name, { features: 4, width: 3, seed, vocabulary: vocabulary(), ...options });

  it("comes back bit for bit", async () => {
    const [trained, fresh] = [make(1), make(2)];
    await saveProjector(path, trained);
    loadProjector(path, fresh);
    expect(valuesOf(fresh)).toEqual(valuesOf(trained));
  });

  it("is read as its authors wrote it", async () => {
    const [trained, fresh] = [make(1), make(2)];
    const original = (own: string): string => {
      const [, layer, part] = /^linear_(\d+)\.(.+)$/.exec(own) ?? [];
      return layer === undefined ? own : `projector.${2 * (Number(layer) - 1)}.${part}`;
    };
    const tensors = [...trained.parameters]
      .filter(({ constant }) => !constant)
      .map(({ name: own, shape, value }) => ({
        name: prefix + original(own),
        shape,
        values: value.dataSync<"float32">(),
      }));
    expect(tensors[0]?.name).toBe(prefix + first);
    await writeSafetensors(path, tensors);
    loadProjector(path, fresh);
    expect(valuesOf(fresh)).toEqual(valuesOf(trained));
    const more = { name: `${prefix || "projector."}9.weight`, shape: [1], values: new Float32Array(1) };
    await writeSafetensors(path, [...tensors, more]);
    expect(() => loadProjector(path, fresh)).toThrow(/which the projector has no place for/);
  });
});
