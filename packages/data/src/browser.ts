// What needs no files: the entry of the package in a browser.

export { NEWLINE_ROW } from "@basic-mllm/core";
export { decodeImage } from "./decode-browser.js";
export { type DecodeOptions, PIXEL_LIMIT } from "./image-format.js";
export {
  type Channels,
  fitImage,
  type ImageProcessor,
  squareProcessor,
  type TileSettings,
  toImageBatch,
} from "./image-processor.js";
export { createTextData, createVlmData, type TextDataOptions, type VlmDataOptions } from "./loader.js";
export { type PackOptions, packSamples, type UnpackedSample, unpackRows } from "./packing.js";
export { arrangementOf, type GridAfter, type PictureRows, rowsAfter } from "./picture-rows.js";
export { type ProcessorOptions, parseImageProcessor } from "./processor-config.js";
export { type Filter, type Region, type ResizeOptions, type RgbImage, resizeImage } from "./resample.js";
export {
  IMAGE_PLACEHOLDER,
  type ParsedSamples,
  parseRecords,
  parseSamples,
  type Sample,
  type Turn,
  withoutPictures,
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
  type AnyresOptions,
  anyresRows,
  bestResolution,
  type FittedPicture,
  type FittedTiles,
  fitPicture,
  fitTiles,
  type ImageSize,
  type PictureTiles,
} from "./tiles.js";
export {
  type AddedToken,
  createTokenizer,
  type SpecialTokens,
  type TextPlace,
  type TextTokenizer,
} from "./tokenizer.js";
export { foldTokenizerFiles, type TokenizerFiles, type TokenizerSideFiles } from "./tokenizer-fold.js";
export { unknownWordsOf } from "./unknown-words.js";
export {
  type ChannelStatistics,
  type ImageShape,
  standardised,
  type VisualStore,
} from "./visual-store.js";
