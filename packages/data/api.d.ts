import { BasicError, HostVisualRows, FeatureSource } from '@basic-mllm/core';
export { NEWLINE_ROW } from '@basic-mllm/core';
import { D as DecodeOptions, e as ImageSize, R as RgbImage, V as VisualStore, C as ChannelStatistics, I as ImageProcessor } from './visual-store-PHVqbyPS.js';
export { A as AnyresOptions, a as Channels, F as Filter, b as FittedPicture, c as FittedTiles, d as ImageShape, P as PIXEL_LIMIT, f as PictureTiles, g as Region, h as ResizeOptions, T as TileSettings, i as anyresRows, j as bestResolution, k as fitImage, l as fitPicture, m as fitTiles, r as resizeImage, s as squareProcessor, n as standardised, t as toImageBatch } from './visual-store-PHVqbyPS.js';
import { S as Sample, g as Template, j as TextTokenizer, l as TokenizerFiles, N as UnknownWords } from './unknown-words-B8Pzscon.js';
export { A as AddedToken, G as GridAfter, I as IMAGE_PLACEHOLDER, a as IMAGE_SLOT, L as LabelledAnswers, P as PackOptions, b as ParsedSamples, c as PictureRows, d as ProcessorOptions, e as Segment, f as SpecialTokens, T as TEMPLATES, h as TextDataOptions, i as TextPlace, k as TokenSample, m as TokenizerSideFiles, n as Turn, U as UnpackedSample, V as VlmDataOptions, o as answerEndToken, p as arrangementOf, q as conversationSegments, O as countUnknownWords, r as createTextData, s as createTokenizer, t as createVlmData, u as encodePrompt, v as encodeSample, w as encodeSegments, x as findTemplate, y as firstAnswerToken, z as foldTokenizerFiles, B as packSamples, C as parseImageProcessor, D as parseRecords, E as parseSamples, F as rowsAfter, H as unknownWordsOf, J as unpackRows, K as usableTemplates, M as withoutPictures } from './unknown-words-B8Pzscon.js';
import { a as ImageRoot, b as ImagePool } from './pixel-store-CLlQ6VVS.js';
export { c as ImagePoolOptions, d as ImageSource, I as ImageTask, P as PixelStoreOptions, e as createImagePool, f as createPixelStore, i as imageSourceOf, o as openPicture } from './pixel-store-CLlQ6VVS.js';

/**
 * How a chat template gets what is said: `parts` as Hugging Face's processors, a list of texts and images; `text` as
 * llama.cpp, one text in which a marker stands for each image.
 */
type ChatForm = "parts" | "text";
/**
 * One of our templates as the Jinja text that other programs read beside a model.
 *
 * @param name - As for {@link findTemplate}.
 * @param image - What stands for an image: the image token, or the marker of the texts.
 * @returns null for templates that Jinja files cannot say: those that drop questions or start each turn anew, and `model`,
 *   which is such a file already.
 * @throws `BasicError` `E_NAME_UNKNOWN`.
 */
declare function chatTemplateOf(name: string, form: ChatForm, image: string): string | null;

/** What a missing or broken picture does. */
type ImagePolicy = "error" | "skip-and-count";
/** How {@link readDataset} reads. */
interface DatasetOptions {
    /** Folder of the images, where they are files. Default: the folder of the data set. */
    readonly imageRoot?: string;
    /** Default `error`. */
    readonly onImageError?: ImagePolicy;
    /** Use the first n samples only. */
    readonly limit?: number;
}
/** Samples whose image files are all there. */
interface Dataset {
    readonly samples: readonly Sample[];
    readonly imageRoot: ImageRoot;
    /** Samples left out, and the image that is missing. */
    readonly skipped: readonly {
        readonly id: string;
        readonly image: string;
    }[];
}
/**
 * Reads the texts of a data set of any format ({@link openSamples}) and looks whether its images are there.
 *
 * @throws `BasicError` `E_DATA_EMPTY`, `E_DATA_FORMAT`; `E_IMAGE` under the policy `error`.
 */
declare function readDataset(path: string, options?: DatasetOptions): Promise<Dataset>;
/** Leaves out the samples that show one of these images. */
declare function withoutImages<Set extends {
    readonly samples: readonly Sample[];
}>(dataset: Set, images: {
    has(image: string): boolean;
}): Set;
/** The image files of samples, each once, in order of appearance. */
declare function imagesOf(samples: readonly Sample[]): readonly string[];
/** Decodes every image once and names those that fail, with the reason. */
declare function brokenImages(imageRoot: ImageRoot, images: readonly string[], options?: DecodeOptions): Promise<ReadonlyMap<string, string>>;
/**
 * Width and height of images as they are shown. Of files the heads are read; pixels are not decoded.
 *
 * @throws `BasicError` `E_IMAGE` naming the first that is missing or broken.
 */
