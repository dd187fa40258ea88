// Adapters over packed weights learn what they learn over the float32 values of the same weights.
import {
  attachLora,
  createDecoder,
  createLanguageObjective,
  createRandom,
  decoderConfig,
  type PackedRows,
  type PackedStorage,
  packers,
  randomValues,
  unpack,
  type ValueSource,
  valueAndGradients,
  withDropout,
} from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";

import { start } from "../src/start.js";

const config = decoderConfig({
  vocabularySize: 40,
  width: 64,
  depth: 2,
  heads: 4,
  inner: 96,
  initialStd: 0.3,
});
const PRODUCTS = 7 * config.depth;
/** Relative tolerance of BasicFrozenLinear and of its gradient. */
const KERNEL = 2e-6;

const random = randomValues(3, { weight: 0.2, embedding: 1 });
const ids = Int32Array.from({ length: 24 }, (_, i) => (i * i + 3) % 40);
const packed: PackedRows = {
  ids,
  offsets: Int32Array.of(0, 10, 24),
  positions: ids.map((_, i) => (i < 10 ? i : i - 10)),
  images: [],
  countsAsText: ids.map(() => 1),
  labels: ids.map((_, i) => (i === 9 || i === 23 ? -100 : (ids[i + 1] as number))),
};

/** Loss, and gradients of the adapters, of a decoder with these weights. */
function train(values: ValueSource, storage: string, dropout: number) {
  const decoder = createDecoder(config, { values });
  const products = [...decoder.linears.values()].map(({ weight }) => weight.storage);
  expect(new Set(products)).toEqual(new Set([storage]));
  decoder.parameters.setTrainable(false);
  const start = createRandom(8, "adapters");
  const lora = attachLora(decoder, {
    rank: 4,
    alpha: 8,
    dropout,
    seed: 5,
    // B is not zero, so that A has a gradient.
    values: (_, shape) =>
      start.fillNormal(new Float32Array((shape[0] as number) * (shape[1] as number)), 0.1),
  });
  expect(lora.targets).toHaveLength(PRODUCTS);
  const objective = createLanguageObjective(decoder, lora);
  const key = { stage: "tune", step: 3, microBatch: 0 };
  const { value, gradients } = valueAndGradients(
    () =>
      withDropout(key, () => {
        const [part] = objective.parts({ packed }, { stage: "tune", step: 3, steps: 9 });
        return part?.sum as tf.Scalar;
      }),
    [...lora.parameters].map((parameter) => parameter.value),
  );
  const found = [value, ...gradients].map((tensor) => Float64Array.from(tensor.dataSync()));
  lora.detach();
  decoder.parameters.dispose();
  return found;
}

const norm = (values: Float64Array): number => Math.hypot(...values);

it.each(Object.keys(packers) as PackedStorage[])(
  "gives adapters over %s the gradients of the float32 values",
  async (storage) => {
    await start({ threads: 2 });
    const words = new Map<string, Int32Array>();
    const plain: ValueSource = (name, shape, role) => {
      const values = random(name, shape, role);
      if (!name.endsWith("_proj.weight")) return values;
      const code = packers[storage](values as Float32Array);
      words.set(name, code);
      return unpack(storage, code, values.length);
    };
    for (const dropout of [0, 0.25]) {
      const expected = train(plain, "f32", dropout);
      const source = Object.assign(plain.bind(null), {
        packed: (name: string) => ({ storage, words: words.get(name) as Int32Array }),
      });
      const found = train(source, storage, dropout);
      expect(found.length).toBe(1 + 2 * PRODUCTS);
      for (const [i, values] of found.entries()) {
        const wanted = expected[i] as Float64Array;
        expect(norm(wanted)).toBeGreaterThan(0);
        // Each product on the way there and back adds the error of its kernel.
        const distance = norm(values.map((one, at) => one - (wanted[at] as number)));
        expect(distance / norm(wanted)).toBeLessThan(2 * PRODUCTS * KERNEL);
      }
    }
  },
);
