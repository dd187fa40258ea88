// Runs kill-child.ts in processes of its own, and kills them.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

/** Optimizer steps of a whole run. */
export const STEPS = 45;

/** When to kill: after this many steps of the process, or after a time. */
export type Moment = { readonly steps: number } | { readonly milliseconds: number };

/** Bundles a child, since Node 20 runs no TypeScript. @returns The file. */
export async function bundleChild(
  folder: string,
  name: "kill-child" | "kill-lora-child" = "kill-child",
): Promise<string> {
  const outfile = join(folder, `${name}.cjs`);
  await build({
    entryPoints: [fileURLToPath(new URL(`./${name}.ts`, import.meta.url))],
    outfile,
    bundle: true,
    platform: "node",
    format: "cjs",
    conditions: ["@basic-mllm/source"],
    external: ["@basic-mllm/backend-*"],
    // The stock backend registers itself in a file that its package calls free of side effects.
    ignoreAnnotations: true,
    logLevel: "error",
  });
  return outfile;
}

/** Trains in `folder`, from its last checkpoint where it has a run. @returns Whether it came to its end. */
export async function runChild(child: string, folder: string, moment?: Moment): Promise<boolean> {
  const mode = existsSync(join(folder, "recipe.json")) ? "resume" : "start";
  const process = spawn(globalThis.process.execPath, [child, folder, mode], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [steps, errors] = [0, ""];
  process.stdout.on("data", (text: Buffer) => {
    steps += text.toString().split("\n").length - 1;
    if (moment !== undefined && "steps" in moment && steps >= moment.steps) process.kill("SIGKILL");
  });
  process.stderr.on("data", (text: Buffer) => {
    errors += text.toString();
  });
  const ended = new Promise<number | null>((resolve) => {
    process.on("close", resolve);
  });
  if (moment !== undefined && "milliseconds" in moment) {
    await Promise.race([sleep(moment.milliseconds), ended]);
    process.kill("SIGKILL");
  }
  const code = await ended;
  if (code === 1) throw new Error(errors);
  return code === 0;
}

/** What must be equal between two runs: weights, moments, and metrics without what a clock says. */
export async function outcomeOf(folder: string): Promise<{ state: string; metrics: string[] }> {
  const checkpoints = await readdir(join(folder, "checkpoints"));
  const last = checkpoints.sort().at(-1) as string;
  const state = await readFile(join(folder, "checkpoints", last, "state.safetensors"), "base64");
  const lines = (await readFile(join(folder, "metrics.jsonl"), "utf8")).trimEnd().split("\n");
  const metrics = lines.map((line) => {
    const { tokensPerSecond, stepMs, ...rest } = JSON.parse(line);
    return JSON.stringify(rest);
  });
  return { state: `${last} ${state}`, metrics };
}
