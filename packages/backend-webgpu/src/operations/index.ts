import { registerBatchMatMul } from "./batch-matmul.js";
import { registerSum } from "./sum.js";

/** Replaces stock kernels that are wrong or slow for what training asks of them. */
export function registerOperations(): void {
  registerBatchMatMul();
  registerSum();
}
