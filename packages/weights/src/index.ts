export { bytesPerValue, type DType, type FloatDType } from "./dtypes.js";
export { openBytes, openSafetensors, type Pieces, writeAtomically, writeSafetensors } from "./files.js";
export { type GgufArchitecture, type GgufConfig, readGgufConfig } from "./gguf/config.js";
export { type DecoderContentsOptions, decoderContents } from "./gguf/decoder-contents.js";
export { dequantise } from "./gguf/dequantise.js";
export type { GgufFieldValues, GgufValue } from "./gguf/field-values.js";
export { GgufFile, openGguf } from "./gguf/file.js";
export type { GgufEntry, GgufHeader } from "./gguf/header.js";
export { type GgufModel, type GgufOptions, type GgufStorage, ggufStorages, loadGguf } from "./gguf/load.js";
export { type ProjectorContentsOptions, projectorContents } from "./gguf/projector-contents.js";
export { type GgufType, ggufTypes } from "./gguf/tensor-types.js";
export { readGgufTokenizer, type TokenizerFiles, type TokenizerSettings } from "./gguf/tokenizer.js";
export { type TokenizerFieldsOptions, tokenizerFields } from "./gguf/tokenizer-fields.js";
export type { JsonObject, TokenizerSource } from "./gguf/tokenizer-parts.js";
export {
  type GgufContents,
  type GgufTensor,
  type WrittenType,
  writeGguf,
  writtenTypes,
} from "./gguf/write.js";
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
export { downloadPretrained, loadPretrained, type PretrainedModel } from "./hub/load-pretrained.js";
export type { DownloadOptions, DownloadProgress } from "./hub/options.js";
export { isRemote } from "./hub/source.js";
export {
  type HuggingFaceModel,
  type LlavaModel,
  type LoadKindOptions,
  type LoadOptions,
  loadHuggingFace,
  loadLlava,
  type ModelKind,
  type SaveOptions,
  saveHuggingFace,
} from "./hugging-face.js";
export {
  assembleLlava,
  type LlavaParts,
  loadOriginalLlava,
  type OriginalLlava,
} from "./llava/load-original.js";
export { isOriginalLlava, type OriginalConfig } from "./llava/original-config.js";
export { type SpecialIds, saveForTransformers, type TransformersOptions } from "./llava/save-transformers.js";
export { tensorsOf } from "./parameter-tensors.js";
export { type LoadPeftOptions, loadPeft, restorePeft, type SavePeftOptions, savePeft } from "./peft.js";
export { loadProjector, PROJECTOR_FILE, saveProjector } from "./projector-file.js";
export { projectorPieces } from "./projector-pieces.js";
export { createDiskStore } from "./run-store.js";
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
export { type ShardOptions, writeShards } from "./shards.js";
export { readTorchFile, TorchFile } from "./torch/torch-file.js";
export { openWeights } from "./weight-folder.js";
export { type WeightStorage, weightStorages } from "./weight-storage.js";
