import "@tensorflow/tfjs-backend-cpu";

import { start } from "@basic-mllm/backend-cpu";
import {
  createRandom,
  registerStockGradients,
  setFallback,
  type VisualLoss,
  type VisualView,
  valueAndGradients,
  visualLosses,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

const ROWS = 9;
const WIDTH = 12;
const FEATURES = 7;

const images = [
  { sample: 0, start: 0, length: 4 },
  { sample: 0, start: 4, length: 2 },
  { sample: 2, start: 6, length: 3 },
];

let native = "";

beforeAll(async () => {
  registerStockGradients();
  native = await start();
});

/** The same values on every call. */
function view(): VisualView {
  const random = createRandom(5, "view");
  const normal = (height: number, width: number): tf.Tensor2D =>
    tf.tensor2d(random.fillNormal(new Float32Array(height * width), 1), [height, width]);
  return {
    initial: normal(ROWS, WIDTH),
    refined: normal(ROWS, WIDTH),
    hidden: normal(ROWS, WIDTH),
    block: normal(ROWS, WIDTH),
    features: normal(ROWS, FEATURES),
    vocabulary: normal(41, WIDTH),
    head: { weight: normal(41, WIDTH), trainable: false, softcap: 0 },
    patchWeights: tf.tensor1d(random.fillUniform(new Float32Array(ROWS), 0, 0.2)),
    images,
  };
}

/** Value and gradients on a backend: the loss is made there, for its own weights. */
async function measure(backend: string, make: () => VisualLoss): Promise<readonly Float32Array[]> {
  await tf.setBackend(backend);
  const before = setFallback(backend === native ? "error" : "reference");
  try {
    const [loss, at] = [make(), view()];
    const own = [...(loss.parameters ?? [])].map(({ value }) => value);
    const leaves = [at.initial, at.refined, at.hidden, at.block, ...own] as tf.Tensor[];
    const { value, gradients } = valueAndGradients(() => loss.compute(at).sum, leaves);
    return await Promise.all([value, ...gradients].map((tensor) => tensor.data<"float32">()));
  } finally {
    setFallback(before);
  }
}

describe("visual losses on the embedded backend", () => {
  const closed = Object.keys(visualLosses).map((name) => [name, {}] as const);
  const open = ["direction", "distribution", "das-nce", "smooth-l1"].map(
    (name) => [name, { stopGradient: false }] as const,
  );

  it.each([...closed, ...open])(
    "equal their definition in value and gradients: %s %j",
    async (name, options) => {
      const make = (): VisualLoss =>
        (visualLosses[name] as (typeof visualLosses)[string])({
          width: WIDTH,
          depth: 4,
          features: FEATURES,
          random: createRandom(1, "loss"),
          options,
        });
      const expected = await measure("cpu", make);
      const actual = await measure(native, make);
      expect(actual).toHaveLength(expected.length);
      for (const [i, values] of actual.entries()) {
        const wanted = expected[i] as Float32Array;
        const error = values.reduce(
          (most, value, at) => Math.max(most, Math.abs(value - (wanted[at] as number))),
          0,
        );
        expect(error).toBeLessThan(2e-5);
      }
    },
  );
});
