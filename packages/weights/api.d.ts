import { ByteSource, Safetensors, WritableTensor, SafetensorsOptions, GgufType, TensorFile, LlavaConfig, FloatDType, TensorInfo } from './browser.js';
export { DType, HttpOptions, LazyTensor, ModelConfig, NamedTensor, ProjectorConfig, RemoteBytes, RemoteSafetensors, TensorEntry, blobBytes, bytesInMemory, bytesPerValue, dequantise, encodeSafetensors, ggufTypes, openHttpBytes, openRemoteSafetensors, parseHuggingFaceConfig, projectorPieces, safetensorsPieces, tensorsOf, writeDecoderConfig, writeLlavaConfig, writeVitConfig } from './browser.js';
import { DecoderConfig, Lora, Decoder, PackedStorage, Vit, BuiltInProjector, AdaptableModel, Projector, RunStore } from '@basic-mllm/core';

/**
 * Opens a file for reading by range.
 *
 * @throws `BasicError` `E_WEIGHTS_MISSING` when it cannot be opened, `E_WEIGHTS_FORMAT` when it is cut off later.
 */
declare function openBytes(path: string): ByteSource;
/** Opens a safetensors file; tensors are read when they are asked for. Close it after use. */
declare function openSafetensors(path: string): Safetensors;
/** What the writers take: bytes in pieces, in memory or as they are made. */
type Pieces = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
/** Writes a safetensors file: the whole file or nothing. Makes the folder. Lazy tensors are in memory one at a time. */
declare function writeSafetensors(path: string, tensors: readonly WritableTensor[], options?: SafetensorsOptions): Promise<void>;
/**
 * Writes pieces under a temporary name, syncs, then renames.
 *
 * @throws `BasicError` `E_DISK_FULL`; the temporary file is removed.
 */
declare function writeAtomically(path: string, pieces: Pieces): Promise<void>;

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
    /** The bytes of some of a matrix's rows as they are stored. */
    rows(name: string, { firstRow, rows }: {
        readonly firstRow: number;
        readonly rows: number;
    }): Uint8Array;
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
type GgufArchitecture = "llama" | "qwen2" | "qwen3" | "gemma" | "gemma2" | "phi3";
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

/** The value of a field of a GGUF header, with the type that it is stored as. */
type GgufValue = {
    readonly type: "uint32" | "int32" | "float32";
    readonly value: number;
} | {
    readonly type: "bool";
    readonly value: boolean;
} | {
    readonly type: "string";
    readonly value: string;
} | {
    readonly type: "int32s" | "float32s";
    readonly value: readonly number[];
} | {
    readonly type: "strings";
    readonly value: readonly string[];
};
/** Fields of a header by name, in the order of the file. */
type GgufFieldValues = Readonly<Record<string, GgufValue>>;

/** Types that we write. */
type WrittenType = Extract<GgufType, "F32" | "F16" | "BF16" | "Q8_0">;
/** Names of the types that we write. */
declare const writtenTypes: readonly WrittenType[];
/** A tensor to be written. */
interface GgufTensor {
    readonly name: string;
    /** Row-major, as in Hugging Face's files; the file has it reversed. */
    readonly shape: readonly number[];
    readonly type: WrittenType;
    /** Its values, asked for when the file has come to it. */
    readonly values: () => Float32Array | Promise<Float32Array>;
}
/** What a GGUF file holds. */
interface GgufContents {
    readonly fields: GgufFieldValues;
    readonly tensors: readonly GgufTensor[];
}
/**
 * Writes a GGUF file, version 3: the whole file or nothing. One tensor at a time is in memory.
 *
 * @throws `BasicError` `E_SHAPE` where values do not fill a shape or rows are no whole blocks, `E_NAME_DUPLICATE`,
 *   `E_DISK_FULL`.
 */
declare function writeGguf(path: string, contents: GgufContents): Promise<void>;

