import { implementDecoderBlock } from "@basic-mllm/core/device";

import { BACKEND_NAME } from "../../backend.js";
import { attendCached } from "../cached-attention/cached-attention.js";
import { implementWithCache } from "../implement.js";
import { multiply } from "../matmul/matmul.js";
import { rotate } from "../rotary/rotary.js";

// BasicDecoderBlock on WebGPU.
// v1  the other kernels one after the other, without tfjs in between; residuals are added by the products:
//     2.13 of the time of stock operations for one row on SwiftShader, where tiles of 16 rows are computed whole

/** BasicDecoderBlock. */
export function registerDecoderBlock(): void {
  implementDecoderBlock({ implementWithCache }, BACKEND_NAME, {
    multiply: (backend, { storage, accumulate, ...operands }) =>
      multiply(backend, { storage, accumulate }, operands),
    rotate,
    attend: attendCached,
  });
}
