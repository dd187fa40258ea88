import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../errors.js";
import { didYouMean } from "../nearest.js";
import type { VisualLoss, VisualLossResult } from "./visual-loss.js";

const GUIDE = "See docs/writing-a-loss.md.";

/** What each field of `needs` is; typeof of its value. */
const NEEDS = {
  refined: "boolean",
  refinedGradient: "boolean",
  patchWeights: "boolean",
  vocabulary: "boolean",
  hidden: "boolean",
  block: "function",
  features: "boolean",
} as const;

/**
 * Checks what a factory made, before the first step: a plugin need not be written in TypeScript.
 *
 * @param name - In the recipe.
 * @throws {@link BasicError} `E_CONFIG` naming the loss and the field.
 */
export function checkLoss(name: string, made: unknown): VisualLoss {
  if (typeof made !== "object" || made === null || made instanceof tf.Tensor) {
    throw wrong(name, "its factory must return { name, needs, compute }", made);
  }
  const { needs, compute } = made as Partial<VisualLoss>;
  if (typeof compute !== "function") {
    throw wrong(name, "`compute` must be a function from a view to { sum }", compute);
  }
  if (typeof needs !== "object" || needs === null) {
    throw wrong(
      name,
      "`needs` must be an object that says what it reads, `{}` for the initial rows alone",
      needs,
    );
  }
  checkNeeds(name, needs);
  return made as VisualLoss;
}

function checkNeeds(name: string, needs: object): void {
  const known = Object.keys(NEEDS);
  for (const [key, value] of Object.entries(needs)) {
    if (!Object.hasOwn(NEEDS, key)) {
      throw new BasicError(
        "E_CONFIG",
        `Loss "${name}": there is nothing called "${key}" to put into \`needs\`.${didYouMean(key, known)} ` +
          `Known: ${known.join(", ")}. Correct or remove it. ${GUIDE}`,
      );
    }
    const expected = NEEDS[key as keyof typeof NEEDS];
    if (value === undefined || typeof value === expected) continue;
    const what = expected === "boolean" ? "true or false" : "a function from the depth to a block";
    throw wrong(name, `\`needs.${key}\` must be ${what}`, value);
  }
}

/**
 * Calls the loss and checks what it returns.
 *
 * @throws {@link BasicError} `E_CONFIG` where it is no `{ sum }` with a scalar, or the loss itself throws.
 */
export function computeChecked(name: string, loss: VisualLoss, view: Parameters<VisualLoss["compute"]>[0]) {
  let result: unknown;
  try {
    result = loss.compute(view);
  } catch (cause) {
    if (cause instanceof BasicError) throw cause;
    throw failed(name, cause, Object.keys(view));
  }
  return checkResult(name, result);
}

function checkResult(name: string, result: unknown): VisualLossResult {
  if (result instanceof tf.Tensor) {
    throw wrong(name, "`compute` must return { sum } with a scalar tensor", result, "Write { sum: … }.");
  }
  const sum: unknown =
    typeof result === "object" && result !== null ? (result as { sum?: unknown }).sum : undefined;
  if (!(sum instanceof tf.Tensor)) {
    throw wrong(name, "`compute` must return { sum } with a scalar tensor", result);
  }
  if (sum.rank !== 0) {
    throw wrong(
      name,
      "`sum` must be a scalar, the sum over the samples",
      sum,
      "Add the rows up with tf.sum.",
    );
  }
  return result as VisualLossResult;
}

function failed(name: string, cause: unknown, fields: readonly string[]): BasicError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const stack = cause instanceof Error ? (cause.stack ?? "") : "";
  // The first line of the loss's own file says more than those of the library that it called.
  const place = stack.split("\n").find((line) => /^\s+at /.test(line) && !line.includes("node_modules"));
  return new BasicError(
    "E_CONFIG",
    `Loss "${name}" failed: ${text.replace(/\.?$/, ".")}${place === undefined ? "" : `\n ${place.trimEnd()}\n`} ` +
      `It was given ${fields.join(", ")}; what else it reads belongs into its \`needs\`. ${GUIDE}`,
    { cause },
  );
}

function wrong(name: string, expected: string, given: unknown, fix = GUIDE): BasicError {
  return new BasicError("E_CONFIG", `Loss "${name}": ${expected}, got ${describe(given)}. ${fix}`);
}

function describe(value: unknown): string {
  if (value instanceof tf.Tensor) return `a tensor [${value.shape.join(", ")}]`;
  if (value instanceof Promise) return "a promise";
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return `an object with ${Object.keys(value).join(", ") || "no fields"}`;
  return typeof value === "function" ? "a function" : JSON.stringify(value);
}
