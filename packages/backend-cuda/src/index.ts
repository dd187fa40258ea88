/// <reference path="./cuda-source.d.ts" />
export type { Arguments, Part, Pointer } from "./arguments.js";
export { BACKEND_NAME, CudaBackend, type Dispatch } from "./backend.js";
export type { ImageKind } from "./compile/target.js";
export type { LibraryKind, LibraryPaths } from "./libraries.js";
export type { MemoryStatistics } from "./memory/allocator.js";
export type { HostArray } from "./memory/host-data.js";
export type { ElementStorage } from "./memory/storage.js";
export { connectRanks, type RankCollective, type RankOptions } from "./nccl/collective.js";
export { stockKernels } from "./operations/index.js";
export {
  defineProgram,
  type Parameters,
  type ParameterType,
  type PointerType,
  type Program,
} from "./program.js";
export {
  describe,
  imagines,
  precisions,
  probe,
  type StartOptions,
  start,
  startedBackend,
  stop,
  toleranceFactor,
} from "./start.js";
export { bytesOf, countOf, type RehearsedWork, type Work } from "./work.js";
