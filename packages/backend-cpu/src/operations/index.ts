import { registerMatmul } from "./matmul.js";

/** Replaces the stock kernels that matter for speed by native ones. The rest stay in JavaScript. */
export function registerOperations(): void {
  registerMatmul();
}
