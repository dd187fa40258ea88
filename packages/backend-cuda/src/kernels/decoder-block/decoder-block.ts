import { implementDecoderBlock } from "@basic-mllm/core/device";

import { BACKEND_NAME } from "../../backend.js";
import { attendCached } from "../cached-attention/cached-attention.js";
import { implementWithCache } from "../implement.js";
import { multiplyFrozen } from "../linear/product.js";
import { rotate } from "../rotary/rotary.js";

/** BasicDecoderBlock. */
export function registerDecoderBlock(): void {
  implementDecoderBlock({ implementWithCache }, BACKEND_NAME, {
    multiply: (backend, { storage, accumulate, ...operands }) =>
      multiplyFrozen(backend, { layout: "nt", storage, accumulate }, operands),
    rotate,
    attend: attendCached,
  });
}
