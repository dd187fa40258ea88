import { type AccumulateAttrs, accumulate, implementKernel } from "@basic-mllm/core";
import { withTensors } from "@basic-mllm/core/device";

import { BACKEND_NAME, type CudaBackend } from "../../backend.js";
import { storageOf } from "../../memory/storage.js";
import { defineProgram } from "../../program.js";
import { bytesOf } from "../../work.js";
import { stored } from "../convert/convert.js";
import { ELEMENTWISE, overElements, sizeOf } from "../elementwise.js";
import source from "./accumulate.cu";

const program = defineProgram({
  name: "accumulate",
  source,
  entry: "accumulate",
  params: { sum: "activation", term: "activation", count: "i64" },
  block: ELEMENTWISE.threads,
  work: ({ sum, term, count }) => ({ bytes: bytesOf(sum, sum, term), flops: count }),
});

/**
 * BasicAccumulate: into `sum` itself where nothing else holds its memory, else into a copy. Terms that are kept in different
 * ways add up in float32.
 */
export function registerAccumulate(): void {
  implementKernel<"sum" | "term", AccumulateAttrs, CudaBackend>({
    contract: accumulate,
    backend: BACKEND_NAME,
    run: ({ inputs: { sum, term }, backend }) =>
      withTensors(backend, (allocate, scratch) => {
        const storage = storageOf(sum) === storageOf(term) ? storageOf(sum) : "f32";
        const taken = backend.isShared(sum) || sum.dataId === term.dataId || storageOf(sum) !== storage;
        const target = taken ? allocate(sum.shape, "float32", storage) : sum;
        if (taken) backend.copy(sum, target);
        const count = sizeOf(sum);
        const args = { sum: target, term: stored(backend, scratch, { x: term, storage }), count };
        backend.dispatch(program, { grid: overElements(count), args });
        return taken ? target : backend.alias(sum);
      }),
  });
}

/** Every program of sums of two tensors. */
export const accumulatePrograms = [program];
