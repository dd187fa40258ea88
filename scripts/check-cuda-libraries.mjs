// node scripts/check-cuda-libraries.mjs [12.9] [13]: what we tell cuBLASLt and NCCL, held against the libraries themselves. Opt-in:
// fetches some 900 MB of NVIDIA's Python packages a version, once, into .cache. Needs no GPU. Exit code 1 where something differs.
import { join } from "node:path";

import { install, root } from "./steps.mjs";

const versions = process.argv.length > 2 ? process.argv.slice(2) : ["12.9"];
const unknown = versions.filter((version) => !["12.9", "13"].includes(version));
if (unknown.length > 0) {
  console.error(`There are no libraries of CUDA ${unknown.join(", ")} here. Give 12.9, 13 or both.`);
  process.exit(2);
}
await install("stderr");
const { withSource } = await import("./sources.mjs");
await withSource(join(root, "packages/backend-cuda/test/libraries/check.ts"), async ({ checkLibraries }) => {
  for (const version of versions) {
    for (const { text, problems } of await checkLibraries(version)) {
      console.log(`${problems.length === 0 ? "ok" : "✖ "} ${text}`);
      for (const problem of problems) console.log(`     ${problem}`);
      if (problems.length > 0) process.exitCode = 1;
    }
  }
});
