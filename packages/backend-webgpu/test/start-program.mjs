// Starts the backend out of its sources, computes something and ends by itself.
import { fileURLToPath } from "node:url";

import { withSource } from "../../../scripts/sources.mjs";

const entry = fileURLToPath(new URL("../src/index.ts", import.meta.url));
await withSource(entry, async ({ start, describe }) => {
  try {
    await start();
    process.stdout.write(`started on ${describe()}\n`);
  } catch (error) {
    process.stdout.write(`${error.code}: ${error.message}\n`);
  }
});
