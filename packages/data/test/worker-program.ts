// Threads run JavaScript: their program is bundled where its packages are found.
import { rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const FOLDER = new URL("../../../node_modules/.cache/basic-mllm/", import.meta.url);

/** Bundles the program of a thread that opens images. */
export async function workerProgram(): Promise<{ program: URL; remove: () => Promise<void> }> {
  const program = new URL(`image-worker-${process.pid}-${process.hrtime.bigint()}.mjs`, FOLDER);
  await build({
    entryPoints: [fileURLToPath(new URL("../src/image-worker.ts", import.meta.url))],
    outfile: fileURLToPath(program),
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    conditions: ["@basic-mllm/source"],
    external: ["sharp", "piscina", "@tensorflow/*", "@huggingface/*", "zod"],
    logLevel: "error",
  });
  return { program, remove: () => rm(program, { force: true }) };
}
