import type { Recipe, StartedBackend } from "@basic-mllm/core";
import pc from "picocolors";

import { count, type Terminal, table } from "../terminal.js";
import { memoryTable, type StageMemory } from "./memory.js";
import type { PartSummary } from "./task.js";

/** What {@link printStartTable} shows. */
export interface StartTable {
  readonly recipe: Recipe;
  readonly backend: StartedBackend;
  readonly parts: readonly PartSummary[];
  /** Of each stage, where it was estimated. */
  readonly memory?: readonly StageMemory[];
}

/** Prints what trains and what is frozen in each stage, on what, and the memory it takes, before the first step. */
export function printStartTable(terminal: Terminal, { recipe, backend, parts, memory }: StartTable): void {
  const stages = Object.entries(recipe.stages);
  const rows = parts
    .filter((part) => part.parameters > 0)
    .map((part) => [
      part.name,
      count(part.parameters),
      ...stages.map(([, stage]) => (stage.train.includes(part.name) ? pc.green("trains") : pc.dim("frozen"))),
    ]);
  terminal.line(`${pc.bold(recipe.name)}  seed ${recipe.seed}  backend ${backend.name} (${backend.device})`);
  terminal.line(table(["PART", "PARAMETERS", ...stages.map(([name]) => name.toUpperCase())], rows));
  for (const [name, stage] of stages) terminal.line(`  ${pc.dim(name)}  ${describeStage(stage)}`);
  if (memory !== undefined) terminal.line(memoryTable(memory));
  terminal.line();
}

function describeStage(stage: Recipe["stages"][string]): string {
  const { steps, batchSize, accumulate, learningRate } = stage;
  const length = typeof steps === "number" ? `${steps} steps` : `${steps.epochs} epochs`;
  const batch = accumulate > 1 ? `${batchSize} × ${accumulate}` : `${batchSize}`;
  const losses = Object.entries(stage.losses).map(([loss, { weight }]) => `${weight} ${loss}`);
  const total = losses.join(" + ");
  return `${length} of batch ${batch}, learning rate ${JSON.stringify(learningRate)}, loss = ${total}`;
}

/** Each part with the stages that train it, for the report. */
export function summariseStages(recipe: Recipe, parts: readonly PartSummary[]) {
  const stages = Object.entries(recipe.stages);
  return parts
    .filter((part) => part.parameters > 0)
    .map(({ name, parameters }) => ({
      name,
      parameters,
      trains: stages.filter(([, stage]) => stage.train.includes(name)).map(([stage]) => stage),
    }));
}