/** Options of {@link decoderContents}. */
interface DecoderContentsOptions {
    /** How matrices are stored; vectors are F32. */
    readonly type: WrittenType;
    /** `general.name`. */
    readonly name: string;
    /** Fields of the tokenizer, see {@link tokenizerFields}. llama.cpp reads no model without them. */
    readonly tokenizer: GgufFieldValues;
    /** Adapters: their updates are added to what is written, the model stays as it is. */
    readonly lora?: Lora;
}
/**
 * A language model as llama.cpp reads it: architectures llama (Mistral, SmolLM2 and Vicuna too), qwen2, qwen3, gemma,
 * gemma2 and phi3.
 *
 * @throws `BasicError` `E_CONFIG` for a model whose maths none of these has, naming the field.
 */
declare function decoderContents({ config, parameters }: Pick<Decoder, "config" | "parameters">, { type, name, tokenizer, lora }: DecoderContentsOptions): GgufContents;

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
/** Every {@link GgufStorage}. */
declare const ggufStorages: readonly ["f32", "bf16", "f16", "file"];
/**
 * How the matrices of the blocks are kept; norms and biases are float32.
 *
 * - `f32`: they can train
 * - `bf16`, `f16`: half of that, rounded to nearest; frozen
 * - `file`: Q8_0, Q4_0, Q4_1, BF16 and F16 as they are stored, and frozen; other types as float32
 */
type GgufStorage = (typeof ggufStorages)[number];
/** Options of {@link loadGguf}. */
interface GgufOptions {
    /** Default `f32`. */
    readonly storage?: GgufStorage;
    /**
     * How the table of words and the head are kept. `f32` (default): losses read them so. `file`: Q8_0, Q4_0, Q4_1,
     * BF16 and F16 as they are stored, for a model that only generates.
     */
    readonly table?: "f32" | "file";
}
/**
 * Loads a language model and its tokenizer from a GGUF file of llama.cpp: architectures llama (with Mistral and
 * SmolLM2), qwen2, qwen3, gemma, gemma2 and phi3. One tensor at a time is read and decoded.
 *
 * @throws `BasicError` `E_WEIGHTS_MISSING`, `E_WEIGHTS_FORMAT` for a damaged file, other shapes or tensors that the
 *   model has no place for; `E_CONFIG` for a model that we cannot follow, `E_TOKENIZER`.
 */
declare function loadGguf(path: string, options?: GgufOptions): Promise<GgufModel>;

/** Options of {@link writeShards}. */
interface ShardOptions extends SafetensorsOptions {
    /**
     * What one file may hold: bytes of values, or a text such as `"5GB"` or `"500MiB"`. A larger tensor has a file to
     * itself. Default 5 GB.
     */
    readonly maxShardSize?: number | string;
}
/**
 * Writes the weights of a model in Hugging Face's layout: `model.safetensors`, or `model-00001-of-0000N.safetensors` with
 * `model.safetensors.index.json` where they exceed one file. Lazy tensors are in memory one at a time.
 *
 * At whatever moment the process or the machine stops, the folder holds the old weights as a whole, or the new ones: files
 * are written and synced under names that nothing reads, then the index (or the single file) is replaced. Old files of
 * weights are removed last; other files of the folder stay.
 *
 * @returns Names of the files with weights.
 * @throws `BasicError` `E_CONFIG` for a size that is none, `E_NAME_DUPLICATE`, `E_SHAPE`, `E_DISK_FULL`.
 */
declare function writeShards(folder: string, tensors: readonly WritableTensor[], options?: ShardOptions): Promise<readonly string[]>;

/**
 * Opens weights in safetensors, wherever they lie: a file, or a folder with `model.safetensors` or shards and their index.
 * Tensors are read when they are asked for. Close it after use.
 *
 * @throws `BasicError` `E_WEIGHTS_MISSING`, `E_WEIGHTS_FORMAT`.
 */
declare function openWeights(path: string): TensorFile;

/**
 * How the matrices of a model's blocks are kept; tables, heads, norms and biases are float32.
 *
 * - `f32`: they can train
 * - `bf16`, `f16`, `q8_0`, `q4_0`, `q4_1`: rounded to nearest and frozen. The block formats hold 32 values of a row, so
 *   that matrices whose rows are no multiple of 32 are kept as bf16
 * - `file`: as the file has them, where the frozen kernels can compute with that, and frozen; else float32
 */
