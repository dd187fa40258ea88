import { join } from "node:path";

import {
  type Decoder,
  languageLoss,
  type ParameterSet,
  supervisedTokens,
  type Vit,
  valueAndGradients,
} from "@basic-mllm/core";
import { generate } from "@basic-mllm/evaluate";
import { loadHuggingFace } from "@basic-mllm/weights";
import * as tf from "@tensorflow/tfjs-core";

import type { GoldenCase } from "./golden-case.js";
import { channelsLast, packPadded, unpackRows } from "./padded.js";
import { type Check, caseCheck, readIndex } from "./runner.js";

/** Our attention never forms a T × T matrix; what it gives to losses is checked in ops and llava. */
const NO_MATRICES = /^out\.attentions\./;

/** Checkpoints in Hugging Face layout: hidden states, logits, gradients of every parameter, greedy tokens. */
export function modelFamily(folder: string): readonly Check[] {
  return readIndex(folder).map((record) =>
    caseCheck(folder, record, async (golden) => {
      golden.notChecked(NO_MATRICES);
      const model = await loadHuggingFace(join(folder, String(record["folder"])));
      if (record["kind"] === "llm" && model.kind === "language") return checkLanguage(golden, model.language);
      if (record["kind"] === "vision" && model.kind === "vision") return checkVision(golden, model.vision);
      throw new Error(`kind "${String(record["kind"])}" does not fit a ${model.kind} model`);
    }),
  );
}

async function checkLanguage(golden: GoldenCase, language: Decoder): Promise<void> {
  golden.allowFields("lengths", "greedy", "dtype");
  const [samples, length] = golden.shape("in.input_ids") as [number, number];
  const { packed, paddedRows } = packPadded(
    {
      ids: golden.integers("in.input_ids"),
      mask: golden.integers("in.attention_mask"),
      labels: golden.integers("in.labels"),
      samples,
      length,
    },
    null,
  );
  const input = { packed, visual: null };
  const compare = async (name: string, tensor: tf.Tensor): Promise<void> => {
    const size = golden.shape(name).reduce((product, dimension) => product * dimension, 1);
    golden.compare(name, unpackRows(await tensor.data(), paddedRows, size));
  };
  const states = language.hiddenStates(input);
  for (const [i, state] of states.entries()) await compare(`out.hidden_states.${i}`, state);
  await compare("out.logits", language.logits(language.forward(input).hidden));
  const tokens = supervisedTokens(packed);
  const loss = (): tf.Scalar =>
    tf.div(languageLoss(language.forward(input).hidden, language.head, packed), tokens);
  await golden.compareTensor("out.loss", loss());
  await checkGradients(golden, { parameters: language.parameters, loss });
  await checkGreedy(golden, language);
}

interface GreedyOptions {
  readonly prompt_tokens: number;
  readonly new_tokens: number;
  /** Of the oracle: how near the second token came. */
  readonly smallest_top1_margin?: number;
}

async function checkGreedy(golden: GoldenCase, language: Decoder): Promise<void> {
  const { prompt_tokens, new_tokens } = golden.options<GreedyOptions>("greedy", [
    "prompt_tokens",
    "new_tokens",
    "smallest_top1_margin",
  ]);
  const ids = golden.integers("in.input_ids").slice(0, prompt_tokens);
  const { packed } = packPadded(
    { ids, mask: ids.map(() => 1), labels: null, samples: 1, length: prompt_tokens },
    null,
  );
  const tokens = await generate(
    language,
    { packed, visual: null },
    { maxTokens: new_tokens, endOfSequence: null },
  );
  const expected = golden.integers("out.greedy");
  // Some cases store the prompt as well.
  golden.compareExactly("out.greedy", expected.length > new_tokens ? [...ids, ...tokens] : tokens);
}

async function checkVision(golden: GoldenCase, vision: Vit): Promise<void> {
  golden.allowFields("interpolate_pos_encoding");
  const { pixels, shape } = channelsLast(golden.floats("in.pixel_values"), golden.shape("in.pixel_values"));
  const input = tf.tensor4d(pixels, [...shape]);
  const states = vision.hiddenStates(input);
  for (const [i, state] of states.entries()) await golden.compareTensor(`out.hidden_states.${i}`, state);
  await checkLast(golden, vision, { last: states.at(-1) as tf.Tensor2D, images: shape[0] });
  const features = (): tf.Tensor2D => vision.encode(input).rows;
  await golden.compareTensor("out.features", features());
  const cotangent = tf.reshape(golden.tensor("ct.features"), features().shape);
  const loss = (): tf.Scalar => tf.sum(tf.mul(features(), cotangent)) as tf.Scalar;
  if (golden.has("grad.pixel_values")) {
    const { gradients } = valueAndGradients(loss, [input]);
    const [gradient] = gradients as [tf.Tensor];
    await golden.compareTensor("grad.pixel_values", tf.transpose(gradient, [0, 3, 1, 2]));
  }
  await checkGradients(golden, { parameters: vision.parameters, loss });
}

/** The last hidden state, which CLIP gives before its final norm, and what is made of the class token. */
async function checkLast(
  golden: GoldenCase,
  vision: Vit,
  { last, images }: { readonly last: tf.Tensor2D; readonly images: number },
): Promise<void> {
  const normed = vision.finalNorm(last);
  const isClip = vision.config.classToken && vision.config.names === "clip";
  await golden.compareTensor("out.last_hidden_state", isClip ? last : normed);
  if (vision.config.classToken) {
    const rows = tf.reshape(normed, [images, last.shape[0] / images, vision.width]);
    await golden.compareTensor("out.pooler_output", tf.slice(rows, [0, 0, 0], [images, 1, vision.width]));
  } else {
    // SigLIP's attention pooling is a head for classification; LLaVA reads the rows.
    golden.notChecked(/^out\.pooler_output$/);
  }
}

/** Rows of a fused matrix are those of its parts, one after the other. */
const FUSED: Readonly<Record<string, readonly string[]>> = {
  "self_attn.qkv_proj": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
  "mlp.gate_up_proj": ["mlp.gate_proj", "mlp.up_proj"],
};

async function checkGradients(
  golden: GoldenCase,
  { parameters, loss }: { readonly parameters: ParameterSet; readonly loss: () => tf.Scalar },
): Promise<void> {
  const wanted = golden.tensorNames.filter(
    (name) => name.startsWith("grad.") && name !== "grad.pixel_values",
  );
  for (const tensor of wanted) {
    const parts = partsOf(tensor.slice("grad.".length)).map((name) => find(parameters, name));
    const { gradients } = valueAndGradients(loss, parts);
    await golden.compareTensor(tensor, tf.concat([...gradients]));
  }
}

function partsOf(name: string): readonly string[] {
  const fused = Object.keys(FUSED).find((candidate) => name.includes(candidate));
  return fused === undefined
    ? [name]
    : (FUSED[fused] as readonly string[]).map((part) => name.replace(fused, part));
}

/** Checkpoints of transformers 5 leave out `vision_model.`. */
function find(parameters: ParameterSet, name: string): tf.Tensor {
  return parameters.get(parameters.has(name) ? name : `vision_model.${name}`).value;
}
