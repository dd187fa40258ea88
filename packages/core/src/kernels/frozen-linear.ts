import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../errors.js";
import { bindShapes, formatShape } from "../shape.js";
import type { InputSpec, KernelCase, KernelContract } from "./contract.js";
import {
  BLOCK,
  isBlocked,
  type PackedStorage,
  packers,
  type Storage,
  storages,
  unpack,
  wordCount,
} from "./quantised.js";
import { runKernel } from "./run.js";

/** Attributes of the frozen linear contracts. */
export type FrozenLinearAttrs = {
  readonly storage: Storage;
  /** I. */
  readonly inFeatures: number;
  /** O. */
  readonly outFeatures: number;
};

/**
 * `y = x · Wᵀ` for a weight that never trains: it saves W and not x.
 *
 * R rows, I features in, O features out: `x` `[R, I]`, `y` `[R, O]`. `weight` is float32 `[O, I]` for storage
 * `f32`; else the little-endian bytes of the packed rows as int32 words `[words]`, padded with zeros.
 * The reference decodes packed words on the host, so it needs a backend with `dataSync`.
 */
export const frozenLinear: KernelContract<"x" | "weight", FrozenLinearAttrs> = {
  name: "BasicFrozenLinear",
  inputs: ["x", "weight"],
  infer: ({ x, weight }, attrs) => {
    const { R } = bindShapes("frozenLinear", { x: ["RI", x], inFeatures: ["I", [attrs.inFeatures]] });
    checkWeight("frozenLinear", weight, attrs);
    return [[R as number, attrs.outFeatures]];
  },
  reference: ({ x, weight }, attrs) => [tf.tidy(() => tf.matMul(x, decode(weight, attrs), false, true))],
  save: { inputs: ["weight"], outputs: [false] },
  gradient: ([dy], { inputs }, attrs) => ({ x: inputGradient(dy, inputs.weight, attrs) }),
  differentiable: ["x"],
  cases: frozenCases(),
  // As for BasicLinear: decoding is exact in float32 but for one rounding.
  tolerance: { absolute: 1e-6, relative: 2e-6 },
};

/** {@link frozenLinear} plus a bias: `y = x · Wᵀ + b`, `bias` `[O]`. The bias gets no gradient either. */
export const frozenLinearBias: KernelContract<"x" | "weight" | "bias", FrozenLinearAttrs> = {
  name: "BasicFrozenLinearBias",
  inputs: ["x", "weight", "bias"],
  infer: ({ x, weight, bias }, attrs) => {
    const { R } = bindShapes("frozenLinearBias", {
      x: ["RI", x],
      inFeatures: ["I", [attrs.inFeatures]],
      bias: ["O", bias],
      outFeatures: ["O", [attrs.outFeatures]],
    });
    checkWeight("frozenLinearBias", weight, attrs);
    return [[R as number, attrs.outFeatures]];
  },
  reference: ({ x, weight, bias }, attrs) => [
    tf.tidy(() => tf.add(tf.matMul(x, decode(weight, attrs), false, true), bias)),
  ],
  save: { inputs: ["weight"], outputs: [false] },
  gradient: ([dy], { inputs }, attrs) => ({ x: inputGradient(dy, inputs.weight, attrs) }),
  differentiable: ["x"],
  cases: frozenCases().map(({ title, inputs, attrs }) => ({
    title,
    inputs: { ...inputs, bias: { shape: [attrs.outFeatures] } },
    attrs,
  })),
  tolerance: { absolute: 1e-6, relative: 2e-6 },
};

/** `dx = dy · W` for a packed weight. `dy` `[R, O]`, `weight` as in {@link frozenLinear}, `dx` `[R, I]`. */
export const frozenLinearBackward: KernelContract<"dy" | "weight", FrozenLinearAttrs> = {
  name: "BasicFrozenLinearBackward",
  inputs: ["dy", "weight"],
  infer: ({ dy, weight }, attrs) => {
    const specs = { dy: ["RO", dy], outFeatures: ["O", [attrs.outFeatures]] } as const;
    const { R } = bindShapes("frozenLinearBackward", specs);
    checkWeight("frozenLinearBackward", weight, attrs);
    return [[R as number, attrs.inFeatures]];
  },
  reference: ({ dy, weight }, attrs) => [tf.tidy(() => tf.matMul(dy, decode(weight, attrs)))],
  save: { inputs: [], outputs: [false] },
  gradient: null,
  differentiable: [],
  cases: frozenCases().map(({ title, inputs, attrs }) => ({
    title,
    inputs: {
      dy: { shape: [inputs.x.shape[0] as number, attrs.outFeatures] },
      weight: inputs.weight,
    },
    attrs,
  })),
  tolerance: { absolute: 1e-6, relative: 2e-6 },
};

