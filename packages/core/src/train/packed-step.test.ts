import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, expect, it } from "vitest";

import { registerStockGradients } from "../gradients.js";
import { setFallback } from "../kernels/run.js";
import { createDirectionLoss } from "../losses/direction.js";
import { createDistributionLoss } from "../losses/distribution.js";
import { decoderConfig } from "../models/language/config.js";
import { createDecoder } from "../models/language/decoder.js";
import { createProjector } from "../models/projector/projector.js";
import type { Parameter } from "../parameters.js";
import { createRandom } from "../random.js";
import { singleProcess } from "./collective.js";
import { packStep } from "./pack-rows.js";
import { disposeStep, stepGradients } from "./step.js";
import type { VlmBatch } from "./vlm-batch.js";
import { createVlmObjective } from "./vlm-objective.js";

const [FEATURES, WIDTH, PATCHES, WORDS] = [5, 8, 4, 11];

/** A sample: tokens behind its picture, if it has one. */
interface Sample {
  readonly hasImage: boolean;
  readonly tokens: readonly number[];
}

beforeAll(async () => {
  await tf.setBackend("cpu");
  registerStockGradients();
  setFallback("reference");
});

function rowsOf({ hasImage, tokens }: Sample): number {
  return tokens.length + (hasImage ? PATCHES : 0);
}

/** All tokens but the first are supervised. Features of a picture depend on its sample alone. */
function batchOf(samples: readonly Sample[], indices: Int32Array): VlmBatch {
  const chosen = Array.from(indices, (index) => samples[index] as Sample);
  const offsets = [0];
  for (const sample of chosen) offsets.push((offsets.at(-1) as number) + rowsOf(sample));
  let visual = 0;
  const ids = chosen.flatMap(({ hasImage, tokens }) => [
    ...Array.from({ length: hasImage ? PATCHES : 0 }, () => -1 - visual++),
    ...tokens,
  ]);
  const shown = chosen.flatMap(({ hasImage }, sample) => (hasImage ? [sample] : []));
  const features = shown.flatMap((sample) => [
    ...createRandom(indices[sample] as number, "x").fillNormal(new Float32Array(PATCHES * FEATURES), 1),
  ]);
  return {
    packed: {
      ids: Int32Array.from(ids),
      offsets: Int32Array.from(offsets),
      positions: Int32Array.from(chosen.flatMap((sample) => [...Array(rowsOf(sample)).keys()])),
      images: shown.map((sample) => ({ sample, start: offsets[sample] as number, length: PATCHES })),
      countsAsText: Int32Array.from(ids, (id) => Number(id >= 0)),
      labels: Int32Array.from(ids, (id, row) => {
        const isTrained = id >= 0 && !offsets.includes(row + 1);
        return isTrained ? (ids[row + 1] as number) : -100;
      }),
    },
    visual:
      shown.length === 0
        ? null
        : {
            values: Float32Array.from(features),
            width: FEATURES,
            offsets: Int32Array.from({ length: shown.length + 1 }, (_, i) => i * PATCHES),
            grids: shown.map(() => [2, 2] as const),
          },
    sampleIds: chosen.map((_, i) => `${i}`),
  };
}

function model() {
  const sizes = { vocabularySize: WORDS, width: WIDTH, depth: 2, heads: 2, inner: 12 };
  const objective = createVlmObjective({
    encoder: null,
    projector: createProjector("mlp2x_gelu", { features: FEATURES, width: WIDTH, seed: 1 }),
    language: createDecoder(decoderConfig({ ...sizes, initialStd: 0.5 }), { seed: 3 }),
    losses: [createDirectionLoss(), createDistributionLoss()].map((loss) => ({ loss, weightAt: () => 0.5 })),
  });
  const parameters: Parameter[] = ["projector", "language"].flatMap((name) => [
    ...(objective.groups[name] ?? []),
  ]);
  return { objective, parameters };
}

const samples = fc.array(
  fc.record({
    hasImage: fc.boolean(),
    tokens: fc.array(fc.integer({ min: 0, max: WORDS - 1 }), { minLength: 2, maxLength: 6 }),
  }),
  { minLength: 1, maxLength: 6 },
);

it("has one loss and one gradient, however its samples are packed", async () => {
  const { objective, parameters } = model();
  const position = { stage: "a", step: 0, steps: 1 };
  const measure = async (batches: readonly VlmBatch[]): Promise<readonly number[]> => {
    const input = { objective, batches, position, reduction: "global", collective: singleProcess } as const;
    const step = await stepGradients(input, parameters);
    const parts = [...step.parts.values()].map(({ value }) => value);
    const values = [step.loss, ...parts, ...step.gradients].map((tensor) => [...tensor.dataSync()]);
    disposeStep(step);
    return values.flat();
  };
  await fc.assert(
    fc.asyncProperty(samples, fc.integer({ min: 10, max: 40 }), async (list, budget) => {
      const all = Int32Array.from(list.keys());
      const divided = packStep(all, (index) => rowsOf(list[index] as Sample), { budget });
      const packed = await measure(divided.map((indices) => batchOf(list, indices)));
      const whole = await measure([batchOf(list, all)]);
      const scale = Math.max(1e-3, ...whole.map(Math.abs));
      const furthest = Math.max(...whole.map((value, i) => Math.abs(value - (packed[i] ?? Number.NaN))));
      expect(furthest / scale).toBeLessThan(1e-5);
    }),
    { numRuns: 40 },
  );
});
