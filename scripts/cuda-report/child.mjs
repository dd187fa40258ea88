// child.mjs facts | timings SIZE: asks the CUDA backend in a process of its own. The last line is JSON.
import { join } from "node:path";

import { withSource } from "../sources.mjs";
import { root } from "../steps.mjs";

const [what, size] = process.argv.slice(2);
const report = join(root, "packages/backend-cuda/test/report.ts");
try {
  const answer = await withSource(report, ({ deviceFacts, timings }) =>
    what === "facts" ? deviceFacts() : timings(size),
  );
  console.log(JSON.stringify(answer));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
