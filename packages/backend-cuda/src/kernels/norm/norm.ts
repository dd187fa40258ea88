import { layerNorm, layerNormBackward, rmsNorm, rmsNormBackward } from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";
import type { CudaBackend } from "../../backend.js";
import { defineProgram } from "../../program.js";
import { bytesOf, countOf } from "../../work.js";
import { COLUMN_ROWS, columnGrid, sumColumns } from "../column-sums/column-sums.js";
import { implement } from "../implement.js";
import normSource from "./norm.cu";
import normWeightsSource from "./norm-weights.cu";

/** BasicRmsNorm, BasicLayerNorm and their backward kernels. */
export function registerNorms(): void {
  implement(
    rmsNorm,
    ({ inputs, attrs, size, out, dispatch }) => {
      const { grid, variant, sizes } = overRows(size("x", 0), size("x", 1));
      const { epsilon, addOne } = attrs;
      const args = { ...inputs, y: out(0), inverse: out(1), ...sizes, epsilon, offset: Number(addOne) };
      dispatch(programs[variant].rms, { grid, args });
    },
    { reads: ["x"], outputs: [0] },
  );
  implement(
    rmsNormBackward,
    ({ backend, inputs, attrs, size, out, scratch, dispatch }) => {
      const { grid, variant, sizes } = overRows(size("x", 0), size("x", 1));
      const args = { ...inputs, dx: out(0), ...sizes, offset: Number(attrs.addOne) };
      dispatch(programs[variant].rmsBackward, { grid, args });
      if (attrs.needsWeight) weightGradients(backend, { inputs, results: [out(1)], scratch });
    },
    { reads: ["dy", "x"], outputs: [0] },
  );
  implement(
    layerNorm,
    ({ inputs, attrs, size, out, dispatch }) => {
      const { grid, variant, sizes } = overRows(size("x", 0), size("x", 1));
      const { epsilon } = attrs;
      const args = { ...inputs, y: out(0), mean: out(1), inverse: out(2), ...sizes, epsilon };
      dispatch(programs[variant].layer, { grid, args });
    },
    { reads: ["x"], outputs: [0] },
  );
  implement(
    layerNormBackward,
    ({ backend, inputs, attrs, size, out, scratch, dispatch }) => {
      const { grid, variant, sizes } = overRows(size("x", 0), size("x", 1));
      dispatch(programs[variant].layerBackward, { grid, args: { ...inputs, dx: out(0), ...sizes } });
      if (attrs.needsWeight) weightGradients(backend, { inputs, results: [out(1), out(2)], scratch });
    },
    { reads: ["dy", "x"], outputs: [0] },
  );
}

const THREADS = 256;

/** Up to so many columns a warp has a row; more keep a block busy. */
const NARROW = 512;

/** Who has a row: a warp, or a block. */
type Variant = "narrow" | "wide";

function overRows(rows: number, width: number) {
  const variant: Variant = width <= NARROW ? "narrow" : "wide";
  const rowsOfBlock = THREADS / rowThreads[variant];
  return { variant, grid: [Math.ceil(rows / rowsOfBlock)] as const, sizes: { rows, width } };
}

const rowThreads: Readonly<Record<Variant, number>> = { narrow: 32, wide: THREADS };

const programs = { narrow: programsOf("narrow"), wide: programsOf("wide") };

