// Imported for its effect by index.ts; package.json lists it under sideEffects.
import { registerStockGradients } from "./gradients.js";

registerStockGradients();
