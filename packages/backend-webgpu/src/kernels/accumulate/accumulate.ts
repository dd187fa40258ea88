// v1  one thread for four elements, in place

import { type AccumulateAttrs, accumulate, implementKernel } from "@basic-mllm/core";
import { withTensors } from "@basic-mllm/core/device";

import { BACKEND_NAME, type WebGpuBackend } from "../../backend.js";
import { defineProgram } from "../../program.js";
import { overCount } from "../elementwise.js";
import { elementRuns, elementsOf } from "../parts.js";
import { accumulateCode } from "./accumulate.wgsl.js";

const program = defineProgram({
  name: "accumulate",
  reads: { term: "f32" },
  writes: { sum: "f32" },
  uniforms: { count: "u32" },
  code: accumulateCode,
});

/** BasicAccumulate: into `sum` itself where nothing else holds its memory, else into a copy. */
export function registerAccumulate(): void {
  implementKernel<"sum" | "term", AccumulateAttrs, WebGpuBackend>({
    contract: accumulate,
    backend: BACKEND_NAME,
    run: ({ inputs: { sum, term }, backend }) =>
      withTensors(backend, (allocate) => {
        const shared = backend.isShared(sum) || sum.dataId === term.dataId;
        const target = shared ? allocate(sum.shape) : sum;
        if (shared) backend.copy(sum, target);
        for (const run of elementRuns(backend, sum)) {
          backend.dispatch(program, {
            reads: { term: elementsOf(term, run) },
            writes: { sum: elementsOf(target, run) },
            ...overCount(run.count, backend),
          });
        }
        return shared ? target : backend.alias(sum);
      }),
  });
}
