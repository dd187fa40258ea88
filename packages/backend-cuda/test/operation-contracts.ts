import type { InputSpec, KernelContract } from "@basic-mllm/core";
import { implementByReference } from "@basic-mllm/testing";
import * as tf from "@tensorflow/tfjs-core";

import { BACKEND_NAME } from "../src/index.js";

type Tensors = Readonly<Record<string, tf.Tensor>>;
type Shapes = Readonly<Record<string, readonly number[]>>;

/** A stock operation, in the form of a contract: the same cases and oracle as for kernels of our own. */
interface Stock {
  readonly name: string;
  readonly run: (inputs: Tensors) => tf.Tensor;
  /** Shape of the result. */
  readonly shape: (shapes: Shapes) => readonly number[];
  readonly cases: Readonly<Record<string, Readonly<Record<string, InputSpec>>>>;
  readonly tolerance?: number;
}

/** Cases that reach each path of the kernels of stock operations, with their edges. */
export const operationContracts: readonly KernelContract[] = [
  contractOf({
    name: "Unary",
    run: ({ x }) => tf.clipByValue(x as tf.Tensor, -0.5, 0.75),
    shape: ({ x }) => x as number[],
    cases: { "more than a block": { x: { shape: [1027] } }, "whole vectors": { x: { shape: [8] } } },
  }),
  contractOf({
    name: "Binary",
    run: ({ a, b }) => tf.sub(a as tf.Tensor, b as tf.Tensor),
    shape: ({ a, b }) => tf.broadcast_util.assertAndGetBroadcastShape([...(a ?? [])], [...(b ?? [])]),
    cases: {
      flat: { a: { shape: [1027] }, b: { shape: [1027] } },
      "whole vectors": { a: { shape: [2, 4] }, b: { shape: [2, 4] } },
      "a scalar": { a: { shape: [1027] }, b: { shape: [] } },
      "rows by fours": { a: { shape: [3, 5, 8] }, b: { shape: [5, 8] } },
      "columns by fours": { a: { shape: [3, 5, 8] }, b: { shape: [3, 1, 1] } },
      strided: { a: { shape: [3, 1, 7] }, b: { shape: [5, 1] } },
    },
    tolerance: 1e-7,
  }),
  contractOf({
    name: "FloorModulo",
    run: ({ a, b }) => tf.mod(a as tf.Tensor, b as tf.Tensor),
    shape: ({ a }) => a as number[],
    cases: {
      integers: {
        a: { shape: [6], values: [7, -7, 7, -7, 6, -6], dtype: "int32" },
        b: { shape: [6], values: [3, 3, -3, -3, 3, -3], dtype: "int32" },
      },
    },
  }),
  contractOf({
    name: "FloorDivide",
    run: ({ a, b }) => tf.floorDiv(a as tf.Tensor, b as tf.Tensor),
    shape: ({ a }) => a as number[],
    cases: {
      integers: {
        a: { shape: [6], values: [7, -7, 7, -7, 6, -6], dtype: "int32" },
        b: { shape: [6], values: [3, 3, -3, -3, 0, -3], dtype: "int32" },
      },
    },
  }),
  contractOf({
    name: "Cast",
    run: ({ x }) => tf.cast(x as tf.Tensor, "int32"),
    shape: ({ x }) => x as number[],
    cases: { "large numbers": { x: { shape: [6], values: [1.9, -1.9, 3e9, -3e9, 1e20, 2 ** 40] } } },
  }),
  contractOf({
    name: "Select",
    run: ({ c, t, e }) => tf.where(tf.greater(c as tf.Tensor, 0), t as tf.Tensor, e as tf.Tensor),
    shape: ({ t }) => t as number[],
    cases: {
      elements: { c: { shape: [1027] }, t: { shape: [1027] }, e: { shape: [1027] } },
      "whole vectors": { c: { shape: [8] }, t: { shape: [8] }, e: { shape: [8] } },
    },
  }),
  contractOf({
    name: "Transpose",
    run: ({ x }) => tf.transpose(x as tf.Tensor, [0, 2, 1]),
    shape: ({ x: [a = 1, b = 1, c = 1] = [] }) => [a, c, b],
    cases: { "tiles with edges": { x: { shape: [2, 35, 67] } }, "one tile": { x: { shape: [3, 32, 32] } } },
  }),
  contractOf({
    name: "Copy",
    run: ({ x }) =>
      tf.pad(tf.slice(x as tf.Tensor, [1, 4], [3, 8]), [
        [1, 0],
        [0, 4],
      ]),
    shape: () => [4, 12],
    cases: { "by 16 bytes": { x: { shape: [5, 16] } }, "by 4 bytes": { x: { shape: [5, 13] } } },
  }),
  contractOf({
    name: "Reverse",
    run: ({ x }) => tf.reverse(x as tf.Tensor, [0, 2]),
    shape: ({ x }) => x as number[],
    cases: { "two axes": { x: { shape: [3, 5, 7] } }, "several blocks": { x: { shape: [3, 11, 19] } } },
  }),
  ...reductions(),
  ...rows(),
];

