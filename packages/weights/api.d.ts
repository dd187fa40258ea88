import { DecoderConfig, VitConfig, FeatureSelection, Vit, MlpProjector, Decoder, RunStore } from '@basic-mllm/core';

/** Bytes per value of every type that a safetensors header may name. */
declare const bytesPerValue: {
    readonly BOOL: 1;
    readonly U8: 1;
    readonly I8: 1;
    readonly F8_E4M3: 1;
    readonly F8_E5M2: 1;
    readonly I16: 2;
    readonly U16: 2;
    readonly F16: 2;
    readonly BF16: 2;
    readonly I32: 4;
    readonly U32: 4;
    readonly F32: 4;
    readonly F64: 8;
    readonly I64: 8;
    readonly U64: 8;
};
/** A value type of safetensors. */
type DType = keyof typeof bytesPerValue;
/** Types that we can write. */
type FloatDType = "F32" | "F16" | "BF16";

/** Where one tensor lies in a safetensors file. */
interface TensorEntry {
    readonly name: string;
    readonly dtype: DType;
    readonly shape: readonly number[];
    /** First byte, counted from the start of the file. */
    readonly begin: number;
    /** Byte after the last. */
    readonly end: number;
}

/** Bytes that can be read by range: a buffer, or a file on disk. */
interface ByteSource {
    /** For messages, for example the path. */
    readonly location: string;
    readonly size: number;
    /** Bytes `start .. end`. */
    read(start: number, end: number): Uint8Array;
    /** Closes the file, where there is one. */
    close(): void;
}
/** A source over bytes in memory. */
declare function bytesInMemory(bytes: Uint8Array, location?: string): ByteSource;
/** An open safetensors file; tensors are read when they are asked for. */
declare class Safetensors {
    #private;
    readonly location: string;
    /**
     * Reads and checks the header.
     *
     * @throws `BasicError` `E_WEIGHTS_FORMAT` for anything that is not a whole, consistent file.
     */
    constructor(source: ByteSource | Uint8Array);
    /** Names in the order of the header. */
    get names(): readonly string[];
    /** Free text that the writer stored. */
    get metadata(): Readonly<Record<string, string>>;
    /** Whether the file holds a tensor of that name. */
    has(name: string): boolean;
    /** @throws `BasicError` `E_WEIGHTS_MISSING`. */
    entry(name: string): TensorEntry;
    /** Values of an F32, F16 or BF16 tensor, row-major. */
    floats(name: string): Float32Array;
    /** Values of an I32, I64 or U8 tensor, row-major. */
    integers(name: string): Int32Array;
    /** Closes the file, where there is one. */
    close(): void;
}
/** A tensor to be written. */
interface NamedTensor {
    readonly name: string;
    readonly shape: readonly number[];
    readonly values: Float32Array | Int32Array;
}
/** Options of {@link encodeSafetensors}. */
interface SafetensorsOptions {
    /** How Float32Arrays are stored. Default F32. Int32Arrays are I32. */
    readonly dtype?: FloatDType;
    readonly metadata?: Readonly<Record<string, string>>;
}
/**
 * The file in pieces: the header, then one piece per tensor, so that a large model is never held twice.
 *
 * @throws `BasicError` `E_SHAPE` when values do not fill their shape, `E_NAME_DUPLICATE`.
 */
declare function safetensorsPieces(tensors: readonly NamedTensor[], { dtype, metadata }?: SafetensorsOptions): Generator<Uint8Array>;
/** A whole file in memory. */
declare function encodeSafetensors(tensors: readonly NamedTensor[], options?: SafetensorsOptions): Uint8Array;

/**
 * Opens a file for reading by range.
 *
 * @throws `BasicError` `E_WEIGHTS_MISSING` when it cannot be opened, `E_WEIGHTS_FORMAT` when it is cut off later.
 */
declare function openBytes(path: string): ByteSource;
/** Opens a safetensors file; tensors are read when they are asked for. Close it after use. */
declare function openSafetensors(path: string): Safetensors;
/** Writes a safetensors file: the whole file or nothing. Makes the folder. */
declare function writeSafetensors(path: string, tensors: readonly NamedTensor[], options?: SafetensorsOptions): Promise<void>;
/**
 * Writes pieces under a temporary name, syncs, then renames.
 *
 * @throws `BasicError` `E_DISK_FULL`; the temporary file is removed.
 */
declare function writeAtomically(path: string, pieces: Iterable<Uint8Array>): Promise<void>;

/** The config in Hugging Face's spelling (transformers 4, which 5 reads as well). */
declare function writeDecoderConfig(config: DecoderConfig): Record<string, unknown>;

/** The config in Hugging Face's spelling. */
declare function writeVitConfig(config: VitConfig): Record<string, unknown>;

