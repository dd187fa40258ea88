import { BasicError } from "../errors.js";
import { createOptimizer, type Optimizer, type OptimizerState } from "../optim/adamw.js";
import { learningRateFactor, resolveWarmup, type Schedule } from "../optim/schedule.js";
import { type RecipeStage, resolveSteps } from "../recipe.js";
import { type BatchSource, createBatchSource } from "./batches.js";
import { type Groups, saveCheckpoint } from "./checkpoint.js";
import { anyRank, type Collective, hearFirstRank, onFirstRank } from "./collective.js";
import { freezeGroups } from "./freeze.js";
import type { LinePosition, MetricsLine, MetricsWriter } from "./metrics.js";
import { notFinite } from "./not-finite.js";
import type { Objective, StepPosition, TrainingData } from "./objective.js";
import { canPrepare, prepareStep } from "./prepare.js";
import { frozenParts, trainedParts } from "./selection.js";
import { disposeStep, type StepInput, stackScalars, trainStep } from "./step.js";
import type { TrainEvent, TrainOptions } from "./train-options.js";
import type { Watch } from "./warnings.js";

/** What the stages of a run share. */
export interface RunContext<Batch> {
  readonly options: TrainOptions<Batch>;
  readonly collective: Collective;
  readonly metrics: MetricsWriter;
  readonly watch: Watch;
  readonly emit: (event: TrainEvent) => void;
  /** Stages before this one: checkpoints hold what they trained too. */
  readonly stagesBefore: readonly RecipeStage[];
}

/** One stage to run. */
export interface StageInput<Batch> {
  readonly name: string;
  readonly stage: RecipeStage;
  readonly objective: Objective<Batch>;
  readonly data: TrainingData<Batch>;
  readonly isLast: boolean;
  /** Steps of the stages before it. */
  readonly firstGlobalStep: number;
  /** Of the weights that no stage so far trains, by group. */
  readonly frozen: Readonly<Record<string, string>>;
  /** Where a resumed run goes on. */
  readonly resumed: { readonly step: number; readonly optimizer: OptimizerState } | null;
}

/** What a stage leaves behind. */
export interface StageOutcome {
  readonly globalStep: number;
  readonly checkpoint: string;
}

/** Runs one stage to its end. */
export async function runStage<Batch>(
  context: RunContext<Batch>,
  input: StageInput<Batch>,
): Promise<StageOutcome> {
  const run = new StageRun(context, input);
  try {
    return await run.run();
  } finally {
    run.dispose();
  }
}

class StageRun<Batch> {
  readonly #context: RunContext<Batch>;
  readonly #input: StageInput<Batch>;
  readonly #steps: number;
  readonly #schedule: Schedule;
  readonly #optimizer: Optimizer;
  readonly #learningRate: number;
  readonly #batches: BatchSource<Batch>;
  /** Finished steps. */
  #done: number;
  #checkpoint = "";
  /** Micro-batches of the first step, once it is prepared. */
  #taken: readonly Batch[] | undefined;
  /** Since the last train line. */
  #window = { steps: 0, tokens: 0, since: performance.now() };

