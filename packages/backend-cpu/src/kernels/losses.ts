import {
  direction,
  directionBackward,
  type LinearCrossEntropyAttrs,
  type LinearKlAttrs,
  linearCrossEntropy,
  linearCrossEntropyBackward,
  linearKl,
  linearKlBackward,
} from "@basic-mllm/core";

import type { CrossEntropyOptions, KlInputs } from "./bindings.js";
import { type Call, implement, NONE } from "./implement.js";

/** BasicLinearCrossEntropy, BasicDirection, BasicLinearKl and their backward kernels. */
export function registerLosses(): void {
  implement(linearCrossEntropy, (call) => {
    const { native, floats, out } = call;
    native.linearCrossEntropy(floats("x"), floats("weight"), optionsOf(call), out(0), out(1), out(2));
  });
  implement(linearCrossEntropyBackward, (call) => {
    const { native, attrs, floats, out } = call;
    const [dloss, logSumExp] = [floats("dloss"), floats("logSumExp")];
    const [x, weight] = [floats("x"), floats("weight")];
    const { needsInput = true } = attrs;
    const [dx, dweight] = needsInput ? [out(0), out(1)] : [NONE, out(0)];
    native.linearCrossEntropyBackward(dloss, x, weight, logSumExp, optionsOf(call), dx, dweight);
  });
  implement(direction, ({ native, floats, size, out }) => {
    native.direction(floats("v"), floats("r"), floats("a"), size("v", 1), out(0));
  });
  implement(directionBackward, ({ native, floats, size, out }) => {
    const [dloss, v, r, a] = [floats("dloss"), floats("v"), floats("r"), floats("a")];
    native.directionBackward(dloss, v, r, a, size("v", 1), out(0), out(1));
  });
  implement(linearKl, (call) => {
    call.native.linearKl(klInputsOf(call), call.out(0), call.out(1), call.out(2), call.out(3), call.out(4));
  });
  implement(linearKlBackward, (call) => {
    const { native, floats, out } = call;
    const [dloss, kl, lseV, lseR] = [floats("dloss"), floats("kl"), floats("lseV"), floats("lseR")];
    native.linearKlBackward(klInputsOf(call), dloss, kl, lseV, lseR, out(0), out(1));
  });
}

function optionsOf({
  attrs,
  size,
}: Pick<Call<"x", Omit<LinearCrossEntropyAttrs, "withSlope">>, "attrs" | "size">): CrossEntropyOptions {
  const { labels, softcap, chunkBytes } = attrs;
  return { labels, width: size("x", 1), softcap, chunkBytes };
}

function klInputsOf({
  attrs,
  floats,
  size,
}: Pick<
  Call<"v" | "r" | "vocabulary" | "a", Pick<LinearKlAttrs, "chunkBytes">>,
  "attrs" | "floats" | "size"
>): KlInputs {
  return {
    v: floats("v"),
    r: floats("r"),
    vocabulary: floats("vocabulary"),
    a: floats("a"),
    width: size("v", 1),
    chunkBytes: attrs.chunkBytes,
  };
}