/** A projector as a config names it. */
interface ProjectorConfig {
    /** Name for `createProjector`. */
    readonly name: string;
    readonly bias: boolean;
    readonly outputNorm: "none" | {
        readonly rms: number;
    };
    /** Side of the pixel shuffle's square; 1 = none. */
    readonly factor: number;
}
/** What a LLaVA config.json says. */
interface LlavaConfig {
    readonly vision: VitConfig;
    readonly language: DecoderConfig;
    readonly projector: ProjectorConfig;
    /** Index into the encoder's hidden states. */
    readonly featureLayer: number;
    readonly featureSelection: FeatureSelection;
    /** Token that stands for an image in texts. */
    readonly imageTokenId: number;
}
/** A config of one of the kinds that we read. */
type ModelConfig = {
    readonly kind: "llava";
    readonly config: LlavaConfig;
} | {
    readonly kind: "language";
    readonly config: DecoderConfig;
} | {
    readonly kind: "vision";
    readonly config: VitConfig;
};
/**
 * Reads a Hugging Face config.json: llava, a language model, or a CLIP or SigLIP vision tower.
 *
 * @param json - The parsed file.
 * @throws `BasicError` `E_CONFIG` naming the field that is missing, unknown or not supported.
 */
declare function parseHuggingFaceConfig(json: unknown, where?: string): ModelConfig;
/**
 * The config in Hugging Face's spelling. A projector that LLaVA does not have is described by the extra field
 * `basic_projector`, which transformers ignores.
 *
 * @param imageRows - Rows that an image of the encoder's size gives.
 */
declare function writeLlavaConfig(config: LlavaConfig, imageRows: number): Record<string, unknown>;

/** A LLaVA-shaped model: its parts and the config that describes them. */
interface LlavaModel {
    readonly kind: "llava";
    readonly vision: Vit;
    readonly projector: MlpProjector;
    readonly language: Decoder;
    readonly config: LlavaConfig;
}
/** What a folder in Hugging Face layout may hold. */
type HuggingFaceModel = LlavaModel | {
    readonly kind: "language";
    readonly language: Decoder;
} | {
    readonly kind: "vision";
    readonly vision: Vit;
};
/** Options of {@link loadHuggingFace}. */
interface LoadOptions {
    /** Of a vision tower: which hidden state its features are. Default −2. A LLaVA's config says its own. */
    readonly layer?: number;
}
/**
 * Loads a folder with `config.json` and `model.safetensors` (or shards with an index): LLaVA, a language model,
 * or a vision tower. Names of the hub, of transformers 5 and of models in memory are understood.
 *
 * @throws `BasicError` `E_CONFIG` for a config that we cannot follow, `E_WEIGHTS_MISSING`,
 *   `E_WEIGHTS_FORMAT` for damaged files, other shapes, or weights that the model has no place for.
 */
declare function loadHuggingFace(folder: string, options?: LoadOptions): Promise<HuggingFaceModel>;
/**
 * {@link loadHuggingFace} for a folder that must hold LLaVA.
 *
 * @throws `BasicError` `E_CONFIG` when it holds something else.
 */
declare function loadLlava(folder: string): Promise<LlavaModel>;
/** Options of {@link saveHuggingFace}. */
interface SaveOptions {
    /** How weights are stored. Default F32. */
    readonly dtype?: FloatDType;
}
/**
 * Writes `model.safetensors` and `config.json` in the hub's layout, which transformers and llama.cpp's
 * converter read. Each file is written whole or not at all; other files of the folder stay.
 *
 * @throws `BasicError` `E_DISK_FULL`.
 */
declare function saveHuggingFace(folder: string, model: HuggingFaceModel, { dtype }?: SaveOptions): Promise<void>;

/**
 * A run store in a folder on disk, for Node.
 *
 * A file or checkpoint is written under a temporary name, synced to the disk, and renamed: it is there as a
 * whole or not at all, whatever moment the process or the machine stops at.
 *
 * @param folder - Made on the first write.
 */
declare function createDiskStore(folder: string): RunStore;

export { type ByteSource, type DType, type FloatDType, type HuggingFaceModel, type LlavaConfig, type LlavaModel, type LoadOptions, type ModelConfig, type NamedTensor, type ProjectorConfig, Safetensors, type SafetensorsOptions, type SaveOptions, type TensorEntry, bytesInMemory, bytesPerValue, createDiskStore, encodeSafetensors, loadHuggingFace, loadLlava, openBytes, openSafetensors, parseHuggingFaceConfig, safetensorsPieces, saveHuggingFace, writeAtomically, writeDecoderConfig, writeLlavaConfig, writeSafetensors, writeVitConfig };