  constructor(context: RunContext<Batch>, input: StageInput<Batch>) {
    this.#context = context;
    this.#input = input;
    const { name, stage, data, objective, resumed } = input;
    this.#steps = resolveSteps(stage, data.size);
    const { kind, floor } = stage.schedule;
    this.#schedule = {
      kind,
      floor,
      steps: this.#steps,
      warmupSteps: resolveWarmup(stage.warmup, this.#steps),
    };
    const { seed } = context.options.recipe;
    const { collective } = context;
    this.#batches = createBatchSource({
      data,
      seed,
      stageName: name,
      stage,
      steps: this.#steps,
      collective,
    });
    const groups = freezeGroups(stage, objective.groups);
    const { betas, epsilon, maxNorm, moments = "float32" } = stage;
    this.#learningRate = groups[0]?.learningRate ?? 0;
    this.#optimizer = createOptimizer({ groups, betas, epsilon, maxNorm, moments });
    this.#done = resumed?.step ?? 0;
  }

  dispose(): void {
    this.#optimizer.dispose();
  }

  async run(): Promise<StageOutcome> {
    const { emit, options, collective } = this.#context;
    const { resumed } = this.#input;
    if (resumed !== null) this.#optimizer.importState(resumed.optimizer);
    emit({ kind: "stage-start", steps: this.#steps, ...this.#place() });
    if (resumed === null) await this.#write(this.#stageLine());
    if (canPrepare()) await this.#prepare();
    while (this.#done < this.#steps) {
      await this.#step();
      await letOthersRun();
      // Every rank must stop at the same step.
      const stop = await anyRank(collective, options.signal?.aborted ?? false);
      if (this.#evaluationIsDue()) await this.#evaluate();
      if (stop || this.#isDue(this.#input.stage.checkpointEvery)) await this.#save();
      const complete = this.#input.isLast && this.#done === this.#steps;
      if (stop && !complete) throw this.#interrupted();
    }
    emit({ kind: "stage-end", ...this.#place() });
    return { globalStep: this.#place().globalStep, checkpoint: this.#checkpoint };
  }

  #place(): LinePosition {
    const { name, firstGlobalStep } = this.#input;
    return { stage: name, step: this.#done, globalStep: firstGlobalStep + this.#done };
  }

  #position(step: number): StepPosition {
    return { stage: this.#input.name, step, steps: this.#steps };
  }

  #isDue(every: number): boolean {
    return this.#done % every === 0 || this.#done === this.#steps;
  }

  #evaluationIsDue(): boolean {
    const { evaluateEvery } = this.#input.stage;
    return this.#isDue(evaluateEvery === 0 ? this.#steps : evaluateEvery);
  }

  #stepInput(step: number, batches: readonly Batch[]): StepInput<Batch> {
    const { objective, stage } = this.#input;
    const { collective } = this.#context;
    return { objective, batches, position: this.#position(step), reduction: stage.lossReduction, collective };
  }

  async #prepare(): Promise<void> {
    const step = this.#done;
    this.#taken = await this.#batches.take(step);
    await prepareStep(this.#input.stage, this.#stepInput(step, this.#taken), (kernels) =>
      this.#context.emit({ kind: "compile", kernels, ...this.#place() }),
    );
  }

  async #step(): Promise<void> {
    const { objective, stage } = this.#input;
    const step = this.#done;
    const batches = this.#taken ?? (await this.#batches.take(step));
    this.#taken = undefined;
    const logs = step === 0 || (step + 1) % stage.logEvery === 0 || step + 1 === this.#steps;
    const position = this.#position(step);
    const first = batches[0];
    // Before the update, like the losses of the same line.
    const diagnostics = logs && first !== undefined ? await objective.diagnose?.(first, position) : undefined;
    const factor = learningRateFactor(step, this.#schedule);
    const outcome = await trainStep(this.#stepInput(step, batches), this.#optimizer, factor);
    this.#done++;
    this.#window.steps++;
    this.#window.tokens += outcome.totals.tokens;
    try {
      if (logs) await this.#log(outcome, factor, diagnostics);
    } finally {
      disposeStep(outcome);
    }
    this.#context.emit({ kind: "step", steps: this.#steps, ...this.#place() });
  }

  async #log(
    outcome: Awaited<ReturnType<typeof trainStep>>,
    factor: number,
    diagnostics: Readonly<Record<string, number>> | undefined,
  ): Promise<void> {
    await this.#checkHealth();
    const names = [...outcome.parts.keys()];
    const stacked = stackScalars(outcome);
    const [loss, gradientNorm, ...values] = (await stacked.data()) as Float32Array;
    stacked.dispose();
    const weights = [...outcome.parts.values()].map(({ weight }) => weight);
    const now = performance.now();
    const elapsed = now - this.#window.since;
    const line = {
      kind: "train" as const,
      ...this.#place(),
      loss: loss as number,
      parts: Object.fromEntries(names.map((name, i) => [name, values[i] as number])),
      weighted: Object.fromEntries(
        names.map((name, i) => [name, (weights[i] as number) * (values[i] as number)]),
      ),
      learningRate: this.#learningRate * factor,
      gradientNorm: gradientNorm as number,
      tokensPerSecond: (1000 * this.#window.tokens) / Math.max(elapsed, 1e-3),
      stepMs: elapsed / this.#window.steps,
      ...(diagnostics !== undefined && { diagnostics }),
    };
    await this.#write(line);
    for (const { name, text } of this.#context.watch.look(line)) {
      await this.#write({ kind: "warning", ...this.#place(), name, text });
    }
    this.#window = { steps: 0, tokens: 0, since: performance.now() };
  }

  async #evaluate(): Promise<void> {
    const { evaluate } = this.#context.options;
    if (evaluate === undefined) return;
    await this.#checkHealth();
    const stageEnd = this.#done === this.#steps;
    const results = await evaluate({ ...this.#place(), stageEnd, final: stageEnd && this.#input.isLast });
    for (const { split, metrics } of results) {
      await this.#write({ kind: "evaluation", ...this.#place(), split, metrics });
    }
    this.#window.since = performance.now();
  }

  async #save(): Promise<void> {
    await this.#checkHealth();
    const { collective, emit } = this.#context;
    if (collective.rank === 0) {
      const folderOf = (folder: string): string => folder;
      this.#checkpoint = await onFirstRank(collective, () => this.#writeCheckpoint(), folderOf);
      emit({ kind: "checkpoint", folder: this.#checkpoint, ...this.#place() });
    } else {
      this.#checkpoint = await hearFirstRank(collective);
    }
    await collective.barrier();
  }

  #writeCheckpoint(): Promise<string> {
    const { options, metrics, collective } = this.#context;
    const { data, frozen } = this.#input;
    return saveCheckpoint(options.store, {
      position: {
        version: 1,
        ...this.#place(),
        metricsLines: metrics.lines,
        samples: data.size,
        ranks: collective.size,
        frozen,
      },
      groups: this.#groupsToSave(),
      optimizer: this.#optimizer,
    });
  }

  #groupsToSave(): Groups {
    const { stage, objective } = this.#input;
    return trainedParts([...this.#context.stagesBefore, stage], objective.groups);
  }

  async #checkHealth(): Promise<void> {
    const { finite, finiteSteps } = await this.#optimizer.health();
    if (finite) return;
    const batches = await this.#batches.take(finiteSteps);
    const { store } = this.#context.options;
    throw await notFinite({
      input: this.#stepInput(finiteSteps, batches),
      optimizer: this.#optimizer,
      store,
    });
  }

  #interrupted(): BasicError {
    const { name } = this.#input;
    return new BasicError(
      "E_INTERRUPTED",
      `Stopped after step ${this.#done} of ${this.#steps} of stage "${name}". ` +
        `The state is saved in ${this.#checkpoint}; resume the run to go on.`,
    );
  }

  #stageLine(): MetricsLine {
    const { stage, objective } = this.#input;
    const sizes = (groups: Groups) =>
      Object.fromEntries(Object.entries(groups).map(([name, set]) => [name, set.size] as const));
    const trained = trainedParts([stage], objective.groups);
    const others = Object.entries(objective.groups).filter(([name]) => !Object.hasOwn(trained, name));
    return {
      kind: "stage",
      ...this.#place(),
      steps: this.#steps,
      trains: sizes(trained),
      frozen: { ...sizes(Object.fromEntries(others)), ...sizes(frozenParts([stage], objective.groups)) },
    };
  }

  async #write(line: MetricsLine): Promise<void> {
    if (this.#context.collective.rank !== 0) return;
    await this.#context.metrics.write(line);
    this.#context.emit({ kind: "metrics", line });
  }
}

/** Lets timers and signal handlers run: a synchronous backend never gives them a turn. */
function letOthersRun(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 0);
  });
}
