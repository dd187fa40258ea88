import { defineProgram } from "../../program.js";
import { bytesOf } from "../../work.js";
import { ELEMENTWISE } from "../elementwise.js";
import source from "./linear-kl.cu";

/** What takes the place of logits that have been absorbed: see `KEEP` of linear-kl.cu. */
export const KEEP = { nothing: 0, exponentials: 1, difference: 2 } as const;

/** Bytes of a word of a row, by what is kept: both logits twice, and those that change. */
const ABSORBED = { [KEEP.nothing]: 16, [KEEP.exponentials]: 24, [KEEP.difference]: 20 } as const;

/** Takes a chunk of logits into the rows' states. */
export const absorbProgram = defineProgram({
  name: "kl absorb",
  source,
  entry: "kl_absorb",
  params: {
    ...({ v_logits: "pointer", r_logits: "pointer", state: "pointer" } as const),
    ...({
      v_factors: "pointer",
      r_factors: "pointer",
      words: "i32",
      first_word: "i32",
      keep: "i32",
    } as const),
  },
  block: ELEMENTWISE.threads,
  work: ({ state, words, keep }, [rows]) => ({
    bytes: ABSORBED[keep as keyof typeof ABSORBED] * rows * words + bytesOf(state, state),
    flops: 10 * rows * words,
  }),
});

/** Losses, divergences and log-sum-exps out of the states. */
export const finishProgram = defineProgram({
  name: "kl finish",
  source,
  entry: "kl_finish",
  params: {
    ...({ state: "pointer", a: "pointer", loss: "pointer", kl: "pointer" } as const),
    ...({ lse_v: "pointer", lse_r: "pointer", count: "i32", first: "i32" } as const),
  },
  block: ELEMENTWISE.threads,
  work: ({ count }) => ({ bytes: 40 * count, flops: 10 * count }),
});

/** Slopes out of sums of words' rows. */
export const slopeProgram = defineProgram({
  name: "kl slope",
  source,
  entry: "kl_slope",
  params: {
    ...({ v_means: "pointer", r_means: "pointer", state: "pointer", slope: "pointer" } as const),
    ...({ count: "i64", width: "i32" } as const),
  },
  block: ELEMENTWISE.threads,
  work: ({ state, count }) => ({ bytes: 12 * count + bytesOf(state), flops: 3 * count }),
});

/** Gradients with respect to the logits, in their places. */
export const gradientProgram = defineProgram({
  name: "kl gradient",
  source,
  entry: "kl_gradient",
  params: {
    ...({ dloss: "pointer", a: "pointer", kl: "pointer", lse_v: "pointer", lse_r: "pointer" } as const),
    ...({ v_logits: "pointer", r_logits: "pointer" } as const),
    ...({ words: "i32", first: "i32", needs_refined: "i32" } as const),
  },
  block: ELEMENTWISE.threads,
  work: ({ words, needs_refined }, [rows]) => ({
    bytes: (needs_refined ? 16 : 12) * rows * words + 20 * rows,
    flops: 10 * rows * words,
  }),
});

/** Every program of this folder. */
export const klPrograms = [absorbProgram, finishProgram, slopeProgram, gradientProgram];
