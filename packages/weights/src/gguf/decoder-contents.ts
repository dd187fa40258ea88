import type { Decoder, Lora, Parameter } from "@basic-mllm/core";

import { fuseProducts } from "../hf-fused.js";
import { exportedValues } from "../hugging-face.js";
import type { LazyTensor } from "../safetensors-write.js";
import { architectureOf, checkExpressible, decoderFields, rotaryFactors } from "./decoder-fields.js";
import { type GgufFieldValues, string, uint32 } from "./field-values.js";
import { ggufName } from "./names.js";
import { rotaryRows } from "./rows.js";
import type { GgufContents, GgufTensor, WrittenType } from "./write.js";

/** Options of {@link decoderContents}. */
export interface DecoderContentsOptions {
  /** How matrices are stored; vectors are F32. */
  readonly type: WrittenType;
  /** `general.name`. */
  readonly name: string;
  /** Fields of the tokenizer, see {@link tokenizerFields}. llama.cpp reads no model without them. */
  readonly tokenizer: GgufFieldValues;
  /** Adapters: their updates are added to what is written, the model stays as it is. */
  readonly lora?: Lora;
}

/** llama.cpp's numbers of "mostly" types. */
const fileTypes: Readonly<Record<WrittenType, number>> = { F32: 0, F16: 1, Q8_0: 7, BF16: 32 };

/** The fields that say what a file is and how it is stored. */
export function generalFields(
  architecture: string,
  { kind, name, type }: { readonly kind: string; readonly name: string; readonly type: WrittenType },
): GgufFieldValues {
  return {
    "general.architecture": string(architecture),
    "general.type": string(kind),
    "general.name": string(name),
    "general.file_type": uint32(fileTypes[type]),
    "general.quantization_version": uint32(2),
  };
}

/**
 * A language model as llama.cpp reads it: architectures llama (Mistral, SmolLM2 and Vicuna too), qwen2, qwen3, gemma,
 * gemma2 and phi3.
 *
 * @throws `BasicError` `E_CONFIG` for a model whose maths none of these has, naming the field.
 */
export function decoderContents(
  { config, parameters }: Pick<Decoder, "config" | "parameters">,
  { type, name, tokenizer, lora }: DecoderContentsOptions,
): GgufContents {
  const architecture = architectureOf(config);
  const own = [...parameters].map((parameter): LazyTensor => {
    const { name, shape } = parameter;
    return { name, shape, values: async () => inFileOrder(parameter, await exportedValues(parameter, lora)) };
  });
  /** The converter stores Gemma's 1 + weight, and llama's query and key rows in llama.cpp's order. */
  function inFileOrder({ name: parameter, shape }: Parameter, values: Float32Array): Float32Array {
    if (config.normAddOne && parameter.endsWith("norm.weight")) return values.map((value) => value + 1);
    if (architecture !== "llama" || !/\.self_attn\.[qk]_proj\./.test(parameter)) return values;
    return turnRows(values, rotaryRows(shape[0] as number, config.headWidth));
  }
  const stored = config.fusedProducts ? fuseProducts(own) : own;
  const weights = stored.map(({ name: parameter, shape, values }): GgufTensor => {
    return { name: ggufName(parameter, architecture), shape, type: shape.length > 1 ? type : "F32", values };
  });
  const tensors = [...weights, ...rotaryFactors(config)];
  const fields = {
    ...generalFields(architecture, { kind: "model", name, type }),
    ...decoderFields(config),
    ...tokenizer,
  };
  checkExpressible(config, tensors);
  return { fields, tensors };
}

/** Row `order[i]` of the result is row i of the values. */
function turnRows(values: Float32Array, order: Int32Array): Float32Array {
  const width = values.length / order.length;
  const out = new Float32Array(values.length);
  for (const [row, to] of order.entries()) {
    out.set(values.subarray(row * width, (row + 1) * width), to * width);
  }
  return out;
}
