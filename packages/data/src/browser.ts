// What needs no files and no image decoder: the entry of the package in a browser.
export {
  type Channels,
  fitImage,
  type ImageProcessor,
  parseImageProcessor,
  squareProcessor,
  toImageBatch,
} from "./image-processor.js";
export { createTextData, createVlmData, type TextDataOptions, type VlmDataOptions } from "./loader.js";
export { type PackOptions, packSamples, type UnpackedSample, unpackRows } from "./packing.js";
export { type Filter, type RgbImage, resizeImage } from "./resample.js";
export {
  IMAGE_PLACEHOLDER,
  type ParsedSamples,
  parseRecords,
  parseSamples,
  type Sample,
  type Turn,
} from "./samples.js";
export { encodeSegments, IMAGE_SLOT, type Segment, type TokenSample } from "./segments.js";
export {
  answerEndToken,
  conversationSegments,
  encodePrompt,
  encodeSample,
  findTemplate,
  firstAnswerToken,
  type LabelledAnswers,
  TEMPLATES,
  type Template,
  usableTemplates,
} from "./templates.js";
export {
  type AddedToken,
  createTokenizer,
  type SpecialTokens,
  type TextPlace,
  type TextTokenizer,
} from "./tokenizer.js";
export { foldTokenizerFiles, type TokenizerFiles, type TokenizerSideFiles } from "./tokenizer-fold.js";
export {
  blind,
  type ChannelStatistics,
  type ImageShape,
  standardised,
  type VisualStore,
} from "./visual-store.js";
