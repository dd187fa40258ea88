// Vitest loads this without the condition under which our packages are their sources.
import { fileURLToPath } from "node:url";

import { withSource } from "../../../scripts/sources.mjs";

/** Builds the emulator before any test; environment.ts hands it to the processes of these tests, and to no others. */
export async function setup(project) {
  const file = fileURLToPath(new URL("setup.ts", import.meta.url));
  project.provide("cudaEnvironment", await withSource(file, (loaded) => loaded.testEnvironment()));
}
