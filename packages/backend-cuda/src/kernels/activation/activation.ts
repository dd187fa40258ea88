import {
  type ActivationKind,
  activation,
  activationBackward,
  activationKinds,
  gatedActivation,
  gatedActivationBackward,
} from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";
import type { Pointer } from "../../arguments.js";
import type { CudaBackend } from "../../backend.js";
import { defineProgram, type Parameters } from "../../program.js";
import { bytesOf, countOf, type Work } from "../../work.js";
import { ELEMENTWISE, overElements, sizeOf } from "../elementwise.js";
import { implement } from "../implement.js";
import source from "./activation.cu";

/** BasicActivation, BasicGatedActivation and their backward kernels. */
export function registerActivations(): void {
  implement(
    activation,
    ({ inputs: { x }, attrs, out, dispatch }) => {
      const count = sizeOf(x);
      dispatch(programs[attrs.kind].forward, { grid: overElements(count), args: { x, y: out(0), count } });
    },
    { reads: ["x"], outputs: [0] },
  );
  implement(
    activationBackward,
    ({ inputs, attrs, out, dispatch }) => {
      const count = sizeOf(inputs.x);
      const args = { ...inputs, dx: out(0), count };
      dispatch(programs[attrs.kind].backward, { grid: overElements(count), args });
    },
    { reads: ["dy", "x"], outputs: [0] },
  );
  implement(
    gatedActivation,
    ({ inputs, attrs, out, dispatch }) => {
      const count = sizeOf(inputs.gate);
      const args = { ...inputs, y: out(0), count };
      dispatch(programs[attrs.kind].gated, { grid: overElements(count), args });
    },
    { reads: ["gate", "up"], outputs: [0] },
  );
  implement(
    gatedActivationBackward,
    ({ inputs, attrs, out, dispatch }) => {
      const count = sizeOf(inputs.gate);
      const args = { ...inputs, dgate: out(0), dup: out(1), count };
      dispatch(programs[attrs.kind].gatedBackward, { grid: overElements(count), args });
    },
    { reads: ["dy", "gate", "up"], outputs: [0, 1] },
  );
}

/** `x = act(x)` in place, for the results of products. */
export function activateInPlace(backend: CudaBackend, x: tf.TensorInfo, kind: ActivationKind): void {
  const count = sizeOf(x);
  backend.dispatch(programs[kind].inPlace, { grid: overElements(count), args: { x, count } });
}

/** FLOPs of an activation or of its derivative, exponentials and all. */
const FLOPS = 20;

/** All arrays once; one that changes in place twice. */
function workOf(args: readonly (Pointer | number)[]): Work {
  const arrays = args.filter((value) => typeof value !== "number");
  const [first = null] = arrays;
  return { bytes: bytesOf(...arrays, ...(arrays.length === 1 ? arrays : [])), flops: FLOPS * countOf(first) };
}

function programsOf(kind: ActivationKind) {
  const define = <const Params extends Parameters>(entry: string, params: Params) =>
    defineProgram({
      name: `activation ${entry} ${kind}`,
      source,
      entry,
      defines: { ACTIVATION: kind.replaceAll("-", "_") },
      params,
      block: ELEMENTWISE.threads,
      work: (args) => workOf(Object.values(args)),
    });
  const gates = { gate: "activation", up: "activation" } as const;
  return {
    forward: define("forward", { x: "activation", y: "activation", count: "i64" }),
    inPlace: define("in_place", { x: "activation", count: "i64" }),
    backward: define("backward", { dy: "activation", x: "activation", dx: "activation", count: "i64" }),
    gated: define("gated", { ...gates, y: "activation", count: "i64" }),
    gatedBackward: define("gated_backward", {
      dy: "activation",
      ...gates,
      dgate: "activation",
      dup: "activation",
      count: "i64",
    }),
  };
}

const programs = Object.fromEntries(activationKinds.map((kind) => [kind, programsOf(kind)])) as Readonly<
  Record<ActivationKind, ReturnType<typeof programsOf>>
>;

/** Every program of activations. */
export const activationPrograms = Object.values(programs).flatMap((of) => Object.values(of));
