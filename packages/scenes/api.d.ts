import { Random, TrainingData, RegionTextBatch } from '@basic-mllm/core';
import { TokenSample, TextTokenizer, ImageProcessor, RgbImage } from '@basic-mllm/data';

/** A thing that all teams drew. */
interface Emoji {
    /** CLDR short name, for example `black cat`. */
    readonly label: string;
    readonly hexcode: string;
    readonly tags: readonly string[];
    /** CLDR group and subgroup, for example `animals-nature` and `animal-mammal`. */
    readonly group: string;
    readonly subgroup: string;
}
/** A thing that scenes show and questions name. */
interface Concept extends Emoji {
    /** The label in words of the vocabulary. */
    readonly name: string;
    /** What kind of thing it is: the subgroup in words. */
    readonly kind: string;
    /** The tags in words of the vocabulary. */
    readonly tagWords: readonly string[];
}
/** Which concepts the pictures of the task show, as indices into the concept list. */
interface ConceptPools {
    /** Every concept. */
    readonly all: readonly number[];
    /** Animals and food with a name of one word, for training. */
    readonly seen: readonly number[];
    /** The same kind of concept, never shown in training. */
    readonly heldOut: readonly number[];
}
/**
 * Splits the animals and food with one-word names into seen and held-out concepts.
 *
 * The split does not depend on the seed of the scenes, so that runs with different seeds compare.
 *
 * @param heldOut - How many concepts to hold out; default one in eight.
 */
declare function conceptPools(concepts: readonly Concept[], heldOut?: number): ConceptPools;

/** `solo`: one object in a quadrant. `grid`: one to four objects, some of them the same. */
type Variant = "solo" | "grid";
/** The quadrants, row by row; each name is one token. */
declare const CELLS: readonly ["topleft", "topright", "bottomleft", "bottomright"];
/** A quadrant. */
type Cell = (typeof CELLS)[number];
/** Background colours: name and red, green, blue. */
declare const BACKGROUNDS: readonly (readonly [name: string, rgb: readonly [number, number, number]])[];
/** What stands where. */
interface Scene {
    readonly variant: Variant;
    /** Concept in each of {@link CELLS}, or `-1`. */
    readonly cells: readonly number[];
    /** Index into {@link BACKGROUNDS}. */
    readonly background: number;
}

/** What a question asks for. `yes` and `no`: is there a …, by its right answer. */
type QuestionType = "name" | "kind" | "where" | "color" | "count" | "yes" | "no";
/** How the absent thing of a `no` question was chosen: any, or one of the same kind as what is there. */
type Negative = "random" | "adversarial";
/** What there is to talk about. */
interface Topic {
    readonly concepts: readonly Concept[];
    /** Concepts that questions may name. */
    readonly pool: readonly number[];
    /** Concepts of the pool by subgroup. */
    readonly alike: ReadonlyMap<string, readonly number[]>;
}

/** The six teams of artists, by the name of their package `@iconify-json/<name>`. */
declare const STYLES: readonly ["twemoji", "noto", "fluent-emoji-flat", "fluent-emoji", "emojione", "openmoji"];
/** One of {@link STYLES}. */
type Style = (typeof STYLES)[number];
/** Version and licence of a style's package. */
interface ArtSource {
    readonly style: Style;
    readonly package: string;
    readonly version: string;
    /** SPDX name. */
    readonly license: string;
    readonly url: string;
    readonly author: string;
}

/** Every concept drawn by every team at every size. */
interface SpriteSheet {
    readonly concepts: readonly Concept[];
    readonly sources: readonly ArtSource[];
    /** RGBA, premultiplied: `[concepts, styles, sizes, 32, 32, 4]`. */
    readonly pixels: Uint8Array;
}

/** A record of the LLaVA format, with what the scene shows as metadata. */
interface SceneRecord {
    readonly id: string;
    readonly image: string;
    readonly conversations: readonly {
        readonly from: "human" | "gpt";
        readonly value: string;
    }[];
    readonly metadata: SceneMetadata;
}
/** What a record says about its picture, and about its question in evaluation sets. */
interface SceneMetadata {
    readonly variant: Variant;
    readonly background: string;
    readonly objects: readonly {
        readonly cell: string;
        readonly name: string;
        readonly kind: string;
        readonly style: string;
    }[];
    /** Words of what is drawn in each region, row by row: for the strict share of token matching. */
    readonly regions: {
        readonly grid: readonly [number, number];
        readonly words: readonly (readonly string[])[];
    };
    /** Evaluation sets only. `yes` and `no` are the two answers of yes/no questions. */
    readonly question?: QuestionType;
    /** Only with question `no`: how the absent thing was chosen. */
    readonly negative?: Negative;
    /** Evaluation sets only. */
    readonly answer?: string;
}
/** What a set of pictures is: its name, who draws it, what it says. */
interface SplitPlan {
    /** `stage1`, `stage2`, or an evaluation set. */
    readonly name: string;
    readonly purpose: "captions" | "chat" | "evaluation" | "held-out";
    readonly count: number;
    readonly styles: readonly Style[];
}
/** A drawn scene with its records. */
interface SceneSample {
    /** `[64, 64, 3]`. */
    readonly pixels: Uint8Array;
    readonly image: string;
    readonly records: readonly SceneRecord[];
}
/** What {@link makeSample} draws from. */
interface SceneWorld {
    readonly sheet: SpriteSheet;
    readonly pools: ConceptPools;
    /** Concepts that training names. */
    readonly seen: Topic;
    /** Concepts that training never names. */
    readonly heldOut: Topic;
    readonly variant: Variant;
    readonly seed: number;
}
/** Draws scene `index` of a set. It depends on the seed, the set's name and the index alone. */
declare function makeSample(world: SceneWorld, split: SplitPlan, index: number): SceneSample;

