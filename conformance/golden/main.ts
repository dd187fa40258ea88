import { registerStockGradients, startBackend } from "@basic-mllm/core";

import { startTested } from "../backends.js";
import { llavaFamily } from "./llava.js";
import { lossFamily } from "./losses.js";
import { modelFamily } from "./models.js";
import { opFamily } from "./ops.js";
import { projectorFamily } from "./projectors.js";
import { type Family, type FamilySummary, hasFailed, type KnownGap, runGolden } from "./runner.js";

/** Families that need a device and nothing else: they also run on other processors. */
const families: Readonly<Record<string, Family>> = {
  losses: lossFamily,
  ops: opFamily,
  llava: llavaFamily,
  models: modelFamily,
  projectors: projectorFamily,
};

/** What does not work yet. */
const gaps: readonly KnownGap[] = [{ family: "scorers", reason: "benchmark scorers are not built yet" }];

/** Where and on what to run. */
export interface GoldenSettings {
  readonly root: string;
  /** Besides those of every device. */
  readonly families?: Readonly<Record<string, Family>>;
  /** `cpu`, another backend of ours, or `reference`: tfjs's own cpu backend and the slow compositions. */
  readonly backend: string;
  readonly wanted: readonly string[];
  readonly log: (line: string) => void;
}

/** Runs the goldens; `failed` decides the exit code. */
export async function main(
  settings: GoldenSettings,
): Promise<{ summary: Readonly<Record<string, FamilySummary>>; failed: boolean }> {
  registerStockGradients();
  const toleranceFactor = await start(settings.backend);
  const all = { ...families, ...settings.families };
  const summary = await runGolden({ ...settings, families: all, gaps, toleranceFactor });
  return { summary, failed: hasFailed(summary) };
}

/** Starts the backend; gives its factor on tolerances. */
async function start(backend: string): Promise<number> {
  if (backend !== "reference") return (await startTested(backend)).toleranceFactor;
  await import("@tensorflow/tfjs-backend-cpu");
  await startBackend("tfjs:cpu", { fallback: "reference" });
  return 1;
}
