import { learningRateFactor } from "@basic-mllm/core";

import type { GoldenCase } from "./golden-case.js";
import { checkAttention } from "./ops-attention.js";
import { moduleOps } from "./ops-modules.js";
import { plainOps } from "./ops-plain.js";
import { checkAdamw, checkClip } from "./ops-update.js";
import { type Check, caseCheck, jsonCheck, readIndex } from "./runner.js";

/** How an op is checked; one per value of `op` in the index. */
const handlers: Readonly<Record<string, (golden: GoldenCase) => Promise<void>>> = {
  ...plainOps,
  ...moduleOps,
  attention: checkAttention,
  adamw: checkAdamw,
  clip_grad_norm: checkClip,
};

/** Single operations: forward values and gradients. */
export function opFamily(folder: string): readonly Check[] {
  const cases = readIndex(folder).map((record) =>
    caseCheck(folder, record, async (golden) => {
      const handler = handlers[String(record["op"])];
      if (handler === undefined) throw new Error(`unknown op "${String(record["op"])}"`);
      await handler(golden);
    }),
  );
  return [...cases, ...jsonCheck(folder, "cosine_schedule.json", scheduleDifferences)];
}

interface ScheduleFile {
  readonly schedules: readonly {
    readonly warmup_steps: number;
    readonly total_steps: number;
    readonly min_ratio: number;
    readonly multiplier: readonly number[];
  }[];
}

function scheduleDifferences({ schedules }: ScheduleFile): readonly { label: string; error: number }[] {
  return schedules.flatMap(({ warmup_steps, total_steps, min_ratio, multiplier }) => {
    const schedule = {
      kind: "cosine" as const,
      steps: total_steps,
      warmupSteps: warmup_steps,
      floor: min_ratio,
    };
    return multiplier.map((expected, step) => ({
      label: `factor ${step} of ${warmup_steps}/${total_steps}/${min_ratio}`,
      error: Math.abs(learningRateFactor(step, schedule) - expected),
    }));
  });
}
