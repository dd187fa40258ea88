import { defineProgram } from "../../program.js";
import { absorbCode, factorsCode, finishCode, gradientCode, type Kept, slopeCode } from "./linear-kl.wgsl.js";

/** Takes a chunk of logits into the rows' states. */
export function absorbProgram(keep: Kept) {
  return defineProgram<never, string, "words" | "first_word">({
    name: `kl absorb ${keep}`,
    reads: {},
    writes: {
      v_logits: "f32",
      r_logits: "f32",
      state: "f32",
      ...(keep === "both" && { v_factors: "f32", r_factors: "f32" }),
    },
    uniforms: { words: "u32", first_word: "u32" },
    code: () => absorbCode(keep),
  });
}

/** Losses, divergences and log-sum-exps out of the states. */
export const finishProgram = defineProgram({
  name: "kl finish",
  reads: { state: "f32", a: "f32" },
  writes: { loss: "f32", kl: "f32", lse_v: "f32", lse_r: "f32" },
  uniforms: { count: "u32", first: "u32" },
  code: finishCode,
});

/** Slopes out of sums of words' rows. */
export const slopeProgram = defineProgram({
  name: "kl slope",
  reads: { v_means: "f32", r_means: "f32", state: "f32" },
  writes: { slope: "f32" },
  uniforms: { count: "u32", width: "u32" },
  code: slopeCode,
});

/** Gradients with respect to the logits, in their places. */
export function gradientProgram(needsRefined: boolean) {
  return defineProgram<string, "v_logits" | "r_logits", "count" | "words" | "first">({
    name: `kl gradient${needsRefined ? " refined" : ""}`,
    reads: { lse_v: "f32", lse_r: "f32", factors: "f32", ...(needsRefined && { kl: "f32" }) },
    writes: { v_logits: "f32", r_logits: "f32" },
    uniforms: { count: "u32", words: "u32", first: "u32" },
    code: () => gradientCode(needsRefined),
  });
}

/** `dloss a`. */
export const factorsProgram = defineProgram({
  name: "kl factors",
  reads: { dloss: "f32", a: "f32" },
  writes: { factors: "f32" },
  uniforms: { count: "u32" },
  code: factorsCode,
});