function programsOf(variant: Variant) {
  const shared = { source: normSource, defines: { ROW_THREADS: rowThreads[variant] }, block: THREADS };
  const sizes = { rows: "i32", width: "i32" } as const;
  const backward = { dy: "activation", x: "activation", weight: "pointer" } as const;
  return {
    rms: defineProgram({
      ...shared,
      name: `rms norm, ${variant}`,
      entry: "rms_norm",
      params: {
        ...({ x: "activation", weight: "pointer", y: "activation", inverse: "pointer" } as const),
        ...sizes,
        epsilon: "f32",
        offset: "f32",
      },
      work: ({ x, weight, y, inverse }) => ({ bytes: bytesOf(x, weight, y, inverse), flops: 4 * countOf(x) }),
    }),
    rmsBackward: defineProgram({
      ...shared,
      name: `rms norm backward, ${variant}`,
      entry: "rms_norm_backward",
      params: { ...backward, inverse: "pointer", dx: "activation", ...sizes, offset: "f32" },
      work: ({ dy, x, weight, inverse, dx }) => ({
        bytes: bytesOf(dy, x, weight, inverse, dx),
        flops: 7 * countOf(x),
      }),
    }),
    layer: defineProgram({
      ...shared,
      name: `layer norm, ${variant}`,
      entry: "layer_norm",
      params: {
        ...({ x: "activation", weight: "pointer", bias: "pointer" } as const),
        ...({ y: "activation", mean: "pointer", inverse: "pointer" } as const),
        ...sizes,
        epsilon: "f32",
      },
      work: ({ x, weight, bias, y, mean, inverse }) => ({
        bytes: bytesOf(x, weight, bias, y, mean, inverse),
        flops: 7 * countOf(x),
      }),
    }),
    layerBackward: defineProgram({
      ...shared,
      name: `layer norm backward, ${variant}`,
      entry: "layer_norm_backward",
      params: { ...backward, mean: "pointer", inverse: "pointer", dx: "activation", ...sizes },
      work: ({ dy, x, weight, mean, inverse, dx }) => ({
        bytes: bytesOf(dy, x, weight, mean, inverse, dx),
        flops: 10 * countOf(x),
      }),
    }),
  };
}

const weightSizes = { rows: "i32", width: "i32" } as const;

const rmsWeights = defineProgram({
  name: "rms norm backward, weight",
  source: normWeightsSource,
  entry: "norm_weights",
  defines: { CENTRED: 0 },
  params: { dy: "activation", x: "activation", inverse: "pointer", dweight: "pointer", ...weightSizes },
  block: [32, 8],
  work: ({ dy, x, inverse, dweight }) => ({ bytes: bytesOf(dy, x, inverse, dweight), flops: 3 * countOf(x) }),
});

const layerWeights = defineProgram({
  name: "layer norm backward, weight and bias",
  source: normWeightsSource,
  entry: "norm_weights",
  defines: { CENTRED: 1 },
  params: {
    ...({ dy: "activation", x: "activation", mean: "pointer", inverse: "pointer" } as const),
    ...({ dweight: "pointer", dbias: "pointer" } as const),
    ...weightSizes,
  },
  block: [32, 8],
  work: ({ dy, x, mean, inverse, dweight, dbias }) => ({
    bytes: bytesOf(dy, x, mean, inverse, dweight, dbias),
    flops: 5 * countOf(x),
  }),
});

interface WeightCall {
  readonly inputs: Readonly<Record<"dy" | "x" | "inverse", tf.TensorInfo>> & {
    readonly mean?: tf.TensorInfo;
  };
  /** dweight, and dbias where there is a mean. */
  readonly results: readonly tf.TensorInfo[];
  readonly scratch: (shape: readonly number[]) => tf.TensorInfo;
}

/** Sums over the rows: over some of them at once, then over those sums. */
function weightGradients(backend: CudaBackend, { inputs, results, scratch }: WeightCall): void {
  const { dy, x, inverse, mean } = inputs;
  const [rows, width] = x.shape as [number, number];
  const parts = Math.max(1, Math.ceil(rows / COLUMN_ROWS));
  const sums = results.map((result) => (parts === 1 ? result : scratch([parts, width])));
  const [dweight, dbias] = sums as [tf.TensorInfo, tf.TensorInfo];
  const grid = columnGrid(rows, width);
  const shared = { dy, x, inverse, dweight, rows, width };
  if (mean === undefined) backend.dispatch(rmsWeights, { grid, args: shared });
  else backend.dispatch(layerWeights, { grid, args: { ...shared, mean, dbias } });
  if (parts === 1) return;
  for (const [i, result] of results.entries()) {
    sumColumns(backend, { x: sums[i] as tf.TensorInfo, rows: parts, columns: width, result, scratch });
  }
}

/** Every program of norms. */
export const normPrograms = [
  ...Object.values(programs.narrow),
  ...Object.values(programs.wide),
  rmsWeights,
  layerWeights,
];
