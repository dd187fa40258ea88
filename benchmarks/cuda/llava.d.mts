/** A stage of LLaVA-1.5-7B. */
export interface StepCase {
  readonly name: string;
  /** Rows of text of a sample. */
  readonly text: number;
  readonly lora: boolean;
  /** For people. */
  readonly title: string;
}

/** An opened stage. */
export interface OpenedStep {
  /** Of a step. */
  readonly rows: number;
  step(): Promise<void>;
  disposeOptimizer(): void;
  /** Of the models. */
  dispose(): void;
}

export const stepCases: readonly StepCase[];

export function openStep(
  chosen: StepCase,
  options?: { readonly samples?: number; readonly storage?: "f32" | "bf16" },
): OpenedStep;
