import { type AccumulateAttrs, accumulate, implementKernel } from "@basic-mllm/core";
import { withTensors } from "@basic-mllm/core/device";

import { BACKEND_NAME, type CudaBackend } from "../../backend.js";
import { defineProgram } from "../../program.js";
import { bytesOf } from "../../work.js";
import { ELEMENTWISE, overElements, sizeOf } from "../elementwise.js";
import source from "./accumulate.cu";

const program = defineProgram({
  name: "accumulate",
  source,
  entry: "accumulate",
  params: { sum: "pointer", term: "pointer", count: "i64" },
  block: ELEMENTWISE.threads,
  work: ({ sum, term, count }) => ({ bytes: bytesOf(sum, sum, term), flops: count }),
});

/** BasicAccumulate: into `sum` itself where nothing else holds its memory, else into a copy. */
export function registerAccumulate(): void {
  implementKernel<"sum" | "term", AccumulateAttrs, CudaBackend>({
    contract: accumulate,
    backend: BACKEND_NAME,
    run: ({ inputs: { sum, term }, backend }) =>
      withTensors(backend, (allocate) => {
        const shared = backend.isShared(sum) || sum.dataId === term.dataId;
        const target = shared ? allocate(sum.shape) : sum;
        if (shared) backend.copy(sum, target);
        const count = sizeOf(sum);
        backend.dispatch(program, { grid: overElements(count), args: { sum: target, term, count } });
        return shared ? target : backend.alias(sum);
      }),
  });
}

/** Every program of sums of two tensors. */
export const accumulatePrograms = [program];
