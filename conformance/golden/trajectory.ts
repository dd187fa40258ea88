import {
  createOptimizer,
  disposeStep,
  learningRateFactor,
  type Parameter,
  singleProcess,
  trainStep,
  type VlmBatch,
} from "@basic-mllm/core";

import { type CaseRecord, GoldenCase } from "./golden-case.js";
import { batchOf, type LlavaCase, openLlava, parameterOf } from "./llava-model.js";

interface TrainSettings {
  readonly steps: number;
  readonly micro_batch: number;
  readonly grad_accumulation: number;
  readonly lr: number;
  readonly warmup_steps: number;
  readonly schedule: string;
  readonly weight_decay: number;
  readonly decay: string;
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly max_grad_norm: number;
}

const SETTINGS = [
  "steps",
  "micro_batch",
  "grad_accumulation",
  "lr",
  "warmup_steps",
  "schedule",
  "weight_decay",
  "decay",
  "betas",
  "eps",
  "max_grad_norm",
] as const;

const PART_NAMES = { language: "lm", direction: "das", distribution: "sds" } as const;

/** A whole training run: losses, norms and learning rates of each step, and the parameters at its end. */
export async function checkTrajectory(
  golden: GoldenCase,
  data: ReadonlyMap<string, CaseRecord>,
): Promise<void> {
  golden.allowFields("options", "losses", "data", "stage", "accumulation", "train", "total_loss");
  const source = data.get(String(golden.record["data"]));
  if (source === undefined) throw new Error(`unknown data "${String(golden.record["data"])}"`);
  const samples = new GoldenCase(golden.folder, source);
  const opened = await openLlava(golden);
  const settings = settingsOf(golden);
  const optimizer = createOptimizer({
    groups: [
      {
        name: "all",
        parameters: trainedParameters(golden, opened),
        learningRate: settings.lr,
        weightDecay: settings.weight_decay,
      },
    ],
    betas: settings.betas,
    epsilon: settings.eps,
    maxNorm: settings.max_grad_norm,
  });
  const log: Record<string, number[]> = { lm: [], das: [], sds: [], total: [], grad_norm: [], lr: [] };
  for (let step = 0; step < settings.steps; step++) {
    const rate = learningRateFactor(step, {
      kind: "cosine",
      steps: settings.steps,
      warmupSteps: settings.warmup_steps,
      floor: 0,
    });
    const input = {
      objective: opened.objective,
      batches: stepBatches(samples, opened, { settings, step }),
      position: { stage: "golden", step, steps: settings.steps },
      reduction: reductionOf(golden),
      collective: singleProcess,
    };
    const done = await trainStep(input, optimizer, rate);
    for (const [name, { value }] of done.parts) {
      log[PART_NAMES[name as keyof typeof PART_NAMES]]?.push((await value.data())[0] as number);
    }
    log["total"]?.push((await done.loss.data())[0] as number);
    log["grad_norm"]?.push((await done.norm.data())[0] as number);
    log["lr"]?.push(settings.lr * rate);
    disposeStep(done);
  }
  for (const [name, values] of Object.entries(log)) golden.compare(`out.log.${name}`, values);
  for (const tensor of golden.tensorNames.filter((name) => name.startsWith("final."))) {
    await golden.compareTensor(tensor, parameterOf(opened.model, tensor.slice("final.".length)).value);
  }
}

function settingsOf(golden: GoldenCase): TrainSettings {
  const settings = golden.options<TrainSettings>("train", SETTINGS);
  if (settings.schedule !== "cosine to 0") throw new Error(`unknown schedule "${settings.schedule}"`);
  if (settings.decay !== "tensors with 2 or more dimensions")
    throw new Error(`unknown decay "${settings.decay}"`);
  return settings;
}

function reductionOf(golden: GoldenCase): "global" | "mean-of-means" {
  const { accumulation } = golden.record;
  if (accumulation === "global" || accumulation === "mean-of-means") return accumulation;
  throw new Error(`unknown accumulation "${String(accumulation)}"`);
}

/** Stage 1 trains the projector, stage 2 the language model too. */
function trainedParameters(golden: GoldenCase, { model }: LlavaCase): readonly Parameter[] {
  const { stage, losses } = golden.record;
  if (stage !== 1 && stage !== 2) throw new Error(`unknown stage ${String(stage)}`);
  if (losses !== "lm" && losses !== "basic") throw new Error(`unknown losses "${String(losses)}"`);
  model.language.parameters.setTrainable(stage === 2);
  return [...model.projector.parameters, ...(stage === 2 ? model.language.parameters : [])];
}

function stepBatches(
  samples: GoldenCase,
  { model }: LlavaCase,
  { settings, step }: { settings: TrainSettings; step: number },
): readonly VlmBatch[] {
  const { micro_batch: size, grad_accumulation: accumulation } = settings;
  const [all] = samples.shape("in.input_ids") as [number];
  return Array.from({ length: accumulation }, (_, i) => {
    const first = (accumulation * step + i) * size;
    return batchOf(
      samples,
      model,
      Array.from({ length: size }, (__, n) => (first + n) % all),
    );
  });
}
