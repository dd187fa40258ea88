import { type Recipe, type StartedBackend, type TrainedShare, trainedShare } from "@basic-mllm/core";
import pc from "picocolors";

import { count, type Terminal, table } from "../terminal.js";
import { checkMemoryLimit, estimateMemory, memoryTable, stageStates, stateTable } from "./memory.js";
import type { PartSummary, TaskSession } from "./task.js";

/** What {@link printStartTable} shows. */
export interface StartTable {
  readonly recipe: Recipe;
  readonly backend: StartedBackend;
  readonly parts: readonly Pick<PartSummary, "name" | "parameters">[];
  /** The table of it, where it was estimated. */
  readonly memory?: string;
}

/** Prints what trains and what is frozen in each stage, on what, and the memory it takes, before the first step. */
export function printStartTable(terminal: Terminal, { recipe, backend, parts, memory }: StartTable): void {
  const stages = Object.entries(recipe.stages);
  const rows = parts
    .filter((part) => part.parameters > 0)
    .map((part) => [
      part.name,
      count(part.parameters),
      ...stages.map(([, stage]) => shareText(trainedShare(stage, part.name))),
    ]);
  terminal.line(`${pc.bold(recipe.name)}  seed ${recipe.seed}  backend ${backend.name} (${backend.device})`);
  terminal.line(table(["PART", "PARAMETERS", ...stages.map(([name]) => name.toUpperCase())], rows));
  for (const [name, stage] of stages) terminal.line(`  ${pc.dim(name)}  ${describeStage(stage)}`);
  if (memory !== undefined) terminal.line(memory);
  terminal.line();
}

function shareText(share: TrainedShare): string {
  if (share === "none") return pc.dim("frozen");
  return pc.green(share === "whole" ? "trains" : "trains in part");
}

/** What {@link printStart} starts. */
export interface Start {
  readonly recipe: Recipe;
  readonly backend: StartedBackend;
  readonly terminal: Terminal;
  /** Bytes that the process may take. */
  readonly memoryLimit?: number;
  /** GPUs that share the steps, of which the process has one. Default 1. */
  readonly ranks?: number;
}

/**
 * Prints the start table of a run. The peak is predicted only where there is a limit: that goes through steps.
 *
 * @throws `BasicError` `E_MEMORY_LIMIT` where the run would take more.
 */
export async function printStart<Batch>(
  session: TaskSession<Batch>,
  { recipe, backend, terminal, memoryLimit, ranks }: Start,
): Promise<void> {
  const { parts } = session;
  if (memoryLimit === undefined) {
    const memory = stateTable(await stageStates(recipe, session));
    printStartTable(terminal, { recipe, backend, parts, memory });
    return;
  }
  const estimate = await estimateMemory(recipe, session, ranks);
  printStartTable(terminal, { recipe, backend, parts, memory: memoryTable(estimate) });
  checkMemoryLimit(estimate, memoryLimit);
}

function describeStage(stage: Recipe["stages"][string]): string {
  const { steps, batchSize, accumulate, rowBudget, learningRate } = stage;
  const length = typeof steps === "number" ? counted(steps, "step") : counted(steps.epochs, "epoch");
  const divided = accumulate > 1 ? `${batchSize} × ${accumulate}` : `${batchSize}`;
  const batch =
    stage.packing === "rows"
      ? `${batchSize * accumulate} packed into at most ${rowBudget} rows at a time`
      : divided;
  const losses = Object.entries(stage.losses).map(([loss, { weight }]) => `${weight} ${loss}`);
  const total = losses.join(" + ");
  return `${length} of batch ${batch}, learning rate ${ratesText(learningRate)}, loss = ${total}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function ratesText(rates: Recipe["stages"][string]["learningRate"]): string {
  if (typeof rates === "number") return String(rates);
  return Object.entries(rates)
    .map(([entry, rate]) => `${rate} ${entry}`)
    .join(", ");
}

/** Each part with the stages that train it, for the report. */
export function summariseStages(recipe: Recipe, parts: StartTable["parts"]) {
  const stages = Object.entries(recipe.stages);
  return parts
    .filter((part) => part.parameters > 0)
    .map(({ name, parameters }) => ({
      name,
      parameters,
      trains: stages.filter(([, stage]) => trainedShare(stage, name) !== "none").map(([stage]) => stage),
    }));
}
