import { start } from "@basic-mllm/backend-cpu";
import {
  createDecoder,
  createDirectionLoss,
  createOptimizer,
  createProjector,
  createVlmObjective,
  decoderConfig,
  disposeStep,
  singleProcess,
  trainStep,
} from "@basic-mllm/core";

await start(); // native kernels, on all processors

// A projector learns to speak to a frozen Llama of four blocks.
const projector = createProjector("mlp2x_gelu", { features: 8, width: 32, seed: 1 });
const sizes = { vocabularySize: 50, width: 32, depth: 4, heads: 4, inner: 64 };
const language = createDecoder(decoderConfig(sizes), { seed: 2 });
language.parameters.setTrainable(false);
const losses = [{ loss: createDirectionLoss(), weightAt: () => 0.05 }];
const objective = createVlmObjective({ encoder: null, projector, language, losses });
const groups = [{ name: "projector", parameters: [...projector.parameters], learningRate: 0.01 }];
const optimizer = createOptimizer({ groups });

// One sample: token 1, four patches of a picture (-1 to -4), three words. A label is the token of the next row.
const packed = {
  ids: Int32Array.of(1, -1, -2, -3, -4, 7, 8, 2),
  labels: Int32Array.of(-100, -100, -100, -100, 7, 8, 2, -100),
  positions: Int32Array.of(0, 1, 2, 3, 4, 5, 6, 7),
  countsAsText: Int32Array.of(1, 0, 0, 0, 0, 1, 1, 1),
  offsets: Int32Array.of(0, 8),
  images: [{ sample: 0, start: 1, length: 4 }],
};
const values = Float32Array.from({ length: 32 }, (_, i) => Math.sin(i)); // the encoder's output, [4, 8]
const offsets = Int32Array.of(0, 4);

for (let step = 0; step < 20; step++) {
  const result = await trainStep(
    {
      objective,
      batches: [{ packed, visual: { values, width: 8, offsets, grids: [[2, 2]] }, sampleIds: ["first"] }],
      position: { stage: "align", step, steps: 20 },
      reduction: "global",
      collective: singleProcess,
    },
    optimizer,
    1,
  );
  const [loss] = await result.loss.data();
  process.stdout.write(`step ${step}  loss ${loss.toFixed(4)}\n`);
  disposeStep(result);
}
