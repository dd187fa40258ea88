import { direction, directionBackward } from "@basic-mllm/core";
import { defineProgram } from "../../program.js";
import { bytesOf, countOf } from "../../work.js";
import { implement } from "../implement.js";
import source from "./direction.cu";

/** BasicDirection and BasicDirectionBackward. */
export function registerDirection(): void {
  implement(
    direction,
    ({ inputs, out, size, dispatch }) => {
      const [rows, width] = [size("v", 0), size("v", 1)];
      dispatch(forward[atOnce(width)], { grid: [rows], args: { ...inputs, loss: out(0), width } });
    },
    { reads: ["v", "r"], outputs: [] },
  );
  implement(
    directionBackward,
    ({ inputs, attrs, outputs, out, size, dispatch }) => {
      const [rows, width] = [size("v", 0), size("v", 1)];
      const [dv, dr = null] = [out(0), outputs[1]];
      const args = { ...inputs, dv, dr, width, needs_refined: Number(attrs.needsRefined) };
      dispatch(backward[atOnce(width)], { grid: [rows], args });
    },
    { reads: ["v", "r"], outputs: [0, 1] },
  );
}

const THREADS = 128;

/** Columns that a thread reads at once. */
type AtOnce = 1 | 4;

function atOnce(width: number): AtOnce {
  return width % 4 === 0 ? 4 : 1;
}

const forward = { 1: forwardProgram(1), 4: forwardProgram(4) } as const;
const backward = { 1: backwardProgram(1), 4: backwardProgram(4) } as const;

function forwardProgram(columns: AtOnce) {
  return defineProgram({
    name: `direction, ${columns} at once`,
    source,
    entry: "direction",
    defines: { AT_ONCE: columns },
    params: { v: "activation", r: "activation", a: "pointer", loss: "pointer", width: "i32" },
    block: THREADS,
    work: ({ v, r, a, loss }) => ({ bytes: bytesOf(v, r, a, loss), flops: 9 * countOf(v) }),
  });
}

function backwardProgram(columns: AtOnce) {
  return defineProgram({
    name: `direction backward, ${columns} at once`,
    source,
    entry: "direction_backward",
    defines: { AT_ONCE: columns },
    params: {
      ...({
        dloss: "pointer",
        v: "activation",
        r: "activation",
        a: "pointer",
        dv: "activation",
        dr: "activation",
      } as const),
      ...({ width: "i32", needs_refined: "i32" } as const),
    },
    block: THREADS,
    work: ({ dloss, v, r, a, dv, dr }) => ({
      bytes: bytesOf(dloss, v, r, a, dv, dr),
      flops: 14 * countOf(v),
    }),
  });
}

/** Every program of this folder. */
export const directionPrograms = [forward[1], forward[4], backward[1], backward[4]];
