import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { runPlainLoop } from "./plain-loop.js";
import { runTransformersFeatures } from "./transformers-features.js";

/** Runs both examples and says what they reached. */
async function main(): Promise<void> {
  const [without, supervised] = [await runPlainLoop(40, 0), await runPlainLoop(40, 0.1)];
  say("plain loop, direction loss without BASIC", without.at(-1)?.direction);
  say("plain loop, direction loss with BASIC", supervised.at(-1)?.direction);

  const folder = await mkdtemp(join(tmpdir(), "basic-mllm-"));
  const { first, last } = await runTransformersFeatures(folder);
  say("transformers.js features, language loss at first", first.parts["language"]);
  say("transformers.js features, language loss at last", last.parts["language"]);
  await rm(folder, { recursive: true });
}

function say(what: string, value: number | undefined): void {
  process.stdout.write(`${what.padEnd(52)} ${value?.toFixed(4)}\n`);
}

await main();