/** What to build. Every default is the quickstart's. */
interface SceneOptions {
    /** Default `solo`. */
    readonly variant?: Variant;
    /** Scenes with captions. Default 8,000. */
    readonly train1?: number;
    /** Scenes with chat. Default 12,000. */
    readonly train2?: number;
    /** Scenes of each evaluation set. Default 400. */
    readonly test?: number;
    /** Default 0. */
    readonly seed?: number;
    /** The team that training never sees. Default `noto`. */
    readonly testStyle?: Style;
    /** The team of the `validation` set, to tune on. Default `twemoji`. */
    readonly validationStyle?: Style;
    /** Whether training leaves out the validation style, as it does the test style. Default false. */
    readonly excludeValidationStyle?: boolean;
    /** Concepts that training never shows. Default one in eight of the pool. */
    readonly heldOut?: number;
}
/** `manifest.json`: where a data set comes from. */
interface SceneManifest {
    readonly format: number;
    readonly options: Required<Omit<SceneOptions, "heldOut">>;
    readonly trainStyles: readonly Style[];
    readonly art: readonly ArtSource[];
    readonly seen: readonly string[];
    readonly heldOut: readonly string[];
    /** Scenes and records of each set; the hash covers the records and the pixels. */
    readonly sets: Readonly<Record<string, {
        readonly scenes: number;
        readonly records: number;
        readonly sha256: string;
    }>>;
}
/** What a build will draw. */
interface ScenePlan {
    readonly world: SceneWorld;
    readonly splits: readonly SplitPlan[];
    readonly manifest: Omit<SceneManifest, "sets">;
}
/**
 * Decides concepts, styles and sets, and draws nothing yet: {@link makeSample} then draws any scene in memory.
 *
 * @throws `BasicError` `E_CONFIG` when the sheet has too few concepts for the task.
 */
declare function planScenes(sheet: SpriteSheet, given?: SceneOptions): ScenePlan;

/** Called while scenes are drawn. */
type BuildProgress = (done: number, total: number) => void;
/** Where and from what to build. */
interface BuildTarget {
    readonly sheet: SpriteSheet;
    readonly options?: SceneOptions;
    readonly onProgress?: BuildProgress;
    /** Stops the work between two groups of pictures. */
    readonly signal?: AbortSignal;
}
/**
 * Writes a picture task as PNG files and LLaVA JSON: `stage1.json` (captions), `stage2.json` (chat),
 * `validation.json` (one training style, to tune on), `test-noto.json` (named after the style that training never
 * sees), `test-train-artists.json`, `held-out.json` (concepts that training never shows), a tokenizer and
 * `manifest.json`. The same options give the same files, and fewer scenes are the first of more. A folder that was
 * built from the same options is kept.
 *
 * @throws `BasicError` `E_CONFIG` when the sheet has too few concepts for the task, `E_DISK_FULL`; `E_INTERRUPTED` where
 * `signal` was aborted: the next call draws all pictures again.
 */
declare function buildScenes(folder: string, target: BuildTarget): Promise<SceneManifest>;

/** Pixels along each side of a scene. */
declare const SCENE_SIZE = 64;
/** A drawn scene. */
interface Picture {
    /** `[64, 64, 3]`, red, green, blue. */
    readonly pixels: Uint8Array;
    /** Who drew the object in each quadrant; null where it is empty. */
    readonly styles: readonly (Style | null)[];
}
/**
 * Draws a scene: a noisy background colour, then each object at a random size and place in its quadrant.
 *
 * @param styles - Teams to choose from, for each object apart.
 */
declare function composeScene(random: Random, sheet: SpriteSheet, scene: Scene, styles: readonly Style[]): Picture;

/** What the documents of the language model are drawn from. */
interface CorpusOptions {
    readonly concepts: readonly Concept[];
    readonly tokenizer: TextTokenizer;
    readonly seed: number;
    /** Default `solo`. */
    readonly variant?: Variant;
}
/** Documents by number, endless: document i depends on the seed and i alone. */
type Corpus = (index: number) => TokenSample;
/**
 * Documents that teach a language model the words of the task before it sees a picture.
 *
 * Four in five are a scene in words with questions (answers weigh 1, the rest 0.1); the others define a
 * concept by its kind and tags (0.3).
 */
declare function createCorpus({ concepts, tokenizer, seed, variant }: CorpusOptions): Corpus;

