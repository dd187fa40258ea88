import { Sample, TextTokenizer, RgbImage, VisualStore, ChannelStatistics, ImageProcessor, ImageShape, fitImage, Template } from './browser.js';
export { Channels, Filter, IMAGE_PLACEHOLDER, IMAGE_SLOT, LabelledAnswers, PackOptions, ParsedSamples, Segment, SpecialTokens, TEMPLATES, TextDataOptions, TokenSample, Turn, UnpackedSample, VlmDataOptions, blind, conversationSegments, createTextData, createTokenizer, createVlmData, encodePrompt, encodeSample, encodeSegments, findTemplate, packSamples, parseImageProcessor, parseRecords, parseSamples, resizeImage, squareProcessor, standardised, toImageBatch, unpackRows } from './browser.js';
import { HostVisualRows, FeatureSource } from '@basic-mllm/core';

/** What a missing or broken picture does. */
type ImagePolicy = "error" | "skip-and-count";
/** How {@link readDataset} reads. */
interface DatasetOptions {
    /** Folder of the images. Default: the folder of the file. */
    readonly imageRoot?: string;
    /** Default `error`. */
    readonly onImageError?: ImagePolicy;
    /** Use the first n samples only. */
    readonly limit?: number;
}
/** Samples whose image files are all there. */
interface Dataset {
    readonly samples: readonly Sample[];
    readonly imageRoot: string;
    /** Samples left out, and the image that is missing. */
    readonly skipped: readonly {
        readonly id: string;
        readonly image: string;
    }[];
}
/**
 * Reads a LLaVA data set and looks whether its images are there.
 *
 * @throws `BasicError` `E_DATA_EMPTY`, `E_DATA_FORMAT`; `E_IMAGE` under the policy `error`.
 */
declare function readDataset(file: string, options?: DatasetOptions): Promise<Dataset>;
/** Leaves out the samples that show one of these images. */
declare function withoutImages<Set extends {
    readonly samples: readonly Sample[];
}>(dataset: Set, images: {
    has(image: string): boolean;
}): Set;
/** The image files of samples, each once, in order of appearance. */
declare function imagesOf(samples: readonly Sample[]): readonly string[];
/**
 * Opens the tokenizer of a model folder: `tokenizer.json` and, where there is one, `tokenizer_config.json`.
 *
 * @throws `BasicError` `E_TOKENIZER` when the file is missing or not a tokenizer.
 */
declare function readTokenizer(folder: string): Promise<TextTokenizer>;
/** Decodes every image once and names those that fail, with the reason. */
declare function brokenImages(imageRoot: string, images: readonly string[]): Promise<ReadonlyMap<string, string>>;

/**
 * Decodes an image file: rotation of the camera applied, transparency dropped, gray repeated.
 *
 * @param name - For the message.
 * @throws `BasicError` `E_IMAGE` naming the file.
 */
declare function decodeImage(bytes: Uint8Array, name: string): Promise<RgbImage>;

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
}

/** What {@link cacheFeatures} computes. */
interface FeatureCacheOptions {
    readonly source: FeatureSource;
    readonly processor: ImageProcessor;
    readonly imageRoot: string;
    /** Image files, each once ({@link imagesOf}). */
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

/** What {@link createPixelStore} reads. */
interface PixelStoreOptions {
    readonly imageRoot: string;
    readonly processor: ImageProcessor;
    /** Rows that the encoder makes of an image. */
    readonly shape: ImageShape;
}
/**
 * Pixels of image files, for an encoder that trains.
 *
 * @throws `BasicError` from `read`: `E_IMAGE` naming a missing or broken file.
 */
declare function createPixelStore({ imageRoot, processor, shape }: PixelStoreOptions): VisualStore;
/** Reads, decodes and fits one image file. */
declare function openImage(path: string, processor: ImageProcessor): Promise<ReturnType<typeof fitImage>>;

/** Words of samples that a tokenizer cannot spell. */
interface UnknownWords {
    /** All words of the samples, each as often as it occurs; a sign counts as a word. */
    readonly words: number;
    /** How many of them are unknown. */
    readonly unknown: number;
    /** The unknown ones, the most frequent first. */
    readonly frequent: readonly {
        readonly word: string;
        readonly count: number;
    }[];
}
/**
 * The different words of a text that become the unknown token, in order of appearance; none where the tokenizer has no
 * such token.
 */
declare function unknownWordsOf(tokenizer: TextTokenizer, text: string): readonly string[];
/** Counts the words of samples, and those that become the unknown token. */
declare function countUnknownWords(tokenizer: TextTokenizer, samples: readonly Sample[]): UnknownWords;

/** What {@link validateDataset} looks at. */
interface ValidateOptions {
    readonly samples: readonly Sample[];
    readonly imageRoot: string;
    readonly tokenizer: TextTokenizer;
    /** Default: all that there are. */
    readonly templates?: readonly Template[];
    /** Whether images are decoded, and not only looked for. Default false. */
    readonly decodeImages?: boolean;
}
/** How samples come out of one template. */
interface TemplateReport {
    readonly template: string;
    /** Tokens without images: the shortest, the middle and the longest sample. */
    readonly tokens: {
        readonly min: number;
        readonly median: number;
        readonly max: number;
    };
    /** Share of tokens that are not trained. */
    readonly maskedShare: number;
    /** Samples that this template cannot use, by error code, with the text of the first. */
    readonly unusable: readonly {
        readonly code: string;
        readonly count: number;
        readonly first: string;
    }[];
}
/** What is in a data set, and what would stop a training run. */
interface DatasetReport {
    readonly samples: number;
    readonly textOnly: number;
    readonly images: number;
    readonly missingImages: readonly string[];
    /** Only with `decodeImages`. */
    readonly brokenImages: readonly string[];
    /** Samples whose number of placeholders differs from their number of images. */
    readonly placeholderMismatches: readonly string[];
    /** Ids that occur more than once. Training accepts them. */
    readonly duplicateIds: readonly string[];
    /** Words that the tokenizer cannot spell. */
    readonly unknownWords: UnknownWords;
    readonly turns: {
        readonly min: number;
        readonly median: number;
        readonly max: number;
    };
    readonly templates: readonly TemplateReport[];
}
/** Looks through a data set before any training: files, placeholders, lengths, and labels under each template. */
declare function validateDataset(options: ValidateOptions): Promise<DatasetReport>;

export { ChannelStatistics, type Dataset, type DatasetOptions, type DatasetReport, type FeatureCacheOptions, type FeatureStorage, type FeatureTable, type ImagePolicy, ImageProcessor, ImageShape, type PixelStoreOptions, RgbImage, Sample, Template, type TemplateReport, TextTokenizer, type UnknownWords, type ValidateOptions, VisualStore, brokenImages, cacheFeatures, countUnknownWords, createPixelStore, decodeImage, fitImage, imagesOf, openImage, readDataset, readTokenizer, unknownWordsOf, validateDataset, withoutImages };
