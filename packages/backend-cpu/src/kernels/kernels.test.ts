import "@tensorflow/tfjs-backend-cpu";
import {
  type AttentionAttrs,
  type Attributes,
  allContracts,
  attention,
  attentionBackward,
  attentionReceived,
  findKernel,
  frozenLinear,
  frozenLinearBackward,
  type Inputs,
  type KernelContract,
  layerNormBackward,
  linear,
  linearCrossEntropy,
  linearCrossEntropyBackward,
  linearKl,
  linearKlBackward,
  packQ4_1,
  rmsNormBackward,
  runKernel,
  squaredNorm,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { start } from "../start.js";

beforeAll(async () => {
  await start({ threads: 2 });
});

it.each(allContracts.map(({ name }) => name))("has a native body for %s", (name) => {
  expect(findKernel(name, "basiccpu")).toBeDefined();
});

/** About normal values, the same on every machine. */
function normal(shape: readonly number[], scale = 1): tf.Tensor {
  let state = shape.reduce((hash, size) => hash * 31 + size, 7);
  const uniform = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
  const count = shape.reduce((product, size) => product * size, 1);
  const values = Float32Array.from({ length: count }, () => scale * 2 * (uniform() + uniform() + uniform()));
  return tf.tensor(values, [...shape]);
}

interface BigCall {
  readonly title: string;
  /** Runs the kernel by `run`: natively or by its reference. */
  readonly outputs: (run: Run) => readonly tf.Tensor[];
}

type Run = <Name extends string, Attrs extends Attributes>(
  contract: KernelContract<Name, Attrs>,
  inputs: Inputs<Name, tf.Tensor>,
  attrs: Attrs,
) => readonly tf.Tensor[];

const offsets = Int32Array.of(0, 1, 1, 71, 200);
const layout: AttentionAttrs = {
  qOffsets: offsets,
  kvOffsets: offsets,
  heads: 4,
  kvHeads: 2,
  scale: 0.3,
  causal: true,
  window: 0,
  softcap: 0,
};
const labels = Int32Array.from({ length: 300 }, (_, row) => (row % 3 === 0 ? -100 : (row * 37) % 1300));
const chunked = { labels, softcap: 0, chunkBytes: 1 << 19 };
const packed = () => {
  const words = packQ4_1(normal([300, 96]).dataSync());
  return tf.tensor1d(words, "int32");
};
const packing = { storage: "q4_1", inFeatures: 96, outFeatures: 300 } as const;

/** Calls with several tasks, blocks and chunks, whose sizes divide nothing. */
const bigCalls: readonly BigCall[] = [
  {
    title: "linear",
    outputs: (run) =>
      run(linear, { x: normal([300, 70]), weight: normal([290, 70]) }, { activation: "silu" as const }),
  },
  {
    title: "packed linear",
    outputs: (run) => run(frozenLinear, { x: normal([70, 96]), weight: packed() }, packing),
  },
  {
    title: "packed linear, backward",
    outputs: (run) => run(frozenLinearBackward, { dy: normal([70, 300]), weight: packed() }, packing),
  },
  ...[layout, { ...layout, window: 50, softcap: 2 }, { ...layout, causal: false }].map((attrs, i) => ({
    title: `attention ${i} and its gradient`,
    outputs: (run: Run) => {
      const inputs = { q: normal([200, 72]), k: normal([200, 36]), v: normal([200, 36], 2) };
      const [y, logSumExp] = run(attention, inputs, attrs) as [tf.Tensor, tf.Tensor];
      const dy = normal([200, 72], 0.5);
      return [y, logSumExp, ...run(attentionBackward, { dy, ...inputs, y, logSumExp }, attrs)];
    },
  })),
  {
    title: "attention received",
    outputs: (run) => {
      const countsAsText = Int32Array.from({ length: 200 }, (_, row) => row % 2);
      const receiveFrom = Int32Array.from({ length: 200 }, (_, row) => (row % 5 === 0 ? 200 : row + 3));
      const inputs = { q: normal([200, 72]), k: normal([200, 36]), v: normal([200, 36], 2) };
      return run(attentionReceived, inputs, { ...layout, countsAsText, receiveFrom });
    },
  },
  ...[0, 5].map((softcap) => ({
    title: `cross entropy, softcap ${softcap}, and its gradient`,
    outputs: (run: Run) => {
      const inputs = { x: normal([300, 33]), weight: normal([1300, 33], 0.3) };
      const attrs = { ...chunked, softcap };
      const [loss, logSumExp] = run(linearCrossEntropy, inputs, attrs) as [tf.Tensor, tf.Tensor];
      const backward = { dloss: normal([300]), ...inputs, logSumExp };
      return [loss, logSumExp, ...run(linearCrossEntropyBackward, backward, { ...attrs, needsWeight: true })];
    },
  })),
  {
    title: "divergence and its gradient",
    outputs: (run) => {
      const inputs = {
        v: normal([300, 33], 0.5),
        r: normal([300, 33]),
        vocabulary: normal([1300, 33], 0.3),
        a: normal([300]),
      };
      const [loss, kl, lseV, lseR] = run(linearKl, inputs, chunked) as tf.Tensor[] & { length: 4 };
      const saved = { kl: kl as tf.Tensor, lseV: lseV as tf.Tensor, lseR: lseR as tf.Tensor };
      const backward = { dloss: normal([300], 3), ...inputs, ...saved };
      const gradients = run(linearKlBackward, backward, { ...chunked, needsRefined: true });
      return [loss as tf.Tensor, ...Object.values(saved), ...gradients];
    },
  },
  {
    title: "layer norm, backward",
    outputs: (run) => {
      const rows = { mean: normal([900]), inverse: normal([900]) };
      const inputs = { dy: normal([900, 131]), x: normal([900, 131], 2), weight: normal([131]), ...rows };
      return run(layerNormBackward, inputs, { needsWeight: true });
    },
  },
  {
    title: "root-mean-square norm, backward",
    outputs: (run) => {
      const inputs = { dy: normal([900, 131]), x: normal([900, 131], 2), weight: normal([131]) };
      const attrs = { addOne: true, needsWeight: true };
      return run(rmsNormBackward, { ...inputs, inverse: normal([900]) }, attrs);
    },
  },
  {
    title: "squared norm",
    outputs: (run) => run(squaredNorm, { x0: normal([1500, 1500]), x1: normal([7]) }, {}),
  },
];

async function valuesOn(threads: number, call: BigCall): Promise<readonly Float32Array[]> {
  await start({ threads });
  return tf.tidy(() => call.outputs(runKernel).map((tensor) => tensor.dataSync<"float32">()));
}

async function referenceValues(call: BigCall): Promise<readonly Float32Array[]> {
  await tf.setBackend("cpu");
  const byReference: Run = (contract, inputs, attrs) => contract.reference(inputs, attrs);
  return tf.tidy(() => call.outputs(byReference).map((tensor) => tensor.dataSync<"float32">()));
}

describe.each(bigCalls.map((call) => [call.title, call] as const))("%s over several blocks", (_, call) => {
  it("agrees with the reference", async () => {
    const expected = await referenceValues(call);
    const actual = await valuesOn(2, call);
    expect(actual.length).toBe(expected.length);
    for (const [i, values] of expected.entries()) {
      const most = values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
      const worst = values.reduce(
        (max, value, j) => Math.max(max, Math.abs(value - (actual[i]?.[j] ?? Number.NaN))),
        0,
      );
      expect(worst, `output ${i}, largest value ${most}`).toBeLessThanOrEqual(1e-6 + 1e-5 * most);
    }
  });

  it("gives the same bits on any number of threads", async () => {
    const once = await valuesOn(1, call);
    for (const threads of [2, 5]) {
      const again = await valuesOn(threads, call);
      expect(once.map((values, i) => bits(values).compare(bits(again[i])))).toEqual(once.map(() => 0));
    }
  });
});

function bits({ buffer, byteOffset, byteLength }: Float32Array = new Float32Array(0)): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
