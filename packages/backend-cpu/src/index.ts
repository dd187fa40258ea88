export { BACKEND_NAME, CpuBackend, type Output } from "./backend.js";
export type { NativeBindings } from "./bindings.js";
export { Block, BlockPool, type BlockSource, type PoolUse } from "./block-pool.js";
export type {
  AttentionLayout,
  CrossEntropyOptions,
  Floats,
  Ints,
  KernelBindings,
  KlInputs,
} from "./kernels/bindings.js";
export { describe, type EngineName, threads } from "./run.js";
export { precisions } from "./settings.js";
export { type StartOptions, start } from "./start.js";
