import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import "@tensorflow/tfjs-backend-cpu";
import { BasicError, packers, unpack } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import {
  type GgufTensor,
  type GgufValue,
  llamaFields,
  llamaTensors,
  writeGguf,
} from "../../test/gguf-writer.js";
import { type GgufOptions, loadGguf } from "./load.js";

let folder: string;

beforeAll(async () => {
  await tf.setBackend("cpu");
  folder = mkdtempSync(join(tmpdir(), "gguf-"));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function put(fields: Readonly<Record<string, GgufValue>>, tensors: readonly GgufTensor[]): string {
  const path = join(folder, "model.gguf");
  writeFileSync(path, writeGguf({ fields, tensors }));
  return path;
}

/** What loading throws, without the folder. */
async function messageOf(
  fields: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensor[] = llamaTensors,
): Promise<string> {
  try {
    await loadGguf(put(fields, tensors));
  } catch (error) {
    if (error instanceof BasicError) return error.message.replaceAll(`${folder}/`, "");
    throw error;
  }
  throw new Error("nothing was thrown");
}

const without = (name: string): Readonly<Record<string, GgufValue>> =>
  Object.fromEntries(Object.entries(llamaFields).filter(([key]) => key !== name));

describe("loadGguf", () => {
  it.each([
    ["Q8_0", "q8_0"],
    ["F16", "f16"],
  ] as const)("keeps a table in %s as it is stored where that is asked for", async (type, own) => {
    const packed = llamaTensors.map((tensor) =>
      tensor.name === "token_embd.weight" ? { ...tensor, type } : tensor,
    );
    const path = put(llamaFields, packed);
    const storages = async (options: GgufOptions) => {
      const { language } = await loadGguf(path, options);
      const names = ["model.embed_tokens.weight", "model.layers.0.mlp.up_proj.weight"];
      const found = names.map((name) => language.parameters.get(name).storage);
      language.parameters.dispose();
      return found;
    };
    expect(await storages({ storage: "file", table: "file" })).toEqual([own, "q4_1"]);
    expect(await storages({ table: "file" })).toEqual([own, "f32"]);
    expect(await storages({ storage: "file" })).toEqual(["f32", "q4_1"]);
  });

  /** The model with a projection of its own values. */
  function withUp(values: Float32Array): string {
    const bytes = new Uint8Array(values.buffer);
    return put(
      llamaFields,
      llamaTensors.map((tensor) =>
        tensor.name === "blk.0.ffn_up.weight" ? { ...tensor, type: "F32" as const, bytes } : tensor,
      ),
    );
  }
  const sines = Float32Array.from({ length: 32 * 32 }, (_, i) => Math.sin(i));

  it.each(["bf16", "f16"] as const)("rounds the matrices of the blocks to %s", async (storage) => {
    const { language } = await loadGguf(withUp(sines), { storage });
    const up = language.parameters.get("model.layers.0.mlp.up_proj.weight");
    expect(up.storage).toBe(storage);
    expect(await up.floats()).toEqual(unpack(storage, packers[storage](sines), sines.length));
    language.parameters.dispose();
  });

  it("names the tensor that half precision cannot hold", async () => {
    const path = withUp(sines.with(7, 1e5));
    const error = await loadGguf(path, { storage: "f16" }).catch((caught: Error) => caught);
    expect(String(error).replaceAll(`${folder}/`, "")).toMatchInlineSnapshot(
      `"BasicError: model.gguf: tensor "blk.0.ffn_up.weight" holds values beyond 65504, the largest number of half precision (f16). Choose another \`storage\`: bf16, file or f32. [E_CONFIG]"`,
    );
  });

  it("reads the sizes and the tokenizer of a model", async () => {
    const { language, tokenizer } = await loadGguf(put(llamaFields, llamaTensors));
    expect(language.config).toMatchObject({
      width: 32,
      depth: 1,
      heads: 2,
      keyValueHeads: 1,
      tiedHead: true,
    });
    expect(tokenizer?.config.bos_token).toBe("<s>");
    expect(tokenizer?.tokenizer["model"]).toMatchObject({ merges: [["a", "b"]] });
    language.parameters.dispose();
  });

  it.each([
    ["of another architecture", { ...llamaFields, "general.architecture": "mamba" }],
    ["of no architecture", without("general.architecture")],
    ["with a field that may change the maths", { ...llamaFields, "llama.surprise": 7 }],
    ["without its number of blocks", without("llama.block_count")],
    ["with more blocks than tensors", { ...llamaFields, "llama.block_count": 4_000_000_000 }],
    ["with no block", { ...llamaFields, "llama.block_count": 0 }],
    ["with half a block", { ...llamaFields, "llama.block_count": 1.5 }],
    ["with a text for a number", { ...llamaFields, "llama.context_length": "long" }],
    ["with another width than its table", { ...llamaFields, "llama.embedding_length": 64 }],
    ["with no heads", { ...llamaFields, "llama.attention.head_count": 0 }],
    ["with experts", { ...llamaFields, "llama.expert_count": 8 }],
    ["with YaRN", { ...llamaFields, "llama.rope.scaling.type": "yarn" }],
    ["with part of a head turned", { ...llamaFields, "llama.rope.dimension_count": 8 }],
    ["with another tokenizer", { ...llamaFields, "tokenizer.ggml.model": "t5" }],
    ["with scores for other tokens", { ...llamaFields, "tokenizer.ggml.scores": [1.5] }],
    ["with a first token that is not there", { ...llamaFields, "tokenizer.ggml.bos_token_id": 9 }],
    [
      "with another pre-tokenizer",
      {
        ...llamaFields,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "tekken",
        "tokenizer.ggml.merges": ["a b"],
      },
    ],
  ])("refuses a model %s", async (_, fields) => {
    expect(await messageOf(fields)).toMatchSnapshot();
  });

  it("names a tensor that is missing", async () => {
    const tensors = llamaTensors.filter(({ name }) => name !== "blk.0.attn_v.weight");
    expect(await messageOf(llamaFields, tensors)).toMatchInlineSnapshot(
      `"model.gguf holds no tensor "blk.0.attn_v.weight". [E_WEIGHTS_MISSING]"`,
    );
  });

  it("names a tensor of another shape", async () => {
    const tensors = llamaTensors.map((tensor) =>
      tensor.name === "blk.0.ffn_up.weight" ? { ...tensor, shape: [64, 32] } : tensor,
    );
    expect(await messageOf(llamaFields, tensors)).toMatchInlineSnapshot(
      `"model.gguf: tensor "blk.0.ffn_up.weight" has shape [64, 32], but the fields \`llama.*\` ask for [32, 32]. Make the file again. [E_WEIGHTS_FORMAT]"`,
    );
  });

  it("names tensors that the model has no place for", async () => {
    const extra = { name: "blk.1.attn_q.weight", type: "F32", shape: [1] } as const;
    expect(await messageOf(llamaFields, [...llamaTensors, extra])).toMatchInlineSnapshot(
      `"model.gguf holds 1 tensors that a llama model does not have: blk.1.attn_q.weight. Models with them are not supported. [E_WEIGHTS_FORMAT]"`,
    );
  });

  it("names lists of rotary factors that a llama would not follow", async () => {
    const lists = ["long", "short"].map((name) => {
      return { name: `rope_factors_${name}.weight`, type: "F32", shape: [4] } as const;
    });
    expect(await messageOf(llamaFields, [...llamaTensors, ...lists])).toContain(
      "holds 2 tensors that a llama model does not have: rope_factors_long.weight, rope_factors_short.weight.",
    );
  });
});