declare function readImageSizes(imageRoot: ImageRoot, images: readonly string[], options?: DecodeOptions): Promise<ReadonlyMap<string, ImageSize>>;
/** The error of a data set without a record. */
declare function noRecords(path: string): BasicError;

/**
 * Decodes an image file to what Pillow's `convert("RGB")` gives: rotation of the camera applied, the first frame of a
 * moving picture, colour profiles not followed, gray repeated, transparency dropped (or laid on white).
 *
 * @param name - For the message.
 * @throws `BasicError` `E_IMAGE` naming the file: empty, cut off, no picture, too many pixels, an SVG drawing.
 */
declare function decodeImage(bytes: Uint8Array, name: string, options?: DecodeOptions): Promise<RgbImage>;
/**
 * Width and height of a picture as {@link decodeImage} gives it, from the head of its file.
 *
 * @throws `BasicError` `E_IMAGE` as {@link decodeImage}, but for damage behind the head.
 */
declare function readImageSize(bytes: Uint8Array, name: string, options?: DecodeOptions): Promise<ImageSize>;

/** How features are kept on disk. */
type FeatureStorage = "float16" | "float32";

/** Features of a set of images, computed or found on disk. */
interface FeatureTable extends VisualStore {
    readonly width: number;
    /** Images without features, and why. Empty under the policy `error`. */
    readonly broken: ReadonlyMap<string, string>;
    /** Images whose features were computed now, and not found on disk. */
    readonly computed: number;
    /** Mean and deviation of each channel over all rows of these images. Default: all images. */
    statistics(images?: readonly string[]): Promise<ChannelStatistics>;
    read(images: readonly string[]): Promise<HostVisualRows>;
    growth(images: readonly string[]): number;
}

/** What {@link cacheFeatures} computes. */
interface FeatureCacheOptions {
    readonly source: FeatureSource;
    readonly processor: ImageProcessor;
    readonly imageRoot: ImageRoot;
    /** Names of images, each once ({@link imagesOf}). */
    readonly images: readonly string[];
    /** Folder of the cache. */
    readonly folder: string;
    /** Default `float16`. */
    readonly storage?: FeatureStorage;
    /** Default `error`. */
    readonly onImageError?: ImagePolicy;
    /** Called with the number of images that are ready, and how many of those were computed now. */
    readonly onProgress?: (done: number, total: number, computed: number) => void;
    /** Stops the work between two batches of images. */
    readonly signal?: AbortSignal;
    /** Threads that decode and resize. Default: the main thread does. */
    readonly pool?: ImagePool;
}
/**
 * Computes the features of a frozen encoder once and keeps them on disk.
 *
 * Files are keyed by the encoder, the processor, the storage and the content of their images; they are written under
 * a temporary name and renamed, so that an interrupted or a second run does no harm. A file that was cut off is made again.
 *
 * @throws `BasicError` `E_IMAGE` naming a missing or broken file, under the policy `error`; `E_DISK_FULL`; `E_INTERRUPTED`
 * where `signal` was aborted: files that are whole stay.
 */
declare function cacheFeatures(options: FeatureCacheOptions): Promise<FeatureTable>;

/** Cases of one problem: how many there are, and the first of them. */
interface Finding {
    readonly count: number;
    /** In order of appearance, at most 20. */
    readonly examples: readonly string[];
}
/** The shortest, the middle and the longest of some lengths; zeros where there are none. */
interface Spread {
    readonly min: number;
    readonly median: number;
    readonly max: number;
}

/** A token that LLaVA does not train. */
declare const IGNORE_INDEX = -100;
/** Tokens and labels as LLaVA's own preprocessing gives them. */
interface LlavaLabels {
    /** Token ids; {@link IMAGE_SLOT} for each image. */
    readonly ids: Int32Array;
    /** Of the same length: the token's own id where it is trained, else {@link IGNORE_INDEX}. */
    readonly labels: Int32Array;
    /** LLaVA's "tokenization mismatch": it counted another number of tokens than there are, and ignores the sample. */
    readonly mismatch: {
        readonly counted: number;
        readonly tokens: number;
    } | null;
}
/**
 * Tokens and labels by LLaVA's rule: the whole text is tokenised, its rounds and instructions are tokenised once more,
 * and their lengths say what is masked (`preprocess_plain`, `preprocess_v1` and `preprocess_llama_2` of
 * llava/train/train.py). For comparison with {@link encodeSample}, which needs no second tokenisation and gives the
 * same wherever this rule does not fail.
 *
 * @throws `BasicError` `E_CONFIG` for a template that LLaVA has no such rule for.
 */
