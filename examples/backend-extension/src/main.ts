import { setFallback } from "@basic-mllm/core";
import { runConformance } from "@basic-mllm/testing";
import * as tf from "@tensorflow/tfjs-core";

import { MY_BACKEND } from "./mycpu.js";
import { runRecipe } from "./run-recipe.js";

/** Trains a recipe on our backend, then runs the conformance suite without a test runner. */
async function main(): Promise<void> {
  const { first, last, ownKernelCalls } = await runRecipe();
  say(`recipe alphabet: loss ${first.loss.toFixed(3)} to ${last.loss.toFixed(3)}`);
  say(`our own kernel ran ${ownKernelCalls} times`);
  setFallback("reference");
  const { cases, passed, failed, failures } = await runConformance({
    backend: MY_BACKEND,
    start: () => tf.setBackend(MY_BACKEND),
  });
  say(`conformance: ${passed} of ${cases} cases passed`);
  for (const { contract, title, messages } of failures) say(`${contract}, ${title}: ${messages.join("; ")}`);
  process.exitCode = failed === 0 ? 0 : 1;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

await main();
