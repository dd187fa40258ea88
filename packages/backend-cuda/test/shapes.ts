import {
  accumulate,
  activation,
  activationBackward,
  adamw,
  dropoutKernel,
  embedding,
  frozenLinear,
  frozenLinearBackward,
  frozenLinearBias,
  gatedActivation,
  gatedActivationBackward,
  type InputSpec,
  type KernelContract,
  layerNorm,
  layerNormBackward,
  linear,
  linearBias,
  type MomentStorage,
  type PackedStorage,
  packedEmbedding,
  packers,
  packMoment,
  rmsNorm,
  rmsNormBackward,
  rotary,
  scatterAddRows,
  splice,
  squaredNorm,
} from "@basic-mllm/core";

import { attentionAndLossContracts } from "./attention-shapes.js";
import { withCases } from "./cases.js";

const packed: readonly PackedStorage[] = ["bf16", "f16", "q8_0", "q4_0", "q4_1"];

/**
 * Contracts with cases of our own, which reach what their small cases do not: whole vectors of four, several tiles and
 * blocks, sums in several passes.
 */
export const ownContracts: readonly KernelContract[] = [
  withCases(accumulate, [
    { title: "whole vectors", inputs: { sum: { shape: [4096] }, term: { shape: [4096] } }, attrs: {} },
  ]),
  withCases(activation, [
    { title: "several blocks", inputs: { x: { shape: [3, 684] } }, attrs: { kind: "silu" } },
  ]),
  withCases(activationBackward, [
    {
      title: "several blocks",
      inputs: { dy: { shape: [3, 684] }, x: { shape: [3, 684] } },
      attrs: { kind: "gelu-erf" },
    },
  ]),
  withCases(gatedActivation, [
    {
      title: "several blocks",
      inputs: { gate: { shape: [3, 684] }, up: { shape: [3, 684] } },
      attrs: { kind: "silu" },
    },
  ]),
  withCases(gatedActivationBackward, [
    {
      title: "several blocks",
      inputs: { dy: { shape: [3, 684] }, gate: { shape: [3, 684] }, up: { shape: [3, 684] } },
      attrs: { kind: "gelu-tanh" },
    },
  ]),
  withCases(dropoutKernel, [
    {
      // 16 random bits of element 28 are the threshold.
      title: "a value on the threshold",
      inputs: { x: { shape: [5, 7] } },
      attrs: { probability: 0.5, stream: Int32Array.of(7, 0, 2681, 0) },
    },
  ]),
  ...linearContracts(),
  ...normContracts(),
  ...rowContracts(),
  ...attentionAndLossContracts,
  withCases(squaredNorm, [
    {
      title: "several blocks and an empty tensor between",
      inputs: { x0: { shape: [9001] }, x1: { shape: [0] }, x2: { shape: [4096] } },
      attrs: {},
    },
    {
      title: "more partial sums than threads",
      inputs: { x0: { shape: [257 * 4096] }, x1: { shape: [3] }, x2: { shape: [0] } },
      attrs: {},
    },
  ]),
  withCases(adamw, [...(["float32", "bfloat16", "int8"] as const).map(severalBlocks), tinyGradients()]),
];

function linearContracts(): readonly KernelContract[] {
  const x = { shape: [9, 44] };
  const weight = { shape: [12, 44], scale: 0.3 };
  const sizes = packed.flatMap((storage) => [
    packedSize(storage, [1, 160, 19]),
    packedSize(storage, [3, 96, 19]),
    packedSize(storage, [7, 96, 33]),
    packedSize(storage, [33, 64, 160]),
    packedSize(storage, [131, 64, 160]),
    packedSize(storage, [513, 32, 48]),
  ]);
  return [
    withCases(linear, [{ title: "vectors", inputs: { x, weight }, attrs: { activation: "gelu-erf" } }]),
    withCases(linearBias, [
      {
        title: "vectors",
        inputs: { x, weight, bias: { shape: [12] } },
        attrs: { activation: "quick-gelu" },
      },
    ]),
    withCases(
      frozenLinear,
      sizes.map(({ title, x: given, weight: words, attrs }) => ({
        title,
        inputs: { x: given, weight: words },
        attrs,
      })),
    ),
    withCases(
      frozenLinearBias,
      sizes.map(({ title, x: given, weight: words, attrs }) => ({
        title,
        inputs: { x: given, weight: words, bias: { shape: [attrs.outFeatures] } },
        attrs,
      })),
    ),
    withCases(
      frozenLinearBackward,
      sizes.map(({ title, x: given, weight: words, attrs }) => ({
        title,
        inputs: { dy: { shape: [given.shape[0] as number, attrs.outFeatures] }, weight: words },
        attrs,
      })),
    ),
    withCases(
      packedEmbedding,
      packed.map((storage) => ({
        title: `${storage}, whole vectors`,
        inputs: { table: packedSize(storage, [1, 2080, 3]).weight },
        attrs: { storage, height: 3, width: 2080, ids: Int32Array.of(2, 0, 2) },
      })),
    ),
  ];
}

/** Rows, features in and out of a product with a packed weight. */
function packedSize(
  storage: PackedStorage,
  [rows, inFeatures, outFeatures]: readonly [number, number, number],
) {
  const count = inFeatures * outFeatures;
  const values = Float32Array.from({ length: count }, (_, i) => ((i * 7919 + 13) % 1009) / 504.5 - 1);
  const words = Array.from(packers[storage](values));
  const weight: InputSpec = { shape: [words.length], values: words, dtype: "int32" };
  return {
    title: `${storage}, ${rows} rows of ${inFeatures} to ${outFeatures}`,
    x: { shape: [rows, inFeatures] } as InputSpec,
    weight,
    attrs: { storage, inFeatures, outFeatures },
  };
}

