// v1  one dispatch a tensor, in place, one thread for four elements

import { type AdamwAttrs, adamw, type MomentStorage } from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";

import type { WebGpuBackend } from "../../backend.js";
import type { Part } from "../../dispatch.js";
import { defineProgram } from "../../program.js";
import { implementInPlace, spread } from "../implement.js";
import { elementRuns, elementsOf, type Run } from "../parts.js";
import { adamwCode } from "./adamw.wgsl.js";

/** Elements of a workgroup in every storage: a block of int8 moments. */
const PER_GROUP = 256;

/** So many elements end where a binding may start, also those of packed moments: 64 blocks. */
const ALIGNED = 64 * PER_GROUP;

/** Words of moments of `PER_GROUP` elements. */
const WORDS: Readonly<Record<MomentStorage, number>> = { float32: 256, bfloat16: 128, int8: 65 };

/** BasicAdamw: parameters and moments change where they are. */
export function registerAdamw(): void {
  implementInPlace(adamw, ({ backend, inputs, attrs }) =>
    Array.from(attrs.learningRates, (learningRate, i) => {
      const tensor = {
        parameter: inputs[`parameter${i}`] as tf.TensorInfo,
        gradient: inputs[`gradient${i}`] as tf.TensorInfo,
        m: inputs[`m${i}`] as tf.TensorInfo,
        v: inputs[`v${i}`] as tf.TensorInfo,
      };
      const decay = 1 - learningRate * (attrs.weightDecays[i] ?? 0);
      update(backend, tensor, { attrs, control: inputs.control, learningRate, decay });
      return [tensor.parameter, tensor.m, tensor.v];
    }).flat(),
  );
}

type Tensors = Readonly<Record<"parameter" | "gradient" | "m" | "v", tf.TensorInfo>>;

interface Settings {
  readonly attrs: AdamwAttrs;
  readonly control: tf.TensorInfo;
  readonly learningRate: number;
  /** Factor of the parameter. */
  readonly decay: number;
}

function update(
  backend: WebGpuBackend,
  { parameter, gradient, m, v }: Tensors,
  { attrs, control, learningRate, decay }: Settings,
): void {
  const { beta1, beta2, epsilon, step, moments } = attrs;
  for (const run of elementRuns(backend, parameter, ALIGNED)) {
    backend.dispatch(programOf(moments), {
      reads: { gradient: elementsOf(gradient, run), control },
      writes: {
        parameter: elementsOf(parameter, run),
        m: wordsOf(m, run, moments),
        v: wordsOf(v, run, moments),
      },
      uniforms: {
        count: run.count,
        first: run.first,
        step,
        learning_rate: learningRate,
        decay,
        epsilon,
        beta1,
        beta2,
        one_minus_beta1: 1 - beta1,
        one_minus_beta2: 1 - beta2,
        correction1: 1 - beta1 ** step,
        correction2: 1 - beta2 ** step,
      },
      workgroups: spread(Math.ceil(run.count / PER_GROUP), backend),
    });
  }
}

/** The words of a moment of a run of elements. */
function wordsOf(moment: tf.TensorInfo, { first, count }: Run, storage: MomentStorage): Part {
  const offset = (first / PER_GROUP) * WORDS[storage];
  const rest = (moment.shape.reduce((size, n) => size * n, 1) as number) - offset;
  return {
    tensor: moment,
    offset,
    length: Math.min(rest, Math.ceil(count / PER_GROUP) * WORDS[storage]),
  };
}

function programOf(moments: MomentStorage) {
  const element = moments === "float32" ? ("f32" as const) : ("i32" as const);
  return defineProgram({
    name: `adamw ${moments}`,
    reads: { gradient: "f32", control: "f32" },
    writes: { parameter: "f32", m: element, v: element },
    uniforms: {
      count: "u32",
      first: "u32",
      step: "u32",
      learning_rate: "f32",
      decay: "f32",
      epsilon: "f32",
      beta1: "f32",
      beta2: "f32",
      one_minus_beta1: "f32",
      one_minus_beta2: "f32",
      correction1: "f32",
      correction2: "f32",
    },
    code: adamwCode[moments],
  });
}