type WeightStorage = "f32" | PackedStorage | "file";
/** Every {@link WeightStorage}. */
declare const weightStorages: ["f32", "bf16", "f16", "q8_0", "q4_0", "q4_1", "file"];

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
/** What a folder in Hugging Face layout holds. */
type ModelKind = HuggingFaceModel["kind"];
/** Options of {@link loadHuggingFace}. */
interface LoadOptions {
    /** Of a vision tower: which hidden state its features are. Default −2. A LLaVA's config says its own. */
    readonly layer?: number;
    /** How the matrices of the vision tower and the language model are kept. Default `f32`. Projectors are float32. */
    readonly storage?: WeightStorage;
}
/** Options of {@link loadHuggingFace} for folders that must hold some kinds of models. */
interface LoadKindOptions<K extends ModelKind> extends LoadOptions {
    /** Another kind is refused before any weight is read. Default: all kinds. */
    readonly kinds?: readonly K[];
}
/**
 * Loads a folder with `config.json` and `model.safetensors` (or shards with an index): LLaVA, a language model,
 * or a vision tower. Names of the hub, of transformers 5 and of models in memory are understood.
 *
 * Memory: the model in its storage, and once more its largest tensor. What is missing or has another shape is found
 * before a value is read.
 *
 * @throws `BasicError` `E_CONFIG` for a config that we cannot follow, and another kind of model; `E_WEIGHTS_MISSING`;
 *   `E_WEIGHTS_FORMAT` for damaged files, other shapes, or weights that the model has no place for.
 */
declare function loadHuggingFace<K extends ModelKind = ModelKind>(folder: string, options?: LoadKindOptions<K>): Promise<Extract<HuggingFaceModel, {
    kind: K;
}>>;
/**
 * {@link loadHuggingFace} for a folder that must hold LLaVA.
 *
 * @throws `BasicError` `E_CONFIG` when it holds something else.
 */
declare function loadLlava(folder: string, options?: Pick<LoadOptions, "storage">): Promise<LlavaModel>;
/** Options of {@link saveHuggingFace}. */
interface SaveOptions extends Pick<ShardOptions, "dtype" | "maxShardSize"> {
    /** Adapters of the language model: their updates are added to what is written, the model stays as it is. */
    readonly lora?: Lora;
    /** Rows of table and head, where tokens were added: new ones are the mean of the others. Default: as many as there are. */
    readonly vocabularySize?: number;
}
/**
 * Writes the weights (in shards where they exceed `maxShardSize`) and `config.json` in the hub's layout, which
 * transformers and llama.cpp's converter read. One tensor at a time is read from the device. The weights are replaced as a
 * whole, see {@link writeShards}; other files of the folder stay.
 *
 * @throws `BasicError` `E_DISK_FULL`; `E_CONFIG` for a shard size that is none, or a `vocabularySize` below the rows.
 */
declare function saveHuggingFace(folder: string, model: HuggingFaceModel, { dtype, lora, vocabularySize, ...options }?: SaveOptions): Promise<void>;

/** Options of {@link projectorContents}. */
interface ProjectorContentsOptions {
    /** How matrices are stored: F32, F16 or BF16. Vectors, positions and, with BF16, the patch product are F32. */
    readonly type: Exclude<WrittenType, "Q8_0">;
    /** `general.name`. */
    readonly name: string;
    /** What pixels, from 0 to 1, are normalised with. */
    readonly mean: readonly [number, number, number];
    readonly std: readonly [number, number, number];
}
/**
 * Encoder and projector as the mmproj file of llama.cpp's multimodal tools: architecture `clip`, projector type `mlp`.
 * Blocks behind the features' layer are left out.
 *
 * @throws `BasicError` `E_CONFIG` for an encoder that is neither CLIP nor SigLIP, features with the class token, pictures
 *   that are cut into tiles, or a projector that is not of two products.
 */
declare function projectorContents(model: Pick<LlavaModel, "vision" | "projector" | "language">, options: ProjectorContentsOptions): GgufContents;

