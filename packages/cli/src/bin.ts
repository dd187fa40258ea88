#!/usr/bin/env node
import { fileURLToPath } from "node:url";

import { main } from "./main.js";
import { runsAs } from "./session/program.js";

// A reader that has seen enough, such as `head`, is no failure.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(0);
  });
}

runsAs(fileURLToPath(import.meta.url));
process.exitCode = await main(process.argv.slice(2));