declare function llavaLabels(template: Template, tokenizer: TextTokenizer, sample: Sample): LlavaLabels;

/** A record as it was read: a sample, or what is wrong with it. */
type SampleRecord = Sample | BasicError;
/** The files that samples can be read from. */
type SampleFormat = "json" | "jsonl" | "parquet" | "tar";
/** Samples of one or several files, by number and one after the other. Texts and images stay on disk. */
interface SampleSource {
    readonly format: SampleFormat;
    /** The files, in order. */
    readonly files: readonly string[];
    /** Number of records, those that are no samples included. */
    readonly size: number;
    readonly imageRoot: ImageRoot;
    /**
     * A record by number.
     *
     * @throws `BasicError` `E_DATA_FORMAT` where it is no sample.
     */
    read(index: number): Promise<Sample>;
    /** All records in order, a bounded number in memory at a time; a malformed one is an error and not thrown. */
    records(): AsyncIterable<SampleRecord>;
}

/** What a token adds to the text of its sample. */
interface TokenPiece {
    /** With its spaces and line ends; for special tokens their names. */
    readonly text: string;
    /** Several where a letter is spread over tokens. {@link IMAGE_SLOT} for an image. */
    readonly ids: readonly number[];
    readonly kind: "text" | "special" | "image";
    /** Whether it has a label. */
    readonly supervised: boolean;
}

/** How {@link previewSamples} shows samples. */
interface PreviewOptions {
    readonly template: Template;
    readonly tokenizer: TextTokenizer;
    /** Number of records, at even distances over the data set. */
    readonly count: number;
    /** Pixels of the longer side of a thumbnail. Default 224. */
    readonly thumbnail?: number;
}
/** A record as training would see it. */
interface PreviewRecord {
    /** Number in the data set. */
    readonly index: number;
    /** Null where the record is no sample. */
    readonly id: string | null;
    /** Thumbnails as `data:` addresses; null, and a problem, where an image cannot be shown. */
    readonly images: readonly {
        readonly name: string;
        readonly address: string | null;
    }[];
    /** Empty where the template cannot use the sample. */
    readonly tokens: readonly TokenPiece[];
    /** Why the record cannot be trained on; empty for good ones. */
    readonly problems: readonly string[];
}
/**
 * Some records of a data set with thumbnails and with the tokens that a template gives. What is wrong with a record
 * stands in its place and is not thrown.
 */
declare function previewSamples(source: SampleSource, options: PreviewOptions): Promise<readonly PreviewRecord[]>;

/**
 * The preprocessor_config.json of a processor, as Hugging Face's classes read it; of one that cuts pictures into tiles, that of
 * `LlavaNextImageProcessor`. How files are decoded has no place in it.
 *
 * @throws `BasicError` `E_CONFIG` for tiles of another size than the processor's images.
 */
declare function describeImageProcessor(processor: ImageProcessor): Readonly<Record<string, unknown>>;

/** How {@link openSamples} opens. */
interface OpenSamplesOptions {
    /** Folder of the images, where they are files. Default: that of the data set. */
    readonly imageRoot?: string;
}
/**
 * Opens a data set of any format: LLaVA JSON, JSON lines, Parquet, WebDataset tar; a file, a folder of shards or a
 * pattern. Reads where its records lie, and neither texts nor images.
 *
 * @throws `BasicError` `E_DATA_FORMAT` for a file that is damaged or of an unknown format; `E_DATA_EMPTY` where there is none.
 */
declare function openSamples(path: string, options?: OpenSamplesOptions): Promise<SampleSource>;

/** A tokenizer with special tokens added, and their ids. */
interface ExtendedTokenizer {
    readonly files: TokenizerFiles;
    /** Id of each token that was asked for. */
    readonly ids: Readonly<Record<string, number>>;
    /** Those that were not there before. */
    readonly added: readonly string[];
    /** Rows that the embedding table needs: one more than the largest id. */
    readonly rows: number;
}
/** Roles that special tokens have in tokenizer_config.json. */
interface SpecialTokenNames {
    /** Marks an image, usually `<image>`; `image_token` of the config. */
    readonly image?: string;
    /** Fills up rows, usually `<pad>`; `pad_token` of the config. */
    readonly pad?: string;
}
/**
 * Adds special tokens after the last id of a tokenizer, as LLaVA's conversion does (`<image>`, then `<pad>`). Tokens
 * that are there keep their id.
 */
declare function addSpecialTokens(files: TokenizerFiles, names: SpecialTokenNames): ExtendedTokenizer;
/**
 * Whether every id of a tokenizer has a row in a model's embedding table. A table may be longer: many are padded.
 *
 * @param rows - Rows of the table.
 * @param model - Name of the model, for the message.
 * @throws `BasicError` `E_TOKENIZER` where the table is too short: it must grow, or the tokenizer is another model's.
 */