/** A JSON object. */
type JsonObject = Readonly<Record<string, unknown>>;
/** What a tokenizer is exported from: the contents of tokenizer.json and tokenizer_config.json. */
interface TokenizerSource {
    readonly tokenizer: JsonObject;
    readonly config: JsonObject;
}

/** Options of {@link tokenizerFields}. */
interface TokenizerFieldsOptions {
    /** Rows of the embedding table: each needs a token. */
    readonly rows: number;
    /** Whether texts begin with the beginning-of-sequence token. */
    readonly addsBegin: boolean;
    /** The token that ends an answer, where it is not the end-of-sequence token. */
    readonly endOfTurn?: number;
    /** Jinja; default: the one of tokenizer_config.json. Null: none. */
    readonly chatTemplate?: string | null;
}
/**
 * The fields of a tokenizer in a GGUF file: byte-level BPE (`gpt2`), or SentencePiece's BPE with bytes (`llama`).
 *
 * @throws `BasicError` `E_TOKENIZER` for a tokenizer of another kind, for splits of texts that llama.cpp does not have, or
 *   for more tokens than rows.
 */
declare function tokenizerFields(source: TokenizerSource, options: TokenizerFieldsOptions): GgufFieldValues;

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
    /**
     * Milliseconds without a byte after which a connection, or another process's download of the file, counts as lost.
     * Default 60,000.
     */
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

/** What the config.json of an original LLaVA says beside the maths. */
interface OriginalConfig extends LlavaConfig {
    /** `square` or `pad`: how pictures become the encoder's input. */
    readonly imageAspectRatio: "square" | "pad";
    /** Name of the encoder on the hub. */
    readonly visionTower: string;
}
/** Whether a config.json is that of a LLaVA as its own code writes it, and not transformers'. */
declare function isOriginalLlava(json: object): boolean;

/** An original LLaVA and what its config says beside the maths. */
interface OriginalLlava {
    readonly model: LlavaModel;
    readonly config: OriginalConfig;
}
/**
 * Loads a checkpoint as LLaVA's own code writes it: `model.mm_projector.*` beside the language model, in safetensors or
 * `pytorch_model*.bin` files, which are read without running anything in them.
 *
 * @param vision - Folder of its encoder (CLIP or SigLIP in Hugging Face's layout). Its weights are taken from the checkpoint
 *   where that holds an encoder.
 * @throws `BasicError` `E_CONFIG` for a model that we cannot follow, `E_WEIGHTS_MISSING`, `E_WEIGHTS_FORMAT`.
 */
declare function loadOriginalLlava(folder: string, vision: string): Promise<OriginalLlava>;
/** What {@link assembleLlava} puts together. */
interface LlavaParts {
    /** LLaVA's mm_projector.bin, or a projector of ours in a safetensors file. */
    readonly projector: string;
    /** Folder of the encoder. */
    readonly vision: string;
    /** Folder of the language model. */
    readonly language: string;
    /** Which hidden state of the encoder the projector was trained on. Default −2, LLaVA's. */
    readonly layer?: number;
}
/**
 * Puts a LLaVA together from a projector's file and the models that it was trained between. A file of ours says which
 * projector it holds; of LLaVA's, the kind is read off the tensors: `linear` or `mlpNx_gelu`.
 *
 * @throws `BasicError` `E_CONFIG`, `E_WEIGHTS_MISSING`, `E_WEIGHTS_FORMAT` where the sizes of the three do not fit.
 */
declare function assembleLlava({ projector, vision, language, layer, }: LlavaParts): Promise<LlavaModel>;

