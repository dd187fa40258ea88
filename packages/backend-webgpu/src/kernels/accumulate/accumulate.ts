// v1  one thread for four elements, in place; v2  for four vectors of four

import { type AccumulateAttrs, accumulate, implementKernel } from "@basic-mllm/core";
import { withTensors } from "@basic-mllm/core/device";

import { BACKEND_NAME, type WebGpuBackend } from "../../backend.js";
import { defineProgram } from "../../program.js";
import { overCount, vectorsOf } from "../elementwise.js";
import { elementRuns, elementsOf } from "../parts.js";
import { accumulateCode } from "./accumulate.wgsl.js";

const programOf = (element: "f32" | "vec4<f32>") =>
  defineProgram({
    name: `accumulate ${element}`,
    reads: { term: element },
    writes: { sum: element },
    uniforms: { count: "u32" },
    code: accumulateCode,
  });

const programs = { f32: programOf("f32"), "vec4<f32>": programOf("vec4<f32>") };

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
          const { element, count } = vectorsOf(run);
          backend.dispatch(programs[element], {
            reads: { term: elementsOf(term, run) },
            writes: { sum: elementsOf(target, run) },
            ...overCount(count, backend),
          });
        }
        return shared ? target : backend.alias(sum);
      }),
  });
}