declare function checkVocabulary(tokenizer: TextTokenizer, rows: number, model: string): void;
/**
 * The id of the image token.
 *
 * @throws `BasicError` `E_TOKENIZER` where the tokenizer has none.
 */
declare function requireImageToken({ special }: TextTokenizer): number;

/**
 * The files of a model folder's tokenizer, folded into two: what the side files say about special tokens, added
 * tokens and the chat template is then in `tokenizer.json` and `tokenizer_config.json`.
 *
 * @param path - The folder, or the file that takes the place of `tokenizer.json`.
 * @throws `BasicError` `E_TOKENIZER` when `tokenizer.json` is missing, a file is damaged, or files disagree.
 */
declare function readTokenizerFiles(path: string): Promise<TokenizerFiles>;
/**
 * Opens the tokenizer of a model folder: `tokenizer.json` and the files beside it that there are.
 *
 * @throws `BasicError` `E_TOKENIZER` when the file is missing or not a tokenizer.
 */
declare function readTokenizer(folder: string): Promise<TextTokenizer>;

/** How samples come out of one template. */
interface TemplateReport {
    readonly template: string;
    /** Tokens without images. */
    readonly tokens: Spread;
    /** Share of these tokens that have labels. */
    readonly supervisedShare: number;
    /** Samples with more tokens than `maxLength`; none without such a limit. */
    readonly overLong: Finding;
    /** Samples that this template cannot use, by error code; the examples are the texts of the errors. */
    readonly unusable: readonly ({
        readonly code: string;
    } & Finding)[];
}

/** What {@link validateDataset} looks at. */
interface ValidateOptions {
    readonly source: Pick<SampleSource, "records" | "imageRoot">;
    readonly tokenizer: TextTokenizer;
    /** Default: all whose special tokens the tokenizer has. */
    readonly templates?: readonly Template[];
    /** Whether images are decoded, and not only looked for. Default false. */
    readonly decodeImages?: boolean;
    /** Tokens of a sample, images not counted, above which it is over-long. Default: none is. */
    readonly maxLength?: number;
}
/** What is in a data set, and what would stop a training run. */
interface DatasetReport {
    /** Records that are samples. */
    readonly samples: number;
    readonly textOnly: number;
    /** Different images. */
    readonly images: number;
    /** Turns that are not of human and gpt, or do not alternate; the examples are the texts of the errors. */
    readonly roleErrors: Finding;
    /** Records that are no samples for another reason; the examples are the texts of the errors. */
    readonly malformed: Finding;
    readonly missingImages: Finding;
    /** Images outside of the image folder, and with `decodeImages` those that cannot be decoded: texts of the errors. */
    readonly brokenImages: Finding;
    /** Samples with more `<image>` than images. */
    readonly morePlaceholders: Finding;
    /** Samples with fewer `<image>` than images. */
    readonly fewerPlaceholders: Finding;
    /** Samples with an answer that is empty. Training leaves such an answer out. */
    readonly emptyAnswers: Finding;
    /** Ids that occur more than once. Training accepts them. */
    readonly duplicateIds: Finding;
    /** Words that the tokenizer cannot spell. */
    readonly unknownWords: UnknownWords;
    readonly turns: Spread;
    readonly templates: readonly TemplateReport[];
}
/**
 * Looks through a data set before any training: records, images, placeholders, lengths, and labels under each template.
 * One pass in order; ids, names of images and different words stay in memory, samples do not.
 */
declare function validateDataset(options: ValidateOptions): Promise<DatasetReport>;

export { ChannelStatistics, type ChatForm, type Dataset, type DatasetOptions, type DatasetReport, DecodeOptions, type ExtendedTokenizer, type FeatureCacheOptions, type FeatureStorage, type FeatureTable, type Finding, IGNORE_INDEX, type ImagePolicy, ImagePool, ImageProcessor, ImageRoot, ImageSize, type LlavaLabels, type OpenSamplesOptions, type PreviewOptions, type PreviewRecord, RgbImage, Sample, type SampleFormat, type SampleRecord, type SampleSource, type SpecialTokenNames, type Spread, Template, type TemplateReport, TextTokenizer, type TokenPiece, TokenizerFiles, UnknownWords, type ValidateOptions, VisualStore, addSpecialTokens, brokenImages, cacheFeatures, chatTemplateOf, checkVocabulary, decodeImage, describeImageProcessor, imagesOf, llavaLabels, noRecords, openSamples, previewSamples, readDataset, readImageSize, readImageSizes, readTokenizer, readTokenizerFiles, requireImageToken, validateDataset, withoutImages };