/** Ids of special tokens; null where the tokenizer has none. */
interface SpecialIds {
    readonly bos: number | null;
    /** What ends an answer. */
    readonly eos: number | null;
    readonly pad: number | null;
}
/** What a folder for transformers needs beside the model. */
interface TransformersOptions {
    /** How weights are stored. Default F32. */
    readonly dtype?: FloatDType;
    /** Contents of tokenizer.json and tokenizer_config.json, the image token among their tokens. */
    readonly tokenizer: {
        readonly "tokenizer.json": object;
        readonly "tokenizer_config.json": object;
    };
    /** The token that stands for one row of an image. */
    readonly imageToken: {
        readonly id: number;
        readonly content: string;
    };
    readonly special: SpecialIds;
    /** Contents of preprocessor_config.json. */
    readonly processor: Readonly<Record<string, unknown>>;
    /** Jinja; null: none. */
    readonly chatTemplate: string | null;
}
/**
 * Writes a folder that transformers opens with `LlavaForConditionalGeneration.from_pretrained` and `AutoProcessor`; a model
 * whose config has `gridPinpoints` with `LlavaNextForConditionalGeneration`. Table and head grow where the image token
 * lies behind their last row.
 *
 * @throws `BasicError` `E_CONFIG` for parts that these classes do not have, `E_DISK_FULL`.
 */
declare function saveForTransformers(folder: string, model: LlavaModel, options: TransformersOptions): Promise<void>;

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
/**
 * Puts the values of a saved adapter into one that is attached already, for some of its products.
 *
 * @param folder - Of {@link savePeft}.
 * @param products - Some of `lora.targets`.
 * @throws `BasicError` `E_WEIGHTS_MISSING` for an absent file or tensor, `E_WEIGHTS_FORMAT` for other products or shapes.
 */
declare function restorePeft(folder: string, lora: Lora, products: readonly string[]): void;
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
 * (`model.mm_projector.0.weight`) or of one that its authors trained with LLaVA's code, another one its own. Name and
 * options of one of ours are in the file's metadata.
 *
 * @throws `BasicError` `E_DISK_FULL`.
 */
declare function saveProjector(path: string, projector: Projector): Promise<void>;
/**
 * Puts the weights of a projector's file (safetensors, or LLaVA's mm_projector.bin) into a projector of the same kind.
 * LLaVA's names (MobileVLM's and LangBridge's are like them), those of a Hugging Face folder, of Honeybee, TinyLLaVA and
 * Prismatic, and the projector's own are understood; other parts of a model in the file are left alone. Constants stay as
 * they are where the file has none. A file of a stage whose pictures were not cut into tiles has no `image_newline`: the
 * projector's own then stays too.
 *
 * @returns Names of the parameters that stay as they are.
 * @throws `BasicError` `E_WEIGHTS_MISSING` where the file or a tensor is absent, `E_WEIGHTS_FORMAT` for other shapes,
 *   or another `outputNorm`.
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
    /** {@link floats} of a part of a tensor. The whole tensor is read: its values may lie in any order. */
    readFloats(name: string, first: number, target: Float32Array): void;
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

export { ByteSource, type DecoderContentsOptions, type DownloadOptions, type DownloadProgress, FloatDType, type GgufArchitecture, type GgufConfig, type GgufContents, type GgufEntry, type GgufFieldValues, GgufFile, type GgufHeader, type GgufModel, type GgufOptions, type GgufStorage, type GgufTensor, GgufType, type GgufValue, type HuggingFaceModel, type JsonObject, LlavaConfig, type LlavaModel, type LlavaParts, type LoadKindOptions, type LoadOptions, type LoadPeftOptions, type ModelKind, type OriginalConfig, type OriginalLlava, PROJECTOR_FILE, type Pieces, type PretrainedModel, type ProjectorContentsOptions, Safetensors, SafetensorsOptions, type SaveOptions, type SavePeftOptions, type ShardOptions, type SpecialIds, TensorFile, TensorInfo, type TokenizerFieldsOptions, type TokenizerFiles, type TokenizerSettings, type TokenizerSource, TorchFile, type TransformersOptions, type WeightStorage, WritableTensor, type WrittenType, assembleLlava, createDiskStore, decoderContents, downloadPretrained, ggufStorages, isOriginalLlava, isRemote, loadGguf, loadHuggingFace, loadLlava, loadOriginalLlava, loadPeft, loadPretrained, loadProjector, openBytes, openGguf, openSafetensors, openWeights, projectorContents, readGgufConfig, readGgufTokenizer, readTorchFile, restorePeft, saveForTransformers, saveHuggingFace, savePeft, saveProjector, tokenizerFields, weightStorages, writeAtomically, writeGguf, writeSafetensors, writeShards, writtenTypes };
