export {
  brokenImages,
  type Dataset,
  type DatasetOptions,
  type ImagePolicy,
  imagesOf,
  readDataset,
  readTokenizer,
  withoutImages,
} from "./dataset.js";
export { decodeImage } from "./decode.js";
export type { FeatureStorage } from "./feature-shards.js";
export type { FeatureTable } from "./feature-table.js";
export { cacheFeatures, type FeatureCacheOptions } from "./features.js";
export { createPixelStore, openImage, type PixelStoreOptions } from "./pixel-store.js";
export {
  type DatasetReport,
  type TemplateReport,
  type ValidateOptions,
  validateDataset,
} from "./validate.js";
