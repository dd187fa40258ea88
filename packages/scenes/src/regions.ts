import {
  createRandom,
  type ImageBatch,
  type Random,
  type RegionTextBatch,
  type TrainingData,
} from "@basic-mllm/core";
import { type ImageProcessor, toImageBatch } from "@basic-mllm/data";

import { composeScene, SCENE_BYTES, SCENE_SIZE } from "./compose.js";
import { type Concept, wordsOf } from "./concepts.js";
import { BACKGROUNDS, CELLS, drawScene, EMPTY, type Scene, type Variant } from "./scene.js";
import type { SpriteSheet } from "./sprite-sheet.js";
import type { Style } from "./styles.js";

/** Jitter at which colours vary by the figures of {@link varyColors}. */
const FULL_JITTER = 0.2;
const NAME_WEIGHT = 3;
const TAG_WEIGHT = 1;

/** Texts that regions are compared with, as bags of words: one of each concept, then one of each empty background. */
export interface RegionTexts {
  readonly words: readonly string[];
  readonly texts: number;
  /** `[texts, words]`. */
  readonly weights: Float32Array;
}

/** Builds the bank: the name weighs 3, each tag and the kind 1; an empty region is its colour and `nothing`. */
export function buildRegionTexts(concepts: readonly Concept[]): RegionTexts {
  const bags = [...concepts.map(conceptBag), ...BACKGROUNDS.map(([name]) => colorBag(name))];
  const words = [...new Set(bags.flatMap((bag) => bag.map(([word]) => word)))];
  const places = new Map(words.map((word, place) => [word, place]));
  const weights = new Float32Array(bags.length * words.length);
  for (const [text, bag] of bags.entries()) {
    for (const [word, weight] of bag) {
      const at = text * words.length + (places.get(word) as number);
      weights[at] = (weights[at] as number) + weight;
    }
  }
  return { words, texts: bags.length, weights };
}

type Bag = readonly (readonly [word: string, weight: number])[];

function conceptBag({ name, tagWords, kind }: Concept): Bag {
  const weighted = (text: string, weight: number): Bag => wordsOf(text).map((word) => [word, weight]);
  return [
    ...weighted(name, NAME_WEIGHT),
    ...tagWords.flatMap((tag) => weighted(tag, TAG_WEIGHT)),
    ...weighted(kind, TAG_WEIGHT),
  ];
}

function colorBag(name: string): Bag {
  return [
    [name, NAME_WEIGHT],
    ["nothing", TAG_WEIGHT],
  ];
}

/** Which pictures {@link scenePixels} draws. */
export interface ScenePixelsOptions {
  readonly sheet: SpriteSheet;
  readonly styles: readonly Style[];
  readonly seed: number;
  /** What the pictures are for, for example `"train", step`. */
  readonly stream: readonly (string | number)[];
  readonly count: number;
  /** Default `grid`. */
  readonly variant?: Variant;
  /** Default all concepts. */
  readonly pool?: readonly number[];
  /** How much contrast, brightness and tint vary; 0.2: contrast 0.75 to 1.2. Default 0: not at all. */
  readonly jitter?: number;
}

/** Pictures in memory with what they show. */
export interface ScenePixels {
  /** `[count, 64, 64, 3]`, 0 to 255. */
  readonly pixels: Uint8Array;
  readonly scenes: readonly Scene[];
}

/** Draws pictures without files: they depend on the arguments alone. */
export function scenePixels(options: ScenePixelsOptions): ScenePixels {
  const { sheet, styles, seed, stream, count, variant = "grid", jitter = 0 } = options;
  const pool = options.pool ?? sheet.concepts.map((_, index) => index);
  const random = createRandom(seed, "pixels", ...stream);
  const pixels = new Uint8Array(count * SCENE_BYTES);
  const scenes = Array.from({ length: count }, (_, index) => {
    const scene = drawScene(random, variant, pool);
    const picture = composeScene(random, sheet, scene, styles).pixels;
    if (jitter > 0) varyColors(random, picture, jitter / FULL_JITTER);
    pixels.set(picture, index * SCENE_BYTES);
    return scene;
  });
  return { pixels, scenes };
}

