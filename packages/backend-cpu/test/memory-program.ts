// Conformance and fuzzing on an addon that watches its memory: memory.slow.ts builds it and bundles this beside it.
// Every tensor is a block of its own size, which is given back at once. Arguments: calls per function, seed.
import { writeSync } from "node:fs";

import { runConformance } from "@basic-mllm/testing";
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";

import { BACKEND_NAME, CpuBackend } from "../src/backend.js";
import type { NativeBindings } from "../src/bindings.js";
import { Block, BlockPool } from "../src/block-pool.js";
import { describe, start } from "../src/index.js";
import { native } from "../src/native.js";
import { caseBits } from "./case-bits.js";
import { blockArrays } from "./fuzz/arguments.js";
import { plans, problemOf } from "./fuzz/check.js";

/** What the program prints last. */
export interface MemoryResult {
  readonly devices: readonly string[];
  readonly cases: number;
  readonly calls: number;
  readonly failures: readonly string[];
}

/** A pool without size classes, which keeps nothing. */
class ExactPool extends BlockPool {
  readonly #source: NativeBindings;

  constructor(source: NativeBindings) {
    super(source);
    this.#source = source;
  }

  override take(length: number): Block {
    return new Block(this.#source.allocateBlock(length));
  }

  override give(block: Block): void {
    if (!block.inUse) return;
    block.inUse = false;
    this.#source.freeBlock(block.whole);
  }
}

const [runs = 0, seed = 0] = process.argv.slice(2).map(Number);
const failures: string[] = [];
const devices: string[] = [];
let [cases, calls] = [0, 0];

/** The last line tells what ran when the process was killed. */
function say(text: string): void {
  writeSync(2, `${text}\n`);
}

function fuzz(): void {
  for (const plan of fc.sample(plans(), { numRuns: runs, seed })) {
    say(JSON.stringify(plan));
    const problem = problemOf(native(), plan, blockArrays(native()));
    if (problem !== undefined) failures.push(`${describe()}: ${JSON.stringify(plan)}: ${problem}`);
    calls++;
  }
}

tf.registerBackend(BACKEND_NAME, () => new CpuBackend(native(), new ExactPool(native())), 0);
for (const instructionSet of native().instructionSets()) {
  await start({ threads: 2, instructionSet, precision: "f32" });
  devices.push(describe());
  say(describe());
  const result = await runConformance({ backend: BACKEND_NAME, start: async () => BACKEND_NAME });
  cases += result.cases;
  for (const { contract, title, messages } of result.failures) {
    failures.push(`${describe()}: ${contract}: ${title}: ${messages.join("; ")}`);
  }
  fuzz();
  await start({ threads: 2, instructionSet, precision: "bf16" });
  devices.push(describe());
  say(describe());
  cases += caseBits().size;
  fuzz();
}
const result: MemoryResult = { devices, cases, calls, failures };
process.stdout.write(`${JSON.stringify(result)}\n`);