function reductions(): readonly KernelContract[] {
  const first = ({ x: [a = 1] = [] }: Shapes) => [a];
  return [
    contractOf({
      name: "Sum",
      run: ({ x }) => tf.sum(x as tf.Tensor, 1),
      shape: ({ x: [a = 1, , ...rest] = [] }) => [a, ...rest],
      cases: {
        rows: { x: { shape: [5, 37] } },
        "a long row": { x: { shape: [1, 9001] } },
        columns: { x: { shape: [3, 41, 5] } },
        "long columns": { x: { shape: [1, 4501, 3] } },
      },
      tolerance: 1e-6,
    }),
    contractOf({
      name: "Mean",
      run: ({ x }) => tf.mean(x as tf.Tensor, 1),
      shape: first,
      cases: { rows: { x: { shape: [5, 37] } }, "a long row": { x: { shape: [1, 9001] } } },
      tolerance: 1e-6,
    }),
    contractOf({
      name: "ArgMax",
      run: ({ x }) => tf.argMax(x as tf.Tensor, 1),
      shape: ({ x: [a = 1, , ...rest] = [] }) => [a, ...rest],
      cases: {
        rows: { x: { shape: [5, 300] } },
        columns: { x: { shape: [3, 37, 5] } },
        ties: { x: { shape: [2, 40], values: Array.from({ length: 80 }, (_, i) => (i % 40) % 7) } },
      },
    }),
    contractOf({
      name: "Cumsum",
      run: ({ x }) => tf.cumsum(x as tf.Tensor, 1),
      shape: ({ x }) => x as number[],
      cases: { "several rounds": { x: { shape: [3, 600] } }, columns: { x: { shape: [2, 9, 3] } } },
      tolerance: 1e-6,
    }),
    contractOf({
      name: "CumsumBefore",
      run: ({ x }) => tf.cumsum(x as tf.Tensor, 1, true, true),
      shape: ({ x }) => x as number[],
      cases: { "several rounds": { x: { shape: [3, 600] } } },
      tolerance: 1e-6,
    }),
    contractOf({
      name: "TopK",
      run: ({ x }) => tf.topk(x as tf.Tensor, 5).indices,
      shape: ({ x: [a = 1] = [] }) => [a, 5],
      cases: {
        "several lanes": { x: { shape: [3, 300] } },
        ties: { x: { shape: [2, 40], values: Array.from({ length: 80 }, (_, i) => (i % 40) % 7) } },
      },
    }),
  ];
}

/** As few rows as need threads that have two of them, and an odd one. */
const SCATTERED = [87_383, 3];

function rows(): readonly KernelContract[] {
  const ids = { shape: [5], values: [3, 0, 3, 6, 3], dtype: "int32" } as const;
  return [
    contractOf({
      name: "Softmax",
      run: ({ x }) => tf.softmax(x as tf.Tensor),
      shape: ({ x }) => x as number[],
      cases: {
        "several lanes": { x: { shape: [3, 37], scale: 30 } },
        "a block a row": { x: { shape: [2, 1031] } },
      },
      tolerance: 1e-6,
    }),
    contractOf({
      name: "Gather",
      run: ({ x, ids: indices }) => tf.gather(x as tf.Tensor, indices as tf.Tensor, 1),
      shape: ({ x: [a = 1, , c = 1] = [], ids: [n = 0] = [] }) => [a, n, c],
      cases: {
        "by 16 bytes": { x: { shape: [2, 7, 8] }, ids },
        "by 4 bytes": { x: { shape: [3, 7, 5] }, ids },
      },
    }),
    contractOf({
      name: "OneHot",
      run: ({ ids: indices }) => tf.oneHot(indices as tf.Tensor, 70, 2, -1, "float32"),
      shape: ({ ids: [n = 0] = [] }) => [n, 70],
      cases: { "more than a block": { ids } },
    }),
    contractOf({
      name: "SegmentSum",
      run: ({ x, ids: indices }) => tf.unsortedSegmentSum(x as tf.Tensor, indices as tf.Tensor1D, 9),
      shape: ({ x: [, c = 1] = [] }) => [9, c],
      cases: { "rows that meet": { x: { shape: [5, 33] }, ids } },
      tolerance: 1e-6,
    }),
    contractOf({
      name: "ScatterNd",
      run: ({ x, ids: indices }) =>
        tf.scatterND(tf.reshape(indices as tf.Tensor, [5, 1]), x as tf.Tensor, SCATTERED),
      shape: () => SCATTERED,
      cases: { "several rows a thread": { x: { shape: [5, 3] }, ids } },
      tolerance: 1e-6,
    }),
  ];
}

function contractOf({ name, run, shape, cases, tolerance = 0 }: Stock): KernelContract {
  const [first = {}] = Object.values(cases);
  const contract: KernelContract = {
    name: `BasicStock${name}`,
    inputs: Object.keys(first),
    infer: (shapes) => [shape(shapes)],
    reference: (inputs) => [run(inputs)],
    save: { inputs: [], outputs: [false] },
    gradient: null,
    differentiable: [],
    cases: Object.entries(cases).map(([title, inputs]) => ({ title, inputs, attrs: {} })),
    tolerance: { absolute: tolerance, relative: tolerance },
  };
  implementByReference(contract, BACKEND_NAME);
  return contract;
}
