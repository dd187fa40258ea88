// Every case of the WebGPU benchmark: kernels, and training steps.
import { allContracts } from "@basic-mllm/core";

import { kernelCases } from "./cases.mjs";
import { contractOf } from "./kernels.mjs";
import { stepCases } from "./steps.mjs";

/** @throws Error where a contract of core has no case. */
export function allCases() {
  const kernels = kernelCases();
  const missing = allContracts.filter(({ name }) => !kernels.some(({ kernel }) => kernel === name));
  if (missing.length > 0) {
    throw new Error(
      `benchmarks/webgpu/cases.mjs has no case of ${missing.map(({ name }) => name).join(", ")}.`,
    );
  }
  return [...stepCases, ...kernels];
}

/** What is run of a case: `training step`, or `forward`, and where the kernel has a gradient `forward + gradient`. */
export function modesOf(chosen) {
  if (chosen.step !== undefined) return ["training step"];
  if (chosen.mode !== undefined) return [chosen.mode];
  return contractOf(chosen).gradient === null ? ["forward"] : ["forward", "forward + gradient"];
}
