// Every check of one engine and instruction set, as a program: suite.ts bundles it for other processors. Engine and
// instruction set come from the environment, the folder of golden values from the command line. Prints JSON at the end.
import { start } from "@basic-mllm/backend-cpu";
import { startBackend } from "@basic-mllm/core";

import { main as golden } from "../../../conformance/golden/main.js";
import { main as conformance } from "../../../conformance/main.js";
import { caseBits, differing } from "./case-bits.js";
import type { SuiteResult } from "./suite.js";

const [root = ""] = process.argv.slice(2);
const load = () => import("@basic-mllm/backend-cpu");

const { device } = await startBackend("cpu", { load });
const cases = await conformance("cpu");
const values = await golden({ root, backend: "cpu", wanted: ["ops", "losses"], log: () => {} });

await start({ threads: 1 });
const expected = caseBits();
const unequal: string[] = [];
for (const threads of [2, 4]) {
  await start({ threads });
  unequal.push(...differing(expected, caseBits()));
}

const { failures, ...conformanceCounts } = cases;
const result: SuiteResult = {
  device,
  conformance: conformanceCounts,
  failures,
  golden: values.summary,
  unequal,
};
process.stdout.write(`${JSON.stringify(result)}\n`);
