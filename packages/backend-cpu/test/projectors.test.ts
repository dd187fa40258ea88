import "@tensorflow/tfjs-backend-cpu";

import { createProjector, projectorNames, setFallback, valueAndGradients } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";

import type { CpuBackend } from "../src/backend.js";
import { start } from "../src/start.js";

/** Options that make each projector small; grids whose cells are no whole number of patches. */
const small: Readonly<Record<string, object>> = {
  ldpv2: { pool: [4, 3] },
  "c-abstractor": { pool: [4, 3], depth: 1, hidden: 24 },
  resampler: { queries: 5, depth: 2, heads: 2, headWidth: 8 },
};
const names = projectorNames.map((name) => name.replace("mlpNx", "mlp3x"));
const grid = [6, 6] as const;
const place = { features: 24, width: 24, patches: grid };

/** The embeddings of two images and the gradients by features and weights, on the current backend. */
function embeddings(name: string): readonly Float32Array[] {
  const vocabulary = tf.tensor2d(waves(100 * 24), [100, 24]);
  const projector = createProjector(name, { ...place, ...small[name], vocabulary, seed: 2 });
  const features = tf.tensor2d(waves(72 * 24), [72, 24]);
  const trained = [...projector.parameters].filter(({ trainable }) => trainable).map(({ value }) => value);
  const input = { offsets: Int32Array.of(0, 36, 72), grids: [grid, grid] };
  const { value, gradients } = valueAndGradients(() => {
    const { rows } = projector.project({ rows: features, ...input });
    return tf.sum(tf.mul(rows, tf.tensor2d(waves(rows.size), rows.shape))) as tf.Scalar;
  }, [features, ...trained]);
  const read = [value, ...gradients].map((tensor) => Float32Array.from(tensor.dataSync()));
  tf.dispose([value, ...gradients, features, vocabulary]);
  projector.parameters.dispose();
  return read;
}

function waves(size: number): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => Math.sin(i * 1.7));
}

describe.each(names)("the projector %s", (name) => {
  it("trains as on stock tfjs, with no large tensor left to JavaScript", async () => {
    await tf.setBackend("cpu");
    const before = setFallback("reference");
    const expected = embeddings(name);
    setFallback(before);
    await start({ threads: 2 });
    const called = (tf.backend() as CpuBackend).javascriptCalls();
    const actual = embeddings(name);
    expect((tf.backend() as CpuBackend).javascriptCalls()).toEqual(called);
    for (const [i, values] of expected.entries()) {
      const scale = values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-3);
      const error = values.reduce(
        (worst, value, j) => Math.max(worst, Math.abs(value - (actual[i]?.[j] ?? 0))),
        0,
      );
      expect(error / scale, `gradient ${i - 1}`).toBeLessThan(2e-4);
    }
  });
});