/** Texts that regions are compared with, as bags of words: one of each concept, then one of each empty background. */
interface RegionTexts {
    readonly words: readonly string[];
    readonly texts: number;
    /** `[texts, words]`. */
    readonly weights: Float32Array;
}
/** Builds the bank: the name weighs 3, each tag and the kind 1; an empty region is its colour and `nothing`. */
declare function buildRegionTexts(concepts: readonly Concept[]): RegionTexts;
/** Which pictures {@link scenePixels} draws. */
interface ScenePixelsOptions {
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
interface ScenePixels {
    /** `[count, 64, 64, 3]`, 0 to 255. */
    readonly pixels: Uint8Array;
    readonly scenes: readonly Scene[];
}
/** Draws pictures without files: they depend on the arguments alone. */
declare function scenePixels(options: ScenePixelsOptions): ScenePixels;
/** Index into the bank of {@link buildRegionTexts} for each quadrant of each scene. */
declare function regionTargets(scenes: readonly Scene[], concepts: number): Int32Array;
/** What {@link createRegionData} draws. */
interface RegionDataOptions {
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
declare function createRegionData(options: RegionDataOptions): TrainingData<RegionTextBatch>;
/** Pictures of one split with their quadrants' texts, all words kept: to measure an encoder. */
declare function regionEvaluation(options: Omit<ScenePixelsOptions, "jitter"> & {
    readonly processor: ImageProcessor;
}): RegionTextBatch;
/** Number of regions along each side of a scene. */
declare const REGIONS_PER_SIDE: number;

/**
 * A sheet as one picture without transparency, which image codecs and canvases keep as it is: 32 pixels of height for
 * each concept, in which the colours (premultiplied) of its 18 sprites stand, and right of them their alpha as gray.
 */
declare function encodeSheet({ concepts, pixels }: Pick<SpriteSheet, "concepts" | "pixels">): RgbImage;
/**
 * The sheet of a picture of {@link encodeSheet}.
 *
 * @throws `BasicError` `E_IMAGE` where the picture has another size than its concepts need.
 */
declare function decodeSheet(image: RgbImage, { concepts, sources }: Omit<SpriteSheet, "pixels">): SpriteSheet;

/** Called while sprites are drawn. */
type SpriteProgress = (done: number, total: number) => void;
/** Where sprites are kept and which are wanted. */
interface SpriteOptions {
    /** Folder of the cache; default {@link defaultCacheFolder}. */
    readonly cacheFolder?: string;
    readonly onProgress?: SpriteProgress;
    /** Stops the drawing. */
    readonly signal?: AbortSignal;
    /** Labels of the emoji wanted; default all. */
    readonly labels?: readonly string[];
}
/** `$BASIC_MLLM_CACHE`, else `$XDG_CACHE_HOME/basic-mllm`, else `~/.cache/basic-mllm`. An empty variable is none. */
declare function defaultCacheFolder(): string;
/**
 * Reads the sprites from the cache, or draws them first (about half a minute).
 *
 * A picture that cannot be drawn leaves its concept out.
 *
 * @throws `BasicError` `E_IMAGE` when nothing could be drawn, `E_DISK_FULL`; `E_INTERRUPTED` where `signal` was aborted.
 */
declare function loadSprites(options?: SpriteOptions): Promise<SpriteSheet>;

/** Special tokens, in the order of their ids. */
declare const SPECIAL_TOKENS: readonly ["<pad>", "<s>", "</s>", "<unk>", "<image>"];
/** Words that captions, questions and answers are made of, whatever the scene shows. */
declare const templateWords: readonly string[];
/** All words of the task, each once: special tokens, templates, colours, quadrants, names, kinds, tags. */
declare function buildVocabulary(concepts: readonly Concept[]): readonly string[];
/** The files of a word-level tokenizer in the Hugging Face layout. */
interface TokenizerFiles {
    readonly "tokenizer.json": object;
    readonly "tokenizer_config.json": object;
}
/** Builds a tokenizer of whole words: lower case, split at spaces and punctuation; other words are `<unk>`. */
declare function buildTokenizer(vocabulary: readonly string[]): TokenizerFiles;

export { type ArtSource, BACKGROUNDS, type BuildProgress, type BuildTarget, CELLS, type Cell, type Concept, type ConceptPools, type Corpus, type CorpusOptions, type Emoji, type Negative, type Picture, type QuestionType, REGIONS_PER_SIDE, type RegionDataOptions, type RegionTexts, SCENE_SIZE, SPECIAL_TOKENS, STYLES, type Scene, type SceneManifest, type SceneMetadata, type SceneOptions, type ScenePixels, type ScenePixelsOptions, type ScenePlan, type SceneRecord, type SceneSample, type SceneWorld, type SplitPlan, type SpriteOptions, type SpriteProgress, type SpriteSheet, type Style, type TokenizerFiles, type Topic, type Variant, buildRegionTexts, buildScenes, buildTokenizer, buildVocabulary, composeScene, conceptPools, createCorpus, createRegionData, decodeSheet, defaultCacheFolder, encodeSheet, loadSprites, makeSample, planScenes, regionEvaluation, regionTargets, scenePixels, templateWords };
