export { NEWLINE_ROW } from "@basic-mllm/core";
export { type ChatForm, chatTemplateOf } from "./chat-template.js";
export {
  brokenImages,
  type Dataset,
  type DatasetOptions,
  type ImagePolicy,
  imagesOf,
  noRecords,
  readDataset,
  readImageSizes,
  withoutImages,
} from "./dataset.js";
export { decodeImage, readImageSize } from "./decode.js";
export type { FeatureStorage } from "./feature-shards.js";
export type { FeatureTable } from "./feature-table.js";
export { cacheFeatures, type FeatureCacheOptions } from "./features.js";
export type { Finding, Spread } from "./findings.js";
export { type DecodeOptions, PIXEL_LIMIT } from "./image-format.js";
export { createImagePool, type ImagePool, type ImagePoolOptions } from "./image-pool.js";
export {
  type Channels,
  fitImage,
  type ImageProcessor,
  squareProcessor,
  type TileSettings,
  toImageBatch,
} from "./image-processor.js";
export { IGNORE_INDEX, type LlavaLabels, llavaLabels } from "./llava-labels.js";
export { createTextData, createVlmData, type TextDataOptions, type VlmDataOptions } from "./loader.js";
export { type PackOptions, packSamples, type UnpackedSample, unpackRows } from "./packing.js";
export { arrangementOf, type GridAfter, type PictureRows, rowsAfter } from "./picture-rows.js";
export { createPixelStore, type ImageTask, openPicture, type PixelStoreOptions } from "./pixel-store.js";
export {
  type PreviewOptions,
  type PreviewRecord,
  previewSamples,
} from "./preview.js";
export { type ProcessorOptions, parseImageProcessor } from "./processor-config.js";
export { describeImageProcessor } from "./processor-file.js";
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
export { type ImageRoot, type ImageSource, imageSourceOf } from "./sources/image-source.js";
export { type OpenSamplesOptions, openSamples } from "./sources/open-samples.js";
export type { SampleFormat, SampleRecord, SampleSource } from "./sources/sample-source.js";
export {
  addSpecialTokens,
  checkVocabulary,
  type ExtendedTokenizer,
  requireImageToken,
  type SpecialTokenNames,
} from "./special-tokens.js";
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
export type { TokenPiece } from "./token-pieces.js";
export {
  type AddedToken,
  createTokenizer,
  type SpecialTokens,
  type TextPlace,
  type TextTokenizer,
} from "./tokenizer.js";
export { readTokenizer, readTokenizerFiles } from "./tokenizer-files.js";
export { foldTokenizerFiles, type TokenizerFiles, type TokenizerSideFiles } from "./tokenizer-fold.js";
export { countUnknownWords, type UnknownWords, unknownWordsOf } from "./unknown-words.js";
export { type DatasetReport, type ValidateOptions, validateDataset } from "./validate.js";
export type { TemplateReport } from "./validate-template.js";
export {
  type ChannelStatistics,
  type ImageShape,
  standardised,
  type VisualStore,
} from "./visual-store.js";