/** Contrast 0.75 to 1.2 around the middle gray, and up to 20 levels more or less of each colour, times `strength`. */
function varyColors(random: Random, pixels: Uint8Array, strength: number): void {
  const contrast = 1 - 0.25 * strength + 0.45 * strength * random.uniform();
  const shift = [0, 1, 2].map(() => 128 - 20 * strength + 40 * strength * random.uniform());
  for (let i = 0; i < pixels.length; i++) {
    const value = ((pixels[i] as number) - 128) * contrast + (shift[i % 3] as number);
    pixels[i] = Math.min(255, Math.max(0, value));
  }
}

/** Index into the bank of {@link buildRegionTexts} for each quadrant of each scene. */
export function regionTargets(scenes: readonly Scene[], concepts: number): Int32Array {
  const targets = scenes.flatMap(({ cells, background }) =>
    cells.map((concept) => (concept === EMPTY ? concepts + background : concept)),
  );
  return Int32Array.from(targets);
}

/** Normalises pictures for an encoder. */
function toEncoderInput(pixels: Uint8Array, processor: ImageProcessor): ImageBatch {
  const images = Array.from({ length: pixels.length / SCENE_BYTES }, (_, index) => ({
    pixels: pixels.subarray(index * SCENE_BYTES, (index + 1) * SCENE_BYTES),
    width: SCENE_SIZE,
    height: SCENE_SIZE,
  }));
  return toImageBatch(images, processor);
}

/** What {@link createRegionData} draws. */
export interface RegionDataOptions {
  readonly sheet: SpriteSheet;
  /** Styles of the training pictures. */
  readonly styles: readonly Style[];
  readonly seed: number;
  /** Mean and deviation of the encoder's pixels. */
  readonly processor: ImageProcessor;
  /** Share of the words of weight 1 that a step leaves out. Default 0.3. */
  readonly wordDropout?: number;
  /** As in {@link ScenePixelsOptions}. Default 0.2. */
  readonly jitter?: number;
  /** Default `grid`. */
  readonly variant?: Variant;
  /** Pictures the data claims to have: only matters for counting epochs. Default one million. */
  readonly size?: number;
}

/**
 * Endless training data for an encoder: pictures of one to four things, and a text for each quadrant.
 *
 * A batch depends on the seed, the stage and the step alone; the indices only say how many pictures.
 */
export function createRegionData(options: RegionDataOptions): TrainingData<RegionTextBatch> {
  const { sheet, styles, seed, processor, variant = "grid" } = options;
  const { wordDropout = 0.3, jitter = FULL_JITTER, size = 1_000_000 } = options;
  const texts = buildRegionTexts(sheet.concepts);
  return {
    size,
    batch: async (indices, { stage, step }) => {
      const stream = [stage, step, indices[0] ?? 0];
      const drawn = scenePixels({ sheet, styles, seed, stream, count: indices.length, variant, jitter });
      const random = createRandom(seed, "word-dropout", ...stream);
      return {
        pixels: toEncoderInput(drawn.pixels, processor),
        targets: regionTargets(drawn.scenes, sheet.concepts.length),
        bank: dropWords(random, texts.weights, wordDropout),
      };
    },
  };
}

/** The bank without some of its lighter words. */
function dropWords(random: Random, weights: Float32Array, dropout: number): Float32Array {
  return weights.map((weight) => {
    return weight > 0 && weight < NAME_WEIGHT && random.uniform() < dropout ? 0 : weight;
  });
}

/** Pictures of one split with their quadrants' texts, all words kept: to measure an encoder. */
export function regionEvaluation(
  options: Omit<ScenePixelsOptions, "jitter"> & { readonly processor: ImageProcessor },
): RegionTextBatch {
  const drawn = scenePixels(options);
  return {
    pixels: toEncoderInput(drawn.pixels, options.processor),
    targets: regionTargets(drawn.scenes, options.sheet.concepts.length),
    bank: buildRegionTexts(options.sheet.concepts).weights,
  };
}

/** Number of regions along each side of a scene. */
export const REGIONS_PER_SIDE = Math.sqrt(CELLS.length);
