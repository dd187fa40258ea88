import { registerCreation } from "./creation.js";
import { registerElementwise } from "./elementwise.js";
import { registerJoins } from "./join.js";
import { registerMatmul } from "./matmul.js";
import { registerMovement } from "./movement.js";
import { registerReductions } from "./reduction.js";
import { registerRows } from "./rows.js";

/** Replaces the stock kernels that matter for speed by native ones. The rest stay in JavaScript. */
export function registerOperations(): void {
  registerCreation();
  registerElementwise();
  registerJoins();
  registerMatmul();
  registerMovement();
  registerReductions();
  registerRows();
}
