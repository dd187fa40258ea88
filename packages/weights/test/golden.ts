import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import type * as tf from "@tensorflow/tfjs-core";

import { openSafetensors, type Safetensors } from "../src/index.js";

/** The folder of expected values. */
export const golden =
  process.env["BASIC_MLLM_GOLDEN"] ?? fileURLToPath(new URL("../../../golden", import.meta.url));

/** One case of a family's index.json. */
export interface GoldenCase {
  readonly name: string;
  readonly kind: string;
  readonly folder: string;
  readonly file: string;
  readonly tol: Readonly<Record<string, number>>;
  readonly lengths?: readonly number[];
  readonly greedy?: { readonly prompt_tokens: number; readonly new_tokens: number };
}

/** All cases of a family. */
export function casesOf(family: string): readonly GoldenCase[] {
  const index = JSON.parse(readFileSync(join(golden, family, "index.json"), "utf8")) as {
    cases: GoldenCase[];
  };
  return index.cases;
}

/** Opens the tensors of a case. */
export function openCase(family: string, { file }: GoldenCase): Safetensors {
  return openSafetensors(join(golden, family, file));
}

/** Names of tensors that differ by more than their tolerance, with the factor; empty = all is well. */
export class Comparison {
  readonly failures: string[] = [];
  readonly #expected: Safetensors;
  readonly #tolerance: Readonly<Record<string, number>>;

  constructor(expected: Safetensors, tolerance: Readonly<Record<string, number>>) {
    this.#expected = expected;
    this.#tolerance = tolerance;
  }

  /** Compares all values, or those at `keep` positions of the expected tensor. */
  check(name: string, actual: tf.Tensor, keep?: readonly number[]): void {
    const all = this.#expected.floats(name);
    const wanted = keep === undefined ? all : Float32Array.from(keep, (position) => all[position] as number);
    const found = actual.dataSync();
    const tolerance = this.#tolerance[name] ?? 0;
    const worst = wanted.reduce((largest, value, i) => {
      const error = Math.abs(value - (found[i] ?? Number.NaN));
      return Number.isNaN(error) ? Infinity : Math.max(largest, error);
    }, 0);
    if (found.length !== wanted.length || !(worst <= tolerance)) {
      this.failures.push(
        `${name}: ${found.length} of ${wanted.length} values, error ${worst}, tolerance ${tolerance}`,
      );
    }
  }
}
