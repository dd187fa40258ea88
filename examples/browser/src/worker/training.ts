import {
  BasicError,
  createMemoryStore,
  type EvaluationMoment,
  type MemoryFiles,
  RECIPE_FILE,
  type TrainEvent,
  type TrainingData,
  train,
  type VlmBatch,
} from "@basic-mllm/core";

import type { Message } from "../protocol.js";
import type { Session } from "./session.js";
import type { Turns } from "./turns.js";

/** Steps between two looks at the picture that the visitor watches. */
const LOOK_EVERY = 10;

/** What a {@link Training} tells and asks. */
export interface TrainingContext {
  readonly session: Session;
  readonly turns: Turns;
  readonly post: (message: Message) => void;
  /** Looks at the watched picture; called between two steps. */
  readonly onLook: (globalStep: number) => Promise<void>;
}

/** A run of the recipe in memory, which can be stopped between two steps and go on. */
export class Training {
  readonly files: MemoryFiles;
  readonly #context: TrainingContext;
  #stop = new AbortController();
  #globalStep = 0;

  /** @param files - Of the run to go on with. Default: a new one. */
  constructor(context: TrainingContext, files: MemoryFiles = new Map()) {
    this.#context = context;
    this.files = files;
  }

  get globalStep(): number {
    return this.#globalStep;
  }

  /** Stops after the step that is being done. */
  pause(): void {
    this.#stop.abort();
  }

  /** Trains to the end, or to where it is paused. @throws `BasicError` what training throws, `E_DEVICE_LOST` among them. */
  async run(): Promise<"finished" | "paused"> {
    const { session, turns, post } = this.#context;
    this.#stop = new AbortController();
    try {
      const { globalStep } = await turns.training(() =>
        train<VlmBatch>({
          recipe: session.recipe,
          objective: () => session.objective,
          data: (stage) => this.#withGaps(session.data(stage)),
          store: createMemoryStore(this.files),
          onEvent: (event) => this.#tell(event),
          signal: this.#stop.signal,
          evaluate: (moment) => this.#evaluate(moment),
          ...(this.files.has(RECIPE_FILE) && { resume: "last" as const }),
        }),
      );
      post({ kind: "finished", globalStep });
      return "finished";
    } catch (error) {
      if (!(error instanceof BasicError) || error.code !== "E_INTERRUPTED") throw error;
      post({ kind: "paused", globalStep: this.#globalStep });
      return "paused";
    }
  }

  /** Batches are made between two steps: there the page gets its turn. */
  #withGaps(data: TrainingData<VlmBatch>): TrainingData<VlmBatch> {
    return {
      ...data,
      batch: async (indices, position) => {
        await this.#context.turns.gap();
        if (position.step % LOOK_EVERY === 0) await this.#context.onLook(this.#globalStep);
        return data.batch(indices, position);
      },
    };
  }

  async #evaluate(moment: EvaluationMoment) {
    const { session, post } = this.#context;
    const { stage, step, globalStep, final } = moment;
    const isLast = stage === Object.keys(session.recipe.stages).at(-1);
    // Before the last stage nothing has taught the model to answer.
    if (!isLast) return [];
    const { asked } = session.size;
    const metrics = await session.evaluate(final ? asked.final : asked.during);
    const results = [{ split: Object.keys(session.recipe.data.evaluation)[0] ?? "", metrics }];
    post({ kind: "evaluated", stage, step, globalStep, results });
    return results;
  }

  #tell(event: TrainEvent): void {
    const { post } = this.#context;
    if (event.kind === "step") {
      const { stage, step, steps, globalStep } = event;
      this.#globalStep = globalStep;
      post({ kind: "step", stage, step, steps, globalStep });
    }
    if (event.kind === "stage-start") this.#globalStep = event.globalStep;
    if (event.kind === "metrics" && event.line.kind === "train") post({ kind: "metrics", line: event.line });
    if (event.kind === "checkpoint") post({ kind: "checkpoint", globalStep: event.globalStep });
  }
}
