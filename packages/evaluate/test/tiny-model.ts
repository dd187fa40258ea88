import "@tensorflow/tfjs-backend-cpu";

import {
  createDecoder,
  createProjector,
  decoderConfig,
  type PackedRows,
  setFallback,
  type TrainingData,
  type VlmBatch,
} from "@basic-mllm/core";
import { packSamples, type TokenSample } from "@basic-mllm/data";
import * as tf from "@tensorflow/tfjs-core";

export const WORDS = ["<pad>", "<s>", "</s>", "lion", "cat", "red", "yes", "no", "what", "?"];

/** A decoder of 10 words and width 8 on tfjs's own cpu kernels, with a projector from 4 features. */
export async function tinyModel() {
  await tf.setBackend("cpu");
  setFallback("reference");
  const sizes = {
    vocabularySize: WORDS.length,
    width: 8,
    depth: 2,
    heads: 2,
    inner: 16,
    initialStd: 0.5,
    tiedHead: true,
  };
  const language = createDecoder(decoderConfig(sizes), { seed: 3 });
  const projector = createProjector("mlp2x_gelu", { features: 4, width: 8, seed: 5 });
  const embed = ({ visual }: VlmBatch): tf.Tensor2D => {
    if (visual === null || !("values" in visual)) throw new Error("the tiny model needs features");
    const rows = tf.tensor2d(visual.values, [visual.values.length / 4, 4]);
    return projector.project({ rows, offsets: visual.offsets, grids: visual.grids }).rows;
  };
  return {
    language,
    projector,
    embed,
    decode: (ids: readonly number[]) => ids.map((id) => WORDS[id] ?? "").join(" "),
    endOfSequence: 2,
    yesNo: [6, 7] as const,
  };
}

/** "<s> <image> what ? ANSWER </s>" for each answer; each picture is two rows of four features. */
export function questionData(answers: readonly (readonly number[])[]): TrainingData<VlmBatch> {
  const sample = (answer: readonly number[], i: number): TokenSample => ({
    id: `q${i}`,
    images: ["picture"],
    ids: Int32Array.from([1, -1, 8, 9, ...answer, 2]),
    weights: Float32Array.from([0, 0, 0, 0, ...answer.map(() => 1), 1]),
  });
  return {
    size: answers.length,
    batch: async (indices) => {
      const chosen = Array.from(indices, (i) => sample(answers[i] ?? [], i));
      const packed: PackedRows = packSamples(
        chosen,
        chosen.map(() => [2]),
      );
      const values = Float32Array.from({ length: chosen.length * 8 }, (_, i) =>
        Math.sin(i + (indices[0] ?? 0)),
      );
      const offsets = Int32Array.from({ length: chosen.length + 1 }, (_, i) => 2 * i);
      const grids = chosen.map(() => [1, 2] as const);
      const words = {
        samples: chosen.map(() => new Set(WORDS.slice(3, 6))),
        rows: chosen.flatMap(() => [new Set(["lion"]), new Set(["red"])]),
      };
      return {
        packed,
        visual: { values, width: 4, offsets, grids },
        sampleIds: chosen.map(({ id }) => id),
        words,
      };
    },
  };
}
