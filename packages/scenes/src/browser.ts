// What needs no files of Node: the entry of the package in a browser. Sprites come as a picture, see decodeSheet.
export { composeScene, type Picture, SCENE_SIZE } from "./compose.js";
export { type Concept, type ConceptPools, conceptPools, type Emoji } from "./concepts.js";
export { type Corpus, type CorpusOptions, createCorpus } from "./corpus.js";
export type { Negative, QuestionType, Topic } from "./language.js";
export { planScenes, type SceneManifest, type SceneOptions, type ScenePlan } from "./plan.js";
export {
  makeSample,
  type SceneMetadata,
  type SceneRecord,
  type SceneSample,
  type SceneWorld,
  type SplitPlan,
} from "./records.js";
export {
  buildRegionTexts,
  createRegionData,
  REGIONS_PER_SIDE,
  type RegionDataOptions,
  type RegionTexts,
  regionEvaluation,
  regionTargets,
  type ScenePixels,
  type ScenePixelsOptions,
  scenePixels,
} from "./regions.js";
export { BACKGROUNDS, CELLS, type Cell, type Scene, type Variant } from "./scene.js";
export { decodeSheet, encodeSheet } from "./sheet-image.js";
export type { SpriteSheet } from "./sprite-sheet.js";
export { type ArtSource, STYLES, type Style } from "./styles.js";
export {
  buildTokenizer,
  buildVocabulary,
  SPECIAL_TOKENS,
  type TokenizerFiles,
  templateWords,
} from "./vocabulary.js";
