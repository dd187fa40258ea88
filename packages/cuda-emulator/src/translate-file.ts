import { readFileSync, writeFileSync } from "node:fs";

import { translate } from "./translate.js";

/** What the driver runs to load a module: `node translate-file.mjs in.ptx out.cpp`. Says on standard error what it cannot do. */
const [input = "", output = ""] = process.argv.slice(2);
try {
  writeFileSync(output, translate(readFileSync(input, "utf8")));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
