import { defineProgram } from "../../program.js";
import { absorbCode, finishCode, gradientCode, placeCode, slopeCode } from "./linear-cross-entropy.wgsl.js";

/** Takes a chunk of logits into the rows' states. Without `keep` the logits stay, and there are no factors. */
export function absorbProgram({ capped, keep }: { capped: boolean; keep: boolean }) {
  return defineProgram<"labels", string, "words" | "first_word" | "softcap">({
    name: `cross entropy absorb${capped ? " capped" : ""}${keep ? " keep" : ""}`,
    reads: { labels: "i32" },
    writes: { logits: "f32", state: "f32", ...(keep && { factors: "f32" }) },
    uniforms: { words: "u32", first_word: "i32", softcap: "f32" },
    code: () => absorbCode({ capped, keep }),
  });
}

/** Losses and log-sum-exps out of the states. */
export const finishProgram = defineProgram({
  name: "cross entropy finish",
  reads: { state: "f32", rows: "i32" },
  writes: { loss: "f32", log_sum_exp: "f32" },
  uniforms: { count: "u32" },
  code: finishCode,
});

/** Slopes out of sums of words' rows. */
export function slopeProgram(capped: boolean) {
  return defineProgram({
    name: `cross entropy slope${capped ? " capped" : ""}`,
    reads: { means: "f32", label_rows: "f32", state: "f32", rows: "i32" },
    writes: { slope: "f32" },
    uniforms: { count: "u32", width: "u32", softcap: "f32" },
    code: () => slopeCode(capped),
  });
}

/** Gradient with respect to the logits, in their place. */
export function gradientProgram(capped: boolean) {
  return defineProgram({
    name: `cross entropy gradient${capped ? " capped" : ""}`,
    reads: { dloss: "f32", log_sum_exp: "f32", rows: "i32", labels: "i32" },
    writes: { logits: "f32" },
    uniforms: { count: "u32", words: "u32", first_word: "i32", softcap: "f32" },
    code: () => gradientCode(capped),
  });
}

/** Rows into places of a larger matrix. */
export const placeProgram = defineProgram({
  name: "place rows",
  reads: { x: "f32", rows: "i32" },
  writes: { y: "f32" },
  uniforms: { count: "u32", width: "u32" },
  code: placeCode,
});
