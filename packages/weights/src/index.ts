export { bytesPerValue, type DType, type FloatDType } from "./dtypes.js";
export { openBytes, openSafetensors, writeAtomically, writeSafetensors } from "./files.js";
export {
  type LlavaConfig,
  type ModelConfig,
  type ProjectorConfig,
  parseHuggingFaceConfig,
  writeDecoderConfig,
  writeLlavaConfig,
  writeVitConfig,
} from "./hf-config.js";
export {
  type HuggingFaceModel,
  type LlavaModel,
  type LoadOptions,
  loadHuggingFace,
  loadLlava,
  type SaveOptions,
  saveHuggingFace,
} from "./hugging-face.js";
export { type LoadPeftOptions, loadPeft, type SavePeftOptions, savePeft } from "./peft.js";
export { loadProjector, PROJECTOR_FILE, saveProjector } from "./projector-file.js";
export { createDiskStore } from "./run-store.js";
export {
  type ByteSource,
  bytesInMemory,
  encodeSafetensors,
  type NamedTensor,
  Safetensors,
  type SafetensorsOptions,
  safetensorsPieces,
} from "./safetensors.js";
export type { TensorEntry } from "./safetensors-header.js";
