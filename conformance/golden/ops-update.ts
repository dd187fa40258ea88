import { clipFactor, createOptimizer, globalNorm, Parameter } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import type { GoldenCase } from "./golden-case.js";

interface AdamwOptions {
  readonly lr: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weight_decay: number;
}

/** Several optimizer steps of one parameter. */
export async function checkAdamw(golden: GoldenCase): Promise<void> {
  golden.allowFields("options");
  const options = golden.options<AdamwOptions>("options", ["lr", "betas", "eps", "weight_decay"]);
  const [steps, ...shape] = golden.shape("in.grads") as [number, ...number[]];
  const parameter = new Parameter("param", golden.floats("in.param"), shape);
  const optimizer = createOptimizer({
    groups: [
      {
        name: "all",
        parameters: [parameter],
        learningRate: options.lr,
        weightDecay: options.weight_decay,
      },
    ],
    betas: options.betas,
    epsilon: options.eps,
    decays: () => true,
  });
  const gradients = golden.floats("in.grads");
  const seen: number[] = [];
  for (let step = 0; step < steps; step++) {
    const values = gradients.subarray(step * parameter.size, (step + 1) * parameter.size);
    optimizer.update([tf.tensor(values, shape)], { rate: 1 });
    seen.push(...(await parameter.value.data()));
  }
  golden.compare("out.params", seen);
  const { first, second } = await optimizer.exportState();
  golden.compare("out.exp_avg", first.get("all/param") ?? []);
  golden.compare("out.exp_avg_sq", second.get("all/param") ?? []);
}

/** Norm of all gradients together, and the gradients after clipping. */
export async function checkClip(golden: GoldenCase): Promise<void> {
  golden.allowFields("max_norm");
  const names = golden.tensorNames.filter((name) => name.startsWith("in."));
  const gradients = names.map((name) => golden.tensor(name));
  const norm = globalNorm(gradients);
  await golden.compareTensor("out.norm", norm);
  const factor = clipFactor(norm, golden.record["max_norm"] as number);
  for (const [i, name] of names.entries()) {
    await golden.compareTensor(name.replace("in.", "out."), tf.mul(gradients[i] as tf.Tensor, factor));
  }
}
