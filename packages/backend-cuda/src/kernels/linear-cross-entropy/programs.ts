import { defineProgram } from "../../program.js";
import { bytesOf } from "../../work.js";
import { ELEMENTWISE } from "../elementwise.js";
import source from "./linear-cross-entropy.cu";

/** What takes the place of logits that have been absorbed: see `KEEP` of linear-cross-entropy.cu. */
export const KEEP = { nothing: 0, exponentials: 1, gradient: 2 } as const;

/** Takes a chunk of logits into the rows' states. */
export const absorbProgram = defineProgram({
  name: "cross entropy absorb",
  source,
  entry: "cross_entropy_absorb",
  params: {
    ...({ labels: "pointer", logits: "pointer", state: "pointer", factors: "pointer" } as const),
    ...({ words: "i32", first_word: "i32", softcap: "f32", keep: "i32" } as const),
  },
  block: ELEMENTWISE.threads,
  work: ({ labels, state, words, keep }, [rows]) => ({
    bytes: (keep === KEEP.nothing ? 8 : 12) * rows * words + bytesOf(labels, state, state),
    flops: 5 * rows * words,
  }),
});

/** Losses and log-sum-exps out of the states. */
export const finishProgram = defineProgram({
  name: "cross entropy finish",
  source,
  entry: "cross_entropy_finish",
  params: { state: "pointer", rows: "pointer", loss: "pointer", log_sum_exp: "pointer", count: "i32" },
  block: ELEMENTWISE.threads,
  work: ({ count }) => ({ bytes: 24 * count, flops: 4 * count }),
});

/** Slopes out of sums of words' rows. */
export const slopeProgram = defineProgram({
  name: "cross entropy slope",
  source,
  entry: "cross_entropy_slope",
  params: {
    ...({
      means: "pointer",
      label_rows: "pointer",
      state: "pointer",
      rows: "pointer",
      slope: "pointer",
    } as const),
    ...({ count: "i64", width: "i32", softcap: "f32" } as const),
  },
  block: ELEMENTWISE.threads,
  work: ({ state, count }) => ({ bytes: 12 * count + bytesOf(state), flops: 3 * count }),
});

/** Gradient with respect to the logits, in their place. */
export const gradientProgram = defineProgram({
  name: "cross entropy gradient",
  source,
  entry: "cross_entropy_gradient",
  params: {
    ...({
      dloss: "pointer",
      log_sum_exp: "pointer",
      rows: "pointer",
      labels: "pointer",
      logits: "pointer",
    } as const),
    ...({ words: "i32", first_word: "i32", softcap: "f32" } as const),
  },
  block: ELEMENTWISE.threads,
  work: ({ rows, labels, words }, [count]) => ({
    bytes: 8 * count * words + bytesOf(rows, rows, rows, labels),
    flops: 5 * count * words,
  }),
});

/** Every program of this folder. */
export const crossEntropyPrograms = [absorbProgram, finishProgram, slopeProgram, gradientProgram];
