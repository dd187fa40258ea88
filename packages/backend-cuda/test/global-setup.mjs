// Vitest loads this without the condition under which our packages are their sources.
import { fileURLToPath } from "node:url";

import { withSource } from "../../../scripts/sources.mjs";

/** Runs the setup of setup.ts, before any test. */
export async function setup() {
  const file = fileURLToPath(new URL("setup.ts", import.meta.url));
  await withSource(file, (loaded) => loaded.setup());
}
