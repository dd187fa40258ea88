import { DROPOUT_STEPS, dropoutKernel } from "@basic-mllm/core";
import { defineProgram } from "../../program.js";
import { bytesOf } from "../../work.js";
import { ELEMENTWISE, sizeOf } from "../elementwise.js";
import { implement } from "../implement.js";
import source from "./dropout.cu";

/** Values that one block of Philox decides on. */
const PER_THREAD = 8;

const program = defineProgram({
  name: "dropout",
  source,
  entry: "dropout",
  params: {
    ...({ x: "activation", y: "activation", count: "i64", threshold: "u32", factor: "f32" } as const),
    ...({ keyLow: "u32", keyHigh: "u32", streamLow: "u32", streamHigh: "u32" } as const),
  },
  block: ELEMENTWISE.threads,
  work: ({ x, y, count }) => ({ bytes: bytesOf(x, y), flops: count }),
});

/** BasicDropout: its gradient is the kernel itself. */
export function registerDropout(): void {
  implement(
    dropoutKernel,
    ({ inputs: { x }, attrs: { probability, stream }, out, dispatch }) => {
      const [keyLow = 0, keyHigh = 0, streamLow = 0, streamHigh = 0] = Uint32Array.from(stream);
      const count = sizeOf(x);
      const grid = [Math.ceil(count / (PER_THREAD * ELEMENTWISE.threads))] as const;
      const threshold = probability * DROPOUT_STEPS;
      const factor = 1 / (1 - probability);
      const random = { keyLow, keyHigh, streamLow, streamHigh };
      dispatch(program, { grid, args: { x, y: out(0), count, threshold, factor, ...random } });
    },
    { reads: ["x"], outputs: [0] },
  );
}

/** Every program of dropout. */
export const dropoutPrograms = [program];