function normContracts(): readonly KernelContract[] {
  const shapes: readonly (readonly [number, number])[] = [
    [3, 44],
    [2, 1028],
    [131, 33],
  ];
  const called = ([rows, width]: readonly [number, number]) => ({
    title: `${rows} rows of ${width}`,
    x: { shape: [rows, width] },
    columns: { shape: [width] },
    ofRow: { shape: [rows] },
  });
  const sizes = shapes.map(called);
  return [
    withCases(
      rmsNorm,
      sizes.map(({ title, x, columns: weight }) => ({
        title,
        inputs: { x, weight },
        attrs: { epsilon: 1e-3, addOne: true },
      })),
    ),
    withCases(
      rmsNormBackward,
      sizes.map(({ title, x, columns: weight, ofRow: inverse }) => ({
        title,
        inputs: { dy: x, x, weight, inverse },
        attrs: { addOne: true, needsWeight: true },
      })),
    ),
    withCases(
      layerNorm,
      sizes.map(({ title, x, columns }) => ({
        title,
        inputs: { x, weight: columns, bias: columns },
        attrs: { epsilon: 1e-3 },
      })),
    ),
    withCases(
      layerNormBackward,
      sizes.map(({ title, x, columns: weight, ofRow }) => ({
        title,
        inputs: { dy: x, x, weight, mean: ofRow, inverse: ofRow },
        attrs: { needsWeight: true },
      })),
    ),
  ];
}

function rowContracts(): readonly KernelContract[] {
  const wide = { shape: [5, 520] };
  const ids = Int32Array.of(4, 0, 2, 2);
  const frequencies = (pairs: number) => Float32Array.from({ length: pairs }, (_, j) => 100 ** (-j / pairs));
  const positions = Int32Array.of(3, 0, 77, 1023, 40_000);
  const turns = { heads: 5, positions, scale: 1.5, inverse: false };
  return [
    withCases(embedding, [{ title: "rows of several blocks", inputs: { table: wide }, attrs: { ids } }]),
    withCases(splice, [
      {
        title: "rows of several blocks",
        inputs: { table: wide, visual: { shape: [3, 520] } },
        attrs: { ids: Int32Array.of(4, -1, -3, 0) },
      },
    ]),
    withCases(scatterAddRows, [
      {
        title: "rows of several blocks",
        inputs: { dy: wide },
        attrs: { rows: Int32Array.of(1, 3, 1, -1, 1), height: 4 },
      },
    ]),
    withCases(rotary, [
      {
        title: "whole vectors, five heads",
        inputs: { x: { shape: [5, 60] } },
        attrs: { ...turns, rotaryWidth: 8, frequencies: frequencies(4) },
      },
      {
        title: "every column turns",
        inputs: { x: { shape: [5, 40] } },
        attrs: { ...turns, rotaryWidth: 8, frequencies: frequencies(4) },
      },
    ]),
  ];
}

/** More elements than a block has, of which the last ones fill no vector. */
function severalBlocks(moments: MomentStorage) {
  const sizes = [4099, 5, 8192];
  const values = (count: number, seed: number) =>
    Array.from({ length: count }, (_, i) => (((i * seed) % 1009) + 1) / 1010 - 0.25);
  const moment = (count: number, second: boolean): InputSpec => {
    const drawn = values(count, second ? 31 : 17).map((value) => (second ? value * value : value));
    if (moments === "float32") return { shape: [count], values: drawn.map(Math.fround) };
    const words = packMoment({ storage: moments, second }, drawn, 6);
    return { shape: [words.length], values: Array.from(words), dtype: "int32" };
  };
  const tensors = sizes.flatMap((count, i) => [
    [`parameter${i}`, { shape: [count] }],
    [`gradient${i}`, { shape: [count] }],
    [`m${i}`, moment(count, false)],
    [`v${i}`, moment(count, true)],
  ]);
  return {
    title: `${moments}, several blocks`,
    inputs: Object.fromEntries([...tensors, ["control", { shape: [2], values: [0.5, 1] }]]),
    attrs: {
      learningRates: Float64Array.of(1e-3, 2e-3, 3e-3),
      weightDecays: Float64Array.of(0.1, 0, 0.01),
      beta1: 0.9,
      beta2: 0.99,
      epsilon: 1e-8,
      step: 9,
      moments,
    },
  };
}

/** Second moments that are far below the largest of their block, and above 0. */
function tinyGradients() {
  const count = 300;
  const moment = (): InputSpec => {
    const words = packMoment({ storage: "int8", second: true }, new Float32Array(count), 1);
    return { shape: [words.length], values: Array.from(words), dtype: "int32" };
  };
  const gradients = Array.from({ length: count }, (_, i) => (i === 0 ? 1 : Math.fround(1e-6)));
  const none: InputSpec = { shape: [0], values: [], dtype: "int32" };
  const empty = [1, 2].flatMap((i) => [
    [`parameter${i}`, { shape: [0] }],
    [`gradient${i}`, { shape: [0] }],
    [`m${i}`, none],
    [`v${i}`, none],
  ]);
  const inputs = {
    parameter0: { shape: [count] },
    gradient0: { shape: [count], values: gradients },
    m0: moment(),
    v0: moment(),
    control: { shape: [2], values: [1, 1] },
    ...Object.fromEntries(empty),
  };
  const { attrs } = severalBlocks("int8");
  return { title: "int8, tiny second moments", inputs, attrs: { ...attrs, step: 1 } };
}
