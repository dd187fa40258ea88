import { DecoderConfig, Decoder, VitConfig, ComponentOptions, FeatureSelection, Vit, BuiltInProjector, Lora, AdaptableModel, Projector, RunStore } from '@basic-mllm/core';

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

/** What a file says about one tensor. */
interface TensorInfo {
    readonly name: string;
    readonly dtype: DType;
    readonly shape: readonly number[];
}
/** Where one tensor lies in a safetensors file. */
interface TensorEntry extends TensorInfo {
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
/** A file of named tensors, whatever its format; tensors are read when they are asked for. */
interface TensorFile {
    readonly location: string;
    /** In the order of the file. */
    readonly names: readonly string[];
    /** Whether the file holds a tensor of that name. */
    has(name: string): boolean;
    /** @throws `BasicError` `E_WEIGHTS_MISSING`. */
    entry(name: string): TensorInfo;
    /** Values of a floating-point tensor, row-major. @throws `BasicError` `E_WEIGHTS_MISSING`, `E_WEIGHTS_FORMAT`. */
    floats(name: string): Float32Array;
    /** Values of an integer tensor, row-major. @throws `BasicError` `E_WEIGHTS_MISSING`, `E_WEIGHTS_FORMAT`. */
    integers(name: string): Int32Array;
    /** Closes the file, where there is one. */
    close(): void;
}
/** A source over bytes in memory. */
declare function bytesInMemory(bytes: Uint8Array, location?: string): ByteSource;
/** An open safetensors file; tensors are read when they are asked for. */
declare class Safetensors implements TensorFile {
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
    /** Values of an F32, F16, BF16 or F64 tensor, row-major. Other types than F32 are decoded piece by piece. */
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

/** A tensor type of GGUF that we read. */
type GgufType = "F32" | "F16" | "BF16" | "Q4_0" | "Q4_1" | "Q5_0" | "Q5_1" | "Q8_0" | "Q4_K" | "Q6_K";
/** Names of the types that we read. */
declare const ggufTypes: readonly GgufType[];

/** Where one tensor lies in a GGUF file. */
interface GgufEntry {
    readonly name: string;
    readonly type: GgufType;
    /** Row-major, as in Hugging Face's files: the reverse of ggml's order. */
    readonly shape: readonly number[];
    /** Number of values. */
    readonly size: number;
    /** First byte, counted from the start of the file. */
    readonly begin: number;
    /** Byte after the last. */
    readonly end: number;
}
/** A checked header. */
interface GgufHeader {
    readonly metadata: ReadonlyMap<string, unknown>;
    readonly entries: ReadonlyMap<string, GgufEntry>;
}

/** An open GGUF file; tensors are read when they are asked for. Close it after use. */
declare class GgufFile {
    #private;
    readonly location: string;
    /** Use {@link openGguf}. */
    constructor(source: ByteSource, header: GgufHeader);
    /** Fields of the header, 64-bit integers as bigint. */
    get metadata(): ReadonlyMap<string, unknown>;
    /** Names of the tensors in the order of the header. */
    get names(): readonly string[];
    /** Whether the file holds a tensor of that name. */
    has(name: string): boolean;
    /** @throws `BasicError` `E_WEIGHTS_MISSING`. */
    entry(name: string): GgufEntry;
    /** The bytes of a tensor as they are stored. */
    bytes(name: string): Uint8Array;
    /** Values of a tensor in float32, row-major. */
    floats(name: string): Float32Array;
    /** Closes the file. */
    close(): void;
}
/**
 * Opens a GGUF file and checks its header. Little endian, versions 2 and 3, types F32, F16, BF16, Q4_0, Q4_1, Q5_0,
 * Q5_1, Q8_0, Q4_K and Q6_K.
 *
 * @param source - A path, or bytes.
 * @throws `BasicError` `E_WEIGHTS_MISSING` when it cannot be opened, `E_WEIGHTS_FORMAT` for anything that is not a
 *   whole, consistent file.
 */
declare function openGguf(source: string | Uint8Array): Promise<GgufFile>;

/** Values of `general.architecture` that we read. Mistral and SmolLM2 are `llama`. */
type GgufArchitecture = "llama" | "qwen2" | "qwen3" | "gemma" | "gemma2";
/** A decoder as a GGUF file describes it. */
interface GgufConfig {
    readonly architecture: GgufArchitecture;
    readonly config: DecoderConfig;
}
/**
 * The decoder of a GGUF file, by its metadata and by which tensors it has: a missing head is tied to the table, a bias
 * is there where its tensor is.
 *
 * @throws `BasicError` `E_CONFIG` for another architecture, or a field that we cannot follow; `E_WEIGHTS_MISSING`.
 */
declare function readGgufConfig(file: GgufFile): GgufConfig;

/**
 * The values that the bytes of a tensor stand for, in float32: bit for bit those of ggml's reference.
 *
 * Source: the block structures of ggml. Scales `d` and minima `m` are half precision.
 *
 * - `Q4_0`: `d (q − 8)`; `Q5_0`: `d (q − 16)`; `Q8_0`: `d q`, 32 values a block
 * - `Q4_1`, `Q5_1`: `d q + m`, 32 values a block
 * - `Q4_K`: `d sᵢ q − m tᵢ`, 256 values in 8 groups with 6-bit sᵢ and tᵢ
 * - `Q6_K`: `d sᵢ (q − 32)`, 256 values in 16 groups with 8-bit sᵢ
 *
 * @param where - File and tensor, for messages.
 * @throws `BasicError` `E_WEIGHTS_FORMAT` when the bytes are not those of `count` values.
 */
declare function dequantise(bytes: Uint8Array, type: GgufType, count: number, where: string): Float32Array;

/** Parsed files of a Hugging Face tokenizer, as `createTokenizer` takes them. */
interface TokenizerFiles {
    /** The contents of a tokenizer.json. */
    readonly tokenizer: Readonly<Record<string, unknown>>;
    /** The contents of a tokenizer_config.json. */
    readonly config: TokenizerSettings;
}
/** The part of a tokenizer_config.json that a GGUF file knows. */
interface TokenizerSettings {
    readonly bos_token?: string;
    readonly eos_token?: string;
    readonly unk_token?: string;
    readonly pad_token?: string;
    readonly add_bos_token: boolean;
    readonly add_eos_token: boolean;
    readonly clean_up_tokenization_spaces: false;
    /** Jinja. */
    readonly chat_template?: string;
}
/**
 * The tokenizer of a GGUF file as tokenizer.json and tokenizer_config.json: byte-level BPE (`gpt2`) or SentencePiece
 * (`llama`).
 *
 * @returns null for a file without a tokenizer.
 * @throws `BasicError` `E_TOKENIZER` for another kind, or lists that do not fit together; `E_CONFIG` for a field of
 *   another type.
 */
declare function readGgufTokenizer(file: GgufFile): TokenizerFiles | null;

/** A language model of a GGUF file. */
interface GgufModel {
    readonly kind: "language";
    readonly language: Decoder;
    /** What `createTokenizer` takes; null where the file has none. */
    readonly tokenizer: TokenizerFiles | null;
}
/** Options of {@link loadGguf}. */
interface GgufOptions {
    /**
     * How the matrices of the blocks are kept; norms and biases are float32.
     *
     * - `f32` (default): they can train
     * - `bf16`: half of that, rounded to nearest; frozen
     * - `file`: Q8_0, Q4_0, Q4_1 and BF16 as they are stored, and frozen; other types as float32
     */
    readonly storage?: "f32" | "bf16" | "file";
    /**
     * How the table of words and the head are kept. `f32` (default): losses read them so. `file`: Q8_0, Q4_0, Q4_1 and
     * BF16 as they are stored, for a model that only generates.
     */
    readonly table?: "f32" | "file";
}
/**
 * Loads a language model and its tokenizer from a GGUF file of llama.cpp: architectures llama (with Mistral and
 * SmolLM2), qwen2, qwen3, gemma and gemma2. One tensor at a time is read and decoded.
 *
 * @throws `BasicError` `E_WEIGHTS_MISSING`, `E_WEIGHTS_FORMAT` for a damaged file, other shapes or tensors that the
 *   model has no place for; `E_CONFIG` for a model that we cannot follow, `E_TOKENIZER`.
 */
declare function loadGguf(path: string, options?: GgufOptions): Promise<GgufModel>;

/** The config in Hugging Face's spelling (transformers 4, which 5 reads as well). */
declare function writeDecoderConfig(config: DecoderConfig): Record<string, unknown>;

/** The config in Hugging Face's spelling. */
declare function writeVitConfig(config: VitConfig): Record<string, unknown>;

/** A projector as a config names it. */
interface ProjectorConfig {
    /** Name for `createProjector`. */
    readonly name: string;
    /** Options for `createProjector`. */
    readonly options: ComponentOptions;
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
    /** LLaVA-1.6 (`llava_next`): sizes `[height, width]` for pictures that are cut into tiles. Its projector has `image_newline`. */
    readonly gridPinpoints?: readonly (readonly [height: number, width: number])[];
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
 * Reads a Hugging Face config.json: llava, a language model, or a CLIP, SigLIP or DINOv2 vision tower.
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
    readonly projector: BuiltInProjector;
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
    /** Adapters of the language model: their updates are added to what is written, the model stays as it is. */
    readonly lora?: Lora;
}
/**
 * Writes `model.safetensors` and `config.json` in the hub's layout, which transformers and llama.cpp's
 * converter read. Each file is written whole or not at all; other files of the folder stay.
 *
 * @throws `BasicError` `E_DISK_FULL`.
 */
declare function saveHuggingFace(folder: string, model: HuggingFaceModel, { dtype, lora }?: SaveOptions): Promise<void>;

/** How far a download is. */
interface DownloadProgress {
    /** Name of the file that is being transferred. */
    readonly file: string;
    /** Bytes of all files that are here, with those that the cache held. */
    readonly received: number;
    /** Bytes of all files of which the size is known. */
    readonly total: number;
}
/** Options of everything that downloads models. */
interface DownloadOptions {
    /** Called for each piece that arrives. */
    readonly onProgress?: (progress: DownloadProgress) => void;
    /** Stops the download; what is there is kept, and the next call goes on with it. */
    readonly signal?: AbortSignal | undefined;
    /** Use what the cache holds and no network. Default: whether HF_HUB_OFFLINE is set to 1, ON, YES or TRUE. */
    readonly offline?: boolean;
    /** Access token of the hub, for gated and private models. Default HF_TOKEN. It is sent to the hub only. */
    readonly token?: string;
    /** Default HF_ENDPOINT, else https://huggingface.co. */
    readonly hubUrl?: string;
    /** Default HF_HUB_CACHE, else `hub` in HF_HOME, else `~/.cache/huggingface/hub`. */
    readonly cache?: string;
    /** Default the global fetch. */
    readonly fetch?: typeof fetch;
    /** Milliseconds without a byte after which a connection counts as lost. Default 60,000. */
    readonly timeout?: number;
    /** Milliseconds before the first new attempt after a lost connection; doubled each time. Default 500. */
    readonly pause?: number;
}

/** A model, and where its files lie: its tokenizer and image processor are beside the weights. */
type PretrainedModel = HuggingFaceModel & {
    readonly folder: string;
};
/**
 * Downloads what loading a model needs: config, weights, tokenizer and image processor. A download that was cut off
 * goes on where it ended, and every file of the hub is checked against its hash.
 *
 * @param source - `hub:owner/name`, `hub:owner/name@revision` (branch, tag or commit), the URL of a folder, or a local
 *   folder, which is returned as it is.
 * @returns The local folder.
 * @throws `BasicError` `E_DOWNLOAD`, `E_NAME_UNKNOWN`, `E_WEIGHTS_MISSING`, `E_DISK_FULL`, `E_INTERRUPTED`.
 */
declare function downloadPretrained(source: string, options?: DownloadOptions): Promise<string>;
/**
 * {@link downloadPretrained}, then {@link loadHuggingFace}.
 *
 * @throws What either of them throws.
 */
declare function loadPretrained(source: string, options?: DownloadOptions & LoadOptions): Promise<PretrainedModel>;

/** Whether a model's name says that it must be downloaded. */
declare function isRemote(source: string): boolean;

/** Options of {@link loadPeft}. */
interface LoadPeftOptions {
    /** Of dropout, where training goes on. Default 0. */
    readonly seed?: number;
    /** Dropout where training goes on. Default: that of the file. */
    readonly dropout?: number;
}
/**
 * Puts a LoRA that PEFT has saved (adapter_config.json, adapter_model.safetensors) on the products of a model. Names of
 * a language model alone and of one inside a LLaVA are understood.
 *
 * @throws `BasicError` `E_CONFIG` for settings that we cannot follow, `E_WEIGHTS_MISSING` for an absent file or tensor,
 *   `E_WEIGHTS_FORMAT` for tensors that the model has no place for, or of other shapes.
 */
declare function loadPeft(folder: string, model: AdaptableModel, options?: LoadPeftOptions): Lora;
/** Options of {@link savePeft}. */
interface SavePeftOptions {
    /** Name or folder of the base model, for people and for PEFT. Default: none. */
    readonly baseModel?: string;
}
/**
 * Writes an adapter as PEFT does: adapter_config.json and adapter_model.safetensors, each whole or not at all.
 *
 * @param model - The one that the adapter sits on.
 * @throws `BasicError` `E_DISK_FULL`.
 */
declare function savePeft(folder: string, lora: Lora, model: AdaptableModel, { baseModel }?: SavePeftOptions): Promise<void>;

/** Name of a projector's file in a model folder. */
declare const PROJECTOR_FILE = "mm_projector.safetensors";
/**
 * Writes the weights of a projector alone. A projector of ours has the names of LLaVA's mm_projector.bin
 * (`model.mm_projector.0.weight`) or of one that its authors trained with LLaVA's code, another one its own.
 *
 * @throws `BasicError` `E_DISK_FULL`.
 */
declare function saveProjector(path: string, projector: Projector): Promise<void>;
/**
 * Puts the weights of a projector's file into a projector of the same kind. LLaVA's names (MobileVLM's and LangBridge's
 * are like them), those of a Hugging Face folder, of Honeybee, TinyLLaVA and Prismatic, and the projector's own are
 * understood; other parts of a model in the file are left alone. Constants stay as they are where the file has none. A
 * file of a stage whose pictures were not cut into tiles has no `image_newline`: the projector's own then stays too.
 *
 * @returns Names of the parameters that stay as they are.
 * @throws `BasicError` `E_WEIGHTS_MISSING` where the file or a tensor is absent, `E_WEIGHTS_FORMAT` for other shapes.
 */
declare function loadProjector(path: string, projector: Projector): readonly string[];

/**
 * A run store in a folder on disk, for Node.
 *
 * A file or checkpoint is written under a temporary name, synced to the disk, and renamed: it is there as a
 * whole or not at all, whatever moment the process or the machine stops at.
 *
 * @param folder - Made on the first write.
 */
declare function createDiskStore(folder: string): RunStore;

/**
 * A file of `torch.save` (`mm_projector.bin`, `pytorch_model.bin`): a dictionary of tensors. Tensors are read when
 * they are asked for. Only tensors are accepted: nothing that the file names is ever run.
 */
declare class TorchFile implements TensorFile {
    #private;
    readonly location: string;
    /** @throws `BasicError` `E_WEIGHTS_FORMAT` for a damaged file, for one of other objects, and for the form before PyTorch 1.6. */
    constructor(source: ByteSource | Uint8Array);
    get names(): readonly string[];
    /** Whether the file holds a tensor of that name. */
    has(name: string): boolean;
    /** @throws `BasicError` `E_WEIGHTS_MISSING`. */
    entry(name: string): TensorInfo;
    /** Values of an F64, F32, F16 or BF16 tensor, row-major whatever its strides. */
    floats(name: string): Float32Array;
    /** Values of an I32, I64, U8 or bool tensor, row-major whatever its strides. */
    integers(name: string): Int32Array;
    /** Closes the file, where there is one. */
    close(): void;
}
/**
 * Opens a file of `torch.save`. Close it after use.
 *
 * @throws `BasicError` `E_WEIGHTS_MISSING` when it cannot be opened, `E_WEIGHTS_FORMAT` for anything but tensors.
 */
declare function readTorchFile(path: string): TorchFile;

export { type ByteSource, type DType, type DownloadOptions, type DownloadProgress, type FloatDType, type GgufArchitecture, type GgufConfig, type GgufEntry, GgufFile, type GgufHeader, type GgufModel, type GgufOptions, type GgufType, type HuggingFaceModel, type LlavaConfig, type LlavaModel, type LoadOptions, type LoadPeftOptions, type ModelConfig, type NamedTensor, PROJECTOR_FILE, type PretrainedModel, type ProjectorConfig, Safetensors, type SafetensorsOptions, type SaveOptions, type SavePeftOptions, type TensorEntry, type TensorFile, type TensorInfo, type TokenizerFiles, type TokenizerSettings, TorchFile, bytesInMemory, bytesPerValue, createDiskStore, dequantise, downloadPretrained, encodeSafetensors, ggufTypes, isRemote, loadGguf, loadHuggingFace, loadLlava, loadPeft, loadPretrained, loadProjector, openBytes, openGguf, openSafetensors, parseHuggingFaceConfig, readGgufConfig, readGgufTokenizer, readTorchFile, safetensorsPieces, saveHuggingFace, savePeft, saveProjector, writeAtomically, writeDecoderConfig, writeLlavaConfig, writeSafetensors, writeVitConfig };
