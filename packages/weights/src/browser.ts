// What needs no files of Node: the entry of the package in a browser.
export { bytesPerValue, type DType, type FloatDType } from "./dtypes.js";
export { dequantise } from "./gguf/dequantise.js";
export { type GgufType, ggufTypes } from "./gguf/tensor-types.js";
export {
  type LlavaConfig,
  type ModelConfig,
  type ProjectorConfig,
  parseHuggingFaceConfig,
  writeDecoderConfig,
  writeLlavaConfig,
  writeVitConfig,
} from "./hf-config.js";
export { type HttpOptions, openHttpBytes } from "./hub/http-bytes.js";
export { tensorsOf } from "./parameter-tensors.js";
export { projectorPieces } from "./projector-pieces.js";
export { type ByteSource, bytesInMemory, Safetensors, type TensorFile } from "./safetensors.js";
export type { TensorEntry, TensorInfo } from "./safetensors-header.js";
export {
  blobBytes,
  openRemoteSafetensors,
  type RemoteBytes,
  type RemoteSafetensors,
} from "./safetensors-remote.js";
export {
  encodeSafetensors,
  type LazyTensor,
  type NamedTensor,
  type SafetensorsOptions,
  safetensorsPieces,
  type WritableTensor,
} from "./safetensors-write.js";
