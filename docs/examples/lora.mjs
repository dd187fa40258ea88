import { start } from "@basic-mllm/backend-cpu";
import {
  attachLora,
  createDecoder,
  createLanguageObjective,
  createOptimizer,
  decoderConfig,
  disposeStep,
  singleProcess,
  trainStep,
} from "@basic-mllm/core";

await start();

const sizes = { vocabularySize: 50, width: 32, depth: 4, heads: 4, inner: 64 };
const language = createDecoder(decoderConfig(sizes), { seed: 2 });
language.parameters.setTrainable(false);
language.recompute = true;
const lora = attachLora(language, {
  rank: 4,
  alpha: 8,
  dropout: 0.05,
  targets: ["q_proj", "v_proj", "*.mlp.*"],
});
const objective = createLanguageObjective(language, lora);
const groups = [{ name: "lora", parameters: [...lora.parameters], learningRate: 0.02 }];
const optimizer = createOptimizer({ groups });

const packed = {
  ids: Int32Array.of(1, 7, 8, 9, 2),
  labels: Int32Array.of(7, 8, 9, 2, -100),
  positions: Int32Array.of(0, 1, 2, 3, 4),
  countsAsText: Int32Array.of(1, 1, 1, 1, 1),
  offsets: Int32Array.of(0, 5),
  images: [],
};
for (let step = 0; step < 20; step++) {
  const result = await trainStep(
    {
      objective,
      batches: [{ packed }],
      position: { stage: "finetune", step, steps: 20 },
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
lora.merge(); // from here on the model costs what it did without adapters
