import "@tensorflow/tfjs-backend-cpu";

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { BasicError, halfOfBits, setFallback } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { strings } from "../src/gguf/field-values.js";
import {
  decoderContents,
  loadGguf,
  loadHuggingFace,
  openGguf,
  openSafetensors,
  writeGguf,
} from "../src/index.js";
import { writeGguf as buildGguf, type GgufTensor, type GgufValue } from "./gguf-writer.js";
import { Comparison, type GoldenCase, modelCases, openCase } from "./golden.js";
import { packCase, valuesOf } from "./packed-case.js";

let folder: string;

beforeAll(async () => {
  await tf.setBackend("cpu");
  setFallback("reference");
  folder = mkdtempSync(join(tmpdir(), "gguf-golden-"));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Phi3Config {
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly max_position_embeddings: number;
  readonly num_attention_heads: number;
  readonly num_hidden_layers: number;
  readonly num_key_value_heads: number;
  readonly original_max_position_embeddings: number;
  readonly partial_rotary_factor?: number;
  readonly rms_norm_eps: number;
  readonly vocab_size: number;
  readonly rope_parameters?: {
    readonly partial_rotary_factor: number;
    readonly long_factor: readonly number[];
    readonly short_factor: readonly number[];
  };
}

/** Names that llama.cpp's converter gives Phi 3's tensors; no rows change places. */
function convertedName(name: string): string {
  return name
    .replace(/^model\.embed_tokens/, "token_embd")
    .replace(/^model\.norm/, "output_norm")
    .replace(/^lm_head/, "output")
    .replace(/^model\.layers/, "blk")
    .replace("self_attn.qkv_proj", "attn_qkv")
    .replace("self_attn.o_proj", "attn_output")
    .replace("mlp.gate_up_proj", "ffn_up")
    .replace("mlp.down_proj", "ffn_down")
    .replace("input_layernorm", "attn_norm")
    .replace("post_attention_layernorm", "ffn_norm");
}

/** The fields that llama.cpp's converter writes for Phi 3. */
function convertedFields(config: Phi3Config): Readonly<Record<string, GgufValue>> {
  const rotary = config.rope_parameters;
  const original = config.original_max_position_embeddings;
  const part = rotary?.partial_rotary_factor ?? config.partial_rotary_factor ?? 1;
  const scale = config.max_position_embeddings / original;
  const long = Math.sqrt(1 + Math.log(scale) / Math.log(original));
  return {
    "general.architecture": "phi3",
    "phi3.context_length": config.max_position_embeddings,
    "phi3.rope.scaling.original_context_length": original,
    "phi3.embedding_length": config.hidden_size,
    "phi3.feed_forward_length": config.intermediate_size,
    "phi3.block_count": config.num_hidden_layers,
    "phi3.attention.head_count": config.num_attention_heads,
    "phi3.attention.head_count_kv": config.num_key_value_heads,
    "phi3.attention.layer_norm_rms_epsilon": config.rms_norm_eps,
    "phi3.rope.dimension_count": (part * config.hidden_size) / config.num_attention_heads,
    // The base 10000, as every whole number here, would be an integer; readers take both.
    "phi3.rope.freq_base": 10_000,
    "phi3.attention.sliding_window": 0,
    ...(rotary && { "phi3.rope.scaling.attn_factor": scale > 1 ? long : 1 }),
    "tokenizer.ggml.model": "llama",
    "tokenizer.ggml.tokens": Array.from({ length: config.vocab_size }, (_, i) => `t${i}`),
    "tokenizer.ggml.scores": Array.from({ length: config.vocab_size }, (_, i) => -i - 0.5),
    "tokenizer.ggml.token_type": Array.from({ length: config.vocab_size }, () => 1),
  };
}

const bytesOf = (values: ArrayLike<number>) => new Uint8Array(Float32Array.from(values).buffer);

function factorTensors({ rope_parameters: rotary }: Phi3Config): readonly GgufTensor[] {
  if (rotary === undefined) return [];
  const lists = { rope_factors_long: rotary.long_factor, rope_factors_short: rotary.short_factor };
  return Object.entries(lists).map(([name, list]) => {
    return { name: `${name}.weight`, type: "F32", shape: [list.length], bytes: bytesOf(list) };
  });
}

/** A file as llama.cpp's converter makes it of a checkpoint, in float32. */
function converted(path: string): {
  readonly fields: Readonly<Record<string, GgufValue>>;
  readonly tensors: readonly GgufTensor[];
} {
  const config = JSON.parse(readFileSync(join(path, "config.json"), "utf8")) as Phi3Config;
  const checkpoint = openSafetensors(join(path, "model.safetensors"));
  const weights = checkpoint.names.map((name): GgufTensor => {
    const { shape } = checkpoint.entry(name);
    return { name: convertedName(name), type: "F32", shape, bytes: bytesOf(checkpoint.floats(name)) };
  });
  checkpoint.close();
  return { fields: convertedFields(config), tensors: [...weights, ...factorTensors(config)] };
}

function put(contents: Parameters<typeof buildGguf>[0]): string {
  const path = join(folder, "converted.gguf");
  writeFileSync(path, buildGguf(contents));
  return path;
}

const cases = modelCases("llm").filter(({ name }) => name.startsWith("phi3"));

describe.each(cases.map((one): [string, GoldenCase] => [one.name, one]))("%s as a GGUF file", (_, one) => {
  it("has the logits of transformers", async () => {
    const { language } = await loadGguf(put(converted(one.path)));
    const data = openCase(one);
    const comparison = new Comparison(data, one.tol);
    const { packed, rows } = packCase(data, one.lengths ?? []);
    const logits = language.logits(language.forward({ packed, visual: null }).hidden);
    comparison.check("out.logits", logits, valuesOf(rows, language.vocabularySize));
    expect(comparison.failures).toEqual([]);
    language.parameters.dispose();
    data.close();
  });

  it("is written with the tensors and fields of llama.cpp's converter", async () => {
    const model = await loadHuggingFace(one.path);
    if (model.kind !== "language") throw new Error(`${one.path} is a ${model.kind} model`);
    const path = join(folder, "ours.gguf");
    const tokenizer = { "tokenizer.ggml.tokens": strings(["a"]) };
    await writeGguf(path, decoderContents(model.language, { type: "F32", name: one.name, tokenizer }));
    model.language.parameters.dispose();
    const ours = await openGguf(path);
    const theirs = await openGguf(put(converted(one.path)));
    expect([...ours.names].sort()).toEqual([...theirs.names].sort());
    for (const name of theirs.names) expect(ours.bytes(name), name).toEqual(theirs.bytes(name));
    for (const [name, value] of theirs.metadata) {
      if (!name.startsWith("phi3.") || name === "phi3.rope.scaling.original_context_length") continue;
      expect(ours.metadata.get(name), name).toBeCloseTo(Number(value), 6);
    }
    ours.close();
    theirs.close();
  });
});

describe("a GGUF file of Phi 3", () => {
  const [longrope] = cases.filter(({ name }) => name.includes("longrope"));
  const { fields, tensors } = converted(longrope?.path ?? "");

  it.each([
    ["BF16", "bf16", (word: number) => word >>> 16],
    ["F16", "f16", halfOfBits],
  ] as const)(
    "keeps parts of fused matrices in %s as they are stored, and frozen",
    async (type, storage, halfOf) => {
      const fused = tensors.map((tensor): GgufTensor => {
        const values = new Float32Array(new Uint8Array(tensor.bytes ?? []).buffer);
        const words = Uint16Array.from(new Uint32Array(values.buffer), (word) => halfOf(word));
        const isFused = /attn_qkv|ffn_up/.test(tensor.name);
        return isFused ? { ...tensor, type, bytes: new Uint8Array(words.buffer) } : tensor;
      });
      const { language } = await loadGguf(put({ fields, tensors: fused }), { storage: "file" });
      const whole = await loadGguf(put({ fields, tensors: fused }));
      for (const part of ["self_attn.k_proj", "self_attn.v_proj", "mlp.gate_proj", "mlp.up_proj"]) {
        const name = `model.layers.1.${part}.weight`;
        expect(language.parameters.get(name).storage).toBe(storage);
        expect(await language.parameters.get(name).floats()).toEqual(
          await whole.language.parameters.get(name).floats(),
        );
      }
      language.parameters.dispose();
      whole.language.parameters.dispose();
    },
  );

  async function messageOf(contents: Parameters<typeof buildGguf>[0]): Promise<string> {
    try {
      await loadGguf(put(contents));
    } catch (error) {
      if (error instanceof BasicError) return error.message.replaceAll(`${folder}/`, "");
      throw error;
    }
    throw new Error("nothing was thrown");
  }

  it("names a list of factors that is missing", async () => {
    const one = tensors.filter(({ name }) => name !== "rope_factors_short.weight");
    expect(await messageOf({ fields, tensors: one })).toMatchInlineSnapshot(
      `"converted.gguf holds no tensor "rope_factors_short.weight". [E_WEIGHTS_MISSING]"`,
    );
  });

  it("names a list of factors of another length", async () => {
    const odd = tensors.map((tensor) =>
      tensor.name === "rope_factors_long.weight"
        ? { ...tensor, shape: [3], bytes: bytesOf([1, 2, 3]) }
        : tensor,
    );
    expect(await messageOf({ fields, tensors: odd })).toMatchInlineSnapshot(
      `"converted.gguf: tensor "rope_factors_long.weight" has shape [3], expected [2], one factor per rotary frequency. Make the file again. [E_WEIGHTS_FORMAT]"`,
    );
  });

  it("names a fused matrix of another shape", async () => {
    const odd = tensors.map((tensor) =>
      tensor.name === "blk.1.attn_qkv.weight"
        ? { ...tensor, shape: [8, 16], bytes: bytesOf(new Float32Array(128)) }
        : tensor,
    );
    expect(await messageOf({ fields, tensors: odd })).toMatchInlineSnapshot(
      `"converted.gguf: tensor "blk.1.attn_qkv.weight" has shape [8, 16], but the fields \`phi3.*\` ask for [32, 16]. Make the file again. [E_WEIGHTS_FORMAT]"`,
    );
  });

  it.each([
    ["YaRN", { "phi3.rope.scaling.type": "yarn" }],
    ["more turned than a head has", { "phi3.rope.dimension_count": 10 }],
    ["an odd number turned", { "phi3.rope.dimension_count": 3 }],
    ["no length of the first training", { "phi3.rope.scaling.original_context_length": "long" }],
  ])("is refused with %s", async (_, change) => {
    expect(await messageOf({ fields: { ...fields, ...change }, tensors })).toMatchSnapshot();
  });

  it("is refused with a factor on cosines but no lists", async () => {
    const plain = tensors.filter(({ name }) => !name.startsWith("rope_factors"));
    expect(await messageOf({ fields, tensors: plain })).toMatchInlineSnapshot(
      `"converted.gguf: the field \`phi3.rope.scaling.attn_factor\` (1.3439419269561768) is not known and may change what the model computes. Models with it are not supported. [E_CONFIG]"`,
    );
  });
});