/** A plain product for `f32`, which every backend has; packed words need {@link frozenLinearBackward}. */
function inputGradient(
  dy: tf.Tensor | undefined,
  weight: tf.Tensor | undefined,
  attrs: FrozenLinearAttrs,
): tf.Tensor {
  const inputs = { dy: dy as tf.Tensor, weight: weight as tf.Tensor };
  if (attrs.storage === "f32") return tf.matMul(inputs.dy, inputs.weight);
  return runKernel(frozenLinearBackward, inputs, attrs)[0] as tf.Tensor;
}

/** The weight as float32 `[O, I]`. */
function decode(weight: tf.Tensor, { storage, inFeatures, outFeatures }: FrozenLinearAttrs): tf.Tensor {
  if (storage === "f32") return weight;
  const words = weight.dataSync<"int32">();
  return tf.tensor(unpack(storage, words, inFeatures * outFeatures), [outFeatures, inFeatures], "float32");
}

/**
 * @param name - Of the input, for messages.
 * @throws {@link BasicError} `E_NAME_UNKNOWN`, `E_SHAPE` where a weight is not stored as the attributes say.
 */
export function checkWeight(
  where: string,
  weight: readonly number[],
  attrs: FrozenLinearAttrs,
  name = "weight",
): void {
  const { storage, inFeatures, outFeatures } = attrs;
  if (!storages.includes(storage)) {
    throw new BasicError(
      "E_NAME_UNKNOWN",
      `${where}: there is no storage "${storage}". Use one of: ${storages.join(", ")}.`,
    );
  }
  if (isBlocked(storage) && inFeatures % BLOCK !== 0) {
    throw new BasicError(
      "E_SHAPE",
      `${where}: ${storage} needs \`inFeatures\` to be a multiple of ${BLOCK}, got ${inFeatures}. Use bf16, f16 or f32.`,
    );
  }
  const expected =
    storage === "f32" ? [outFeatures, inFeatures] : [wordCount(storage, outFeatures * inFeatures)];
  if (formatShape(weight) !== formatShape(expected)) {
    throw new BasicError(
      "E_SHAPE",
      `${where}: the ${storage} \`${name}\` of ${outFeatures} x ${inFeatures} must have shape ${formatShape(expected)}, got ${formatShape(weight)}.`,
    );
  }
}

function frozenCases(): readonly KernelCase<"x" | "weight", FrozenLinearAttrs>[] {
  const f32: readonly (readonly [string, InputSpec, InputSpec])[] = [
    ["f32, odd shape", { shape: [9, 7] }, { shape: [41, 7] }],
    ["f32, one row", { shape: [1, 41] }, { shape: [9, 41], scale: 0.2 }],
    ["f32, large magnitudes", { shape: [9, 41], scale: 1e3 }, { shape: [7, 41], scale: 1e3 }],
    ["f32, no rows", { shape: [0, 7] }, { shape: [9, 7] }],
  ];
  return [
    ...f32.map(([title, x, weight]) => {
      const [outFeatures, inFeatures] = weight.shape as [number, number];
      return { title, inputs: { x, weight }, attrs: { storage: "f32" as const, inFeatures, outFeatures } };
    }),
    packedCase("bf16", [9, 7, 41], 1),
    packedCase("bf16", [1, 41, 9], 1e3),
    packedCase("f16", [9, 7, 41], 1),
    packedCase("f16", [1, 41, 9], 1e3),
    // Most are below the smallest normal number of half precision.
    packedCase("f16", [9, 41, 7], 1e-4),
    packedCase("q8_0", [9, 96, 7], 1),
    // Scales below that number.
    packedCase("q8_0", [9, 32, 7], 1e-3),
    packedCase("q4_0", [9, 32, 7], 1e-4),
    packedCase("q4_1", [9, 32, 7], 1e-4),
    packedCase("q8_0", [1, 32, 41], 1e3),
    packedCase("q4_0", [9, 96, 7], 1),
    packedCase("q4_0", [1, 32, 41], 1e3),
    packedCase("q4_1", [9, 96, 7], 1),
    packedCase("q4_1", [1, 32, 41], 1e3),
  ];
}

function packedCase(
  storage: PackedStorage,
  [rows, inFeatures, outFeatures]: readonly [number, number, number],
  scale: number,
): KernelCase<"x" | "weight", FrozenLinearAttrs> {
  // Any numbers without a pattern do, as long as they are the same everywhere; the first row is zero.
  const values = Array.from({ length: inFeatures * outFeatures }, (_, i) =>
    i < inFeatures ? 0 : scale * (((i * 7919 + 13) % 1009) / 504.5 - 1),
  );
  const words = Array.from(packers[storage](values));
  const magnitudes = scale === 1 ? "" : `, ${scale > 1 ? "large" : "small"} magnitudes`;
  return {
    title: `${storage}, ${rows} x ${inFeatures} to ${outFeatures}${magnitudes}`,
    inputs: {
      x: { shape: [rows, inFeatures] },
      weight: { shape: [words.length], values: words, dtype: "int32" },
    },
    attrs: { storage, inFeatures, outFeatures },
  };
}
