/**
 * What backends share whose tensors are on a device: `@basic-mllm/core/device`. Registering bodies, and the host's side of
 * kernels that is the same in every language.
 *
 * @packageDocumentation
 */
export {
  type CachedRows,
  type DecoderBlockParts,
  type FrozenProduct,
  implementDecoderBlock,
} from "./decoder-block.js";
export { groupRows, groupsWithin, type RowGroups } from "./group-rows.js";
export {
  type CacheCall,
  type DeviceBackend,
  type DeviceCall,
  type DeviceKernels,
  deviceKernels,
  type InPlaceCall,
  type StorageOf,
  withTensors,
} from "./kernels.js";
export { bufferRows, cachedSamples, packedSamples, type SampleRows } from "./sample-rows.js";
export { asWords } from "./words.js";
