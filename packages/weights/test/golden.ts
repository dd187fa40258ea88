import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import type * as tf from "@tensorflow/tfjs-core";

import { openSafetensors, type Safetensors } from "../src/index.js";

/** The folder of expected values. */
export const golden =
  process.env["BASIC_MLLM_GOLDEN"] ?? fileURLToPath(new URL("../../../golden", import.meta.url));

/** Recorded from transformers by fixtures/models.py, in the layout of the golden family `models`. */
export const fixtures = fileURLToPath(new URL("fixtures", import.meta.url));

/** One case of a family's index.json. */
export interface GoldenCase {
  readonly name: string;
  readonly kind: string;
  readonly folder: string;
  /** The checkpoint's folder, whole. */
  readonly path: string;
  readonly file: string;
  readonly tol: Readonly<Record<string, number>>;
  readonly lengths?: readonly number[];
  readonly greedy?: { readonly prompt_tokens: number; readonly new_tokens: number };
}

/** All cases of a family. */
export function casesOf(family: string, root = golden): readonly GoldenCase[] {
  const index = JSON.parse(readFileSync(join(root, family, "index.json"), "utf8")) as {
    cases: (Omit<GoldenCase, "path" | "folder"> & { readonly folder?: string })[];
  };
  return index.cases.map((one) => {
    const folder = one.folder ?? "";
    return { ...one, folder, path: join(root, family, folder) };
  });
}

/** All cases of `models`: the golden ones and our own. */
export function modelCases(kind: string): readonly GoldenCase[] {
  return [...casesOf("models"), ...casesOf("models", fixtures)].filter((one) => one.kind === kind);
}

/** Opens the tensors of a case. */
export function openCase({ path, file }: GoldenCase): Safetensors {
  return openSafetensors(join(dirname(path), file));
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
