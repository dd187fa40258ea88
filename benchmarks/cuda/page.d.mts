import type { RehearsedWork } from "@basic-mllm/backend-cuda";

import type { StepCase } from "./llava.mjs";

/** A step that was rehearsed. */
export interface RehearsedStep {
  readonly chosen: StepCase;
  /** Of products; in `bf16` of activations as well. For each stage `f32` comes first, then `tf32`. */
  readonly precision: "f32" | "tf32" | "bf16";
  readonly rows: number;
  readonly works: readonly RehearsedWork[];
}

/** Memory of a GPU that a stage takes at its peak. */
export interface PeakMemory {
  readonly chosen: StepCase;
  readonly samples: number;
  readonly storage: string;
  /** What activations are kept in. */
  readonly precision: "f32" | "bf16";
  readonly weightBytes: number;
  readonly peakBytes: number;
}

/** The text of docs/cuda-roofline.md. `host`: rows of results/cuda.jsonl. */
export function rooflinePage(content: {
  readonly steps: readonly RehearsedStep[];
  readonly memory: readonly PeakMemory[];
  readonly host: string;
}): string;
