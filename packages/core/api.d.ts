import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';

/** Which of `names` need a gradient now: all of them under the stock tape, the exact set under ours. */
declare function inputsThatNeedGradient<Name extends string>(names: readonly Name[]): ReadonlySet<Name>;
/**
 * Stops the gradient: an alias of the same data, of any dtype, that the tape has never seen.
 *
 * It belongs to the current `tf.tidy`, like the result of an op. (A `customGrad` that returns zeros would still run
 * the whole stopped branch backward.)
 */
declare function detach<T extends tf.Tensor>(tensor: T): T;
/**
 * Evaluates `loss` and its gradients.
 *
 * Like `tf.variableGrads`, with equal results, but frees what it saved as early as possible: at once where no
 * parameter is involved, else as soon as the reverse pass is done with it. Half the peak memory on a chain.
 *
 * @param loss - Computes a scalar `[]`; called once, inside `tf.tidy`.
 * @param parameters - Tensors to differentiate by.
 * @returns The loss and one gradient per parameter, in order; zeros where the loss does not depend on it. All are new
 *   tensors.
 * @throws {@link BasicError} `E_NESTED_GRADIENT` inside another gradient, `E_SHAPE` when the loss is no scalar,
 *   `E_NO_GRADIENT` when a kernel on the way has none. Whatever is thrown, no tensor is left behind.
 */
declare function valueAndGradients(loss: () => tf.Scalar, parameters: readonly tf.Tensor[]): {
    readonly value: tf.Scalar;
    readonly gradients: readonly tf.Tensor[];
};
/** Which run of a {@link checkpoint} block this is. */
type CheckpointPass = "forward" | "backward";
/**
 * Runs `block` without keeping its intermediate results, and runs it again when the gradient needs them.
 *
 * @param block - Gets the inputs (aliases of them in the backward pass) and returns one tensor that is a function of
 *   `inputs` and `parameters` alone. Side outputs are made in the forward pass only: `tf.keep` them there.
 * @param inputs - Activations to differentiate by.
 * @param parameters - Trainable tensors that the block reads. Others count as constants.
 */
declare function checkpoint(block: (inputs: readonly tf.Tensor[], pass: CheckpointPass) => tf.Tensor, inputs: readonly tf.Tensor[], parameters: readonly tf.Tensor[]): tf.Tensor;

/** Largest accepted difference: `absolute + relative · max|expected|`, against a float64 evaluation. */
interface Tolerance {
    readonly absolute: number;
    readonly relative: number;
}
/** Host-side parameters of a call. Offsets, ids and spans are typed arrays here, never device tensors. */
type Attributes = Readonly<Record<string, number | boolean | string | Int32Array | Float32Array | Float64Array>>;
/** One value per input name. */
type Inputs<Name extends string, Value> = Readonly<Record<Name, Value>>;
/** Values of one input of a conformance case, made from a seeded generator. */
interface InputSpec {
    readonly shape: readonly number[];
    /** Standard deviation of the values. Default 1. */
    readonly scale?: number;
    /** Overrides the random values, row-major. */
    readonly values?: readonly number[];
    /** Default `float32`. */
    readonly dtype?: "float32" | "int32";
}
/** One call of a kernel that every backend must get right. */
interface KernelCase<Name extends string, Attrs extends Attributes> {
    readonly title: string;
    readonly inputs: Readonly<Record<Name, InputSpec>>;
    readonly attrs: Attrs;
    /** Instead of the contract's, where float32 inputs of this size cannot give more. */
    readonly tolerance?: Tolerance;
}
/**
 * One kernel, described once. A backend implements a contract; it never extends it.
 *
 * The contract owns what is equal on every device: names, output shapes, the slow
 * reference, the gradient, the cases and the tolerance. A backend owns the fast body only.
 */
interface KernelContract<Name extends string = string, Attrs extends Attributes = Attributes> {
    /** Global tfjs kernel name. The prefix keeps it apart from the stock kernels. */
    readonly name: `Basic${string}`;
    /** Where a call may have any number of tensors, the names end in the tensor's index: here those of the cases. */
    readonly inputs: readonly Name[];
    /** Output shapes from input shapes. Runs before any backend, so a shape error reads the same everywhere. */
    readonly infer: (shapes: Inputs<Name, readonly number[]>, attrs: Attrs) => readonly (readonly number[])[];
    /** Composition of stock tfjs ops: the definition, the fallback and the test oracle. */
    readonly reference: (inputs: Inputs<Name, tf.Tensor>, attrs: Attrs) => readonly tf.Tensor[];
    /** What the gradient reads: kept alive from the forward pass until the node is differentiated. */
    readonly save: {
        readonly inputs: readonly Name[];
        readonly outputs: readonly boolean[];
    };
    /**
     * Called once per node, with the inputs that need a gradient. `null` for backward and update contracts,
     * which are never on a tape.
     *
     * @param dys - One gradient per output.
     * @param saved - Saved inputs by name, and saved outputs in order.
     */
    readonly gradient: ((dys: readonly tf.Tensor[], saved: {
        readonly inputs: Partial<Inputs<Name, tf.Tensor>>;
        readonly outputs: readonly tf.Tensor[];
    }, attrs: Attrs, needs: ReadonlySet<Name>) => Partial<Inputs<Name, tf.Tensor>>) | null;
    /** Inputs that may need a gradient. The others are detached by the caller. */
    readonly differentiable: readonly Name[];
    readonly cases: readonly KernelCase<Name, Attrs>[];
    readonly tolerance: Tolerance;
}
/** A device's own body for one contract. */
interface KernelImplementation<Name extends string, Attrs extends Attributes, Backend extends object> {
    readonly contract: KernelContract<Name, Attrs>;
    /** Name given to `tf.setBackend`. No `_`: tfjs splits its registry keys there. */
    readonly backend: string;
    /** Computes the outputs; shapes have been checked by the contract. */
    readonly run: (call: {
        inputs: Inputs<Name, tf.TensorInfo>;
        attrs: Attrs;
        backend: Backend;
        /** What the contract infers, where that has been done already. */
        outputShapes?: readonly (readonly number[])[];
    }) => tf.TensorInfo | tf.TensorInfo[];
}
/**
 * Registers one implementation. The cast to the untyped `KernelFunc` happens here and nowhere else.
 *
 * @throws {@link BasicError} `E_CONFIG` for a backend name with an underscore, `E_KERNEL_DUPLICATE`.
 */
declare function implementKernel<Name extends string, Attrs extends Attributes, Backend extends object>(implementation: KernelImplementation<Name, Attrs, Backend>): void;
/** Makes the contract differentiable by our reverse pass and by anybody's `tf.variableGrads`. */
declare function registerContractGradient<Name extends string, Attrs extends Attributes>(contract: KernelContract<Name, Attrs>): void;
/** `tf.getKernel` says that it never returns undefined. It does. */
declare function findKernel(name: string, backend: string): tf.KernelConfig | undefined;
/** `tf.getGradient` likewise. */
declare function findGradient(name: string): tf.GradConfig | undefined;

/** What to do where a backend has no body for a contract. */
type Fallback = "error" | "reference";
/** Sets what {@link runKernel} does where the backend has no body of its own. Returns the former setting. */
declare function setFallback(next: Fallback): Fallback;
/** Runs a contract on the current backend. Uses the reference only after `setFallback("reference")`. */
declare function runKernel<Name extends string, Attrs extends Attributes>(contract: KernelContract<Name, Attrs>, inputs: Inputs<NoInfer<Name>, tf.Tensor>, attrs: NoInfer<Attrs>): readonly tf.Tensor[];

/** Threads of a backend that computes on the processor. Results do not depend on their number. */
interface BackendThreads {
    /** How many compute now. */
    count(): number;
    /** Sets the number from the next kernel on. */
    set(count: number): void;
}
/** A backend that computes now. */
interface StartedBackend {
    /** As it was asked for: `cpu`, `tfjs:wasm`. */
    readonly name: string;
    /** Name in tfjs's registry. */
    readonly tfjsName: string;
    /** What it computes with, for people: `native kernels, avx2, 4 threads`. The tfjs name where it does not say. */
    readonly device: string;
    /** Where their number may change while it runs. */
    readonly threads?: BackendThreads;
}
/**
 * How matrix products treat their operands: as they are, rounded to TF32 (10 bits of mantissa), or to bfloat16 (7 bits). Sums
 * are in float32. With `bf16` a backend may keep activations in bfloat16, too: `cuda` does. `cuda` alone has `tf32`.
 */
type Precision = "f32" | "tf32" | "bf16";
/** Options of {@link startBackend}. */
interface StartBackendOptions {
    /** What to do where the backend lacks a kernel. Default `error`. */
    readonly fallback?: Fallback;
    /** Precision of matrix products. Default: the backend's, which is `f32` unless its own settings say otherwise. */
    readonly precision?: Precision | undefined;
    /**
     * Bytes of memory of a device to imagine, for a rehearsal: no device is looked at, and nothing is computed. Default: a
     * device that is there.
     */
    readonly imagine?: number | undefined;
    /**
     * Imports the backend's package. Default: `import(specifier)`. Bundlers cannot follow a computed specifier: give
     * them `() => import("@basic-mllm/backend-webgpu")`.
     */
    readonly load?: (specifier: string) => Promise<unknown>;
}
/**
 * Starts the backend that everything computes on from now on. It never falls back to another one.
 *
 * @param name - `cpu`, `webgpu` or `cuda` (the package `@basic-mllm/backend-NAME`), or `tfjs:NAME` for a tfjs backend
 *   that the caller registered. A tfjs backend without kernels of ours needs `{ fallback: "reference" }`.
 * @returns Its names. Asking for the same backend again gives the same answer.
 * @throws {@link BasicError} `E_BACKEND_MISSING` when it is not installed or registered, `E_BACKEND_START` when it does
 *   not start, lacks the precision or cannot imagine a device, `E_BACKEND_CONFLICT` when another one, or another precision, runs in this process.
 */
declare function startBackend(name: string, options?: StartBackendOptions): Promise<StartedBackend>;

/**
 * Does work that writes files, and explains a full disk. Any other error goes through as it is.
 *
 * @param message - What could not be written, what is left, and how to go on.
 * @throws {@link BasicError} `E_DISK_FULL`.
 */
declare function explainDiskFull<T>(message: string, work: () => Promise<T>): Promise<T>;

/** Stable, greppable identifiers. Each one has an entry in docs/errors.md. */
type ErrorCode = "E_SHAPE" | "E_INDEX_RANGE" | "E_KERNEL_MISSING" | "E_KERNEL_DUPLICATE" | "E_KERNEL_FAILED" | "E_NO_GRADIENT" | "E_NESTED_GRADIENT" | "E_BACKEND_MISSING" | "E_BACKEND_START" | "E_BACKEND_CONFLICT" | "E_DEVICE_LOST" | "E_DEVICE_MEMORY" | "E_RANK_LOST" | "E_SYNC_READ" | "E_RECIPE_INVALID" | "E_RECIPE_UNKNOWN" | "E_NAME_UNKNOWN" | "E_NAME_DUPLICATE" | "E_PLUGIN" | "E_CONFIG" | "E_DATA_EMPTY" | "E_DATA_FORMAT" | "E_IMAGE" | "E_IMAGE_TOKENS" | "E_LABELS_MASKED" | "E_ROW_BUDGET" | "E_TOKENIZER" | "E_NOT_FINITE" | "E_RESUME_CHANGED" | "E_CHECKPOINT_CORRUPT" | "E_CHECKPOINT_MISSING" | "E_RUN_LOCKED" | "E_DISK_FULL" | "E_MEMORY_LIMIT" | "E_INTERRUPTED" | "E_WEIGHTS_FORMAT" | "E_WEIGHTS_MISSING" | "E_DOWNLOAD" | "E_USAGE";
/** Every error we throw on purpose: what happened, what was expected, what was given, and the fix. */
declare class BasicError extends Error {
    readonly code: ErrorCode;
    constructor(code: ErrorCode, message: string, options?: ErrorOptions);
}

/** Problems that zod found, one after the other: what was expected, what was given, and where. */
declare function explainIssues(error: z.ZodError, input: unknown): string;

/**
 * Registers the gradients of the stock tfjs kernels that core puts on a tape, where none is registered yet.
 *
 * `@tensorflow/tfjs-core` alone has no gradients, and its own file of them cannot be imported in Node. Ours are also
 * right where a stock one is not: broadcast products, broadcast maximum and minimum, a split into one piece.
 * May be called often; only the first call does anything.
 */
declare function registerStockGradients(): void;

/**
 * Whether the current backend has only imagined its device (`imagine` of {@link startBackend}): tensors take memory, but
 * nobody reads the values that they are given.
 */
declare function isDeviceImagined(): boolean;

/** {@link accumulate} has no attributes. */
type AccumulateAttrs = Readonly<Record<never, never>>;
/**
 * `sum + term`, of one shape: gradients of a tensor that is used more than once.
 *
 * An update contract: never differentiated. A backend may write into `sum` and return its buffer where nothing else
 * holds it: a second table of gradients is then not needed.
 */
declare const accumulate: KernelContract<"sum" | "term", AccumulateAttrs>;

/** Every activation by name. `gelu-erf` is the exact GELU, `gelu-tanh` its tanh form, `quick-gelu` x·σ(1.702x). */
declare const activationKinds: readonly ["none", "gelu-erf", "gelu-tanh", "quick-gelu", "silu", "relu"];
/** A name of {@link activationKinds}. */
type ActivationKind = (typeof activationKinds)[number];
/** What linear and gated layers fuse: every activation but `relu`. */
type FusedActivation = Exclude<ActivationKind, "relu">;
/** The names of {@link FusedActivation}. */
declare const fusedActivations: readonly FusedActivation[];
/** Attributes of {@link activation} and {@link activationBackward}. */
type ActivationAttrs = {
    readonly kind: ActivationKind;
};
/**
 * `y = act(x)`, element by element. `x` and `y` are `[R, F]`.
 *
 * Sources: GELU arXiv:1606.08415, SiLU arXiv:1702.03118.
 */
declare const activation: KernelContract<"x", ActivationAttrs>;
/** `dx = dy · act'(x)`. `dy`, `x` and `dx` are `[R, F]`. */
declare const activationBackward: KernelContract<"dy" | "x", ActivationAttrs>;

/**
 * How the optimizer stores a moment. `bfloat16` is two values an int32 word; `int8` is blocks of 256 values: a scale and
 * one byte a value, whose levels are fourth powers, so that small values keep their precision.
 */
type MomentStorage = "float32" | "bfloat16" | "int8";
/** What a packed moment is. */
interface MomentCode {
    readonly storage: Exclude<MomentStorage, "float32">;
    /** First moments have a sign; second moments use it for precision, and above 0 they never become 0. */
    readonly second: boolean;
}
/** Bytes of a moment of a parameter of this shape. */
declare function momentBytes(storage: MomentStorage, shape: readonly number[]): number;
/** The `count` values of a packed moment. */
declare function unpackMoment({ storage, second }: MomentCode, words: Int32Array, count: number): Float32Array;
/**
 * Packs a moment. Values are rounded up or down at random, so that the mean over steps is right: rounded to nearest, a
 * moment would stop where its steps are smaller than half of a level. The randomness is a function of step and index.
 */
declare function packMoment(code: MomentCode, values: ArrayLike<number>, step: number): Int32Array;

/** Attributes of {@link adamw}: PyTorch's names; `step` counts from 1. One learning rate and weight decay a tensor. */
type AdamwAttrs = {
    readonly learningRates: Float64Array;
    readonly weightDecays: Float64Array;
    readonly beta1: number;
    readonly beta2: number;
    readonly epsilon: number;
    readonly step: number;
    /** How `m` and `v` are stored. */
    readonly moments: MomentStorage;
};
/** Inputs of the contract: four a tensor, and `control`. */
type AdamwInput = `${"parameter" | "gradient" | "m" | "v"}${number}` | "control";
/**
 * One step of AdamW for any number of tensors. With `g = gradient · control[0]`, for each:
 *
 * ```text
 * m' = β₁ m + (1 − β₁) g        v' = β₂ v + (1 − β₂) g²
 * p' = p (1 − lr wd) − lr (m' / (1 − β₁ᵗ)) / (√(v' / (1 − β₂ᵗ)) + ε)
 * ```
 *
 * Tensor i is `parameter<i>`, `gradient<i>`, `m<i>`, `v<i>`; outputs are `parameter'`, `m'`, `v'` of each in turn. Its
 * parameter and gradient have one shape, and its moments too where they are float32: else they are int32 words, which
 * {@link packMoment} describes, and p' is made of m' and v' before they are packed. `control` `[2]` holds the gradient's
 * scale and whether to update: with 0 there, everything comes back unchanged, whatever the gradient holds.
 * An update contract: never differentiated. A backend may write in place and return the same buffers.
 * The reference packs on the host, so it needs a backend with `dataSync` for packed moments.
 * Source: arXiv:1711.05101, with PyTorch's order of operations; block-wise moments: arXiv:2110.02861.
 */
declare const adamw: KernelContract<AdamwInput, AdamwAttrs>;

/** Attributes of {@link attention}. B samples. */
type AttentionAttrs = {
    /** `[B + 1]`: sample b has the query rows `qOffsets[b] .. qOffsets[b + 1]`. */
    readonly qOffsets: Int32Array;
    /** `[B + 1]`: the same for key and value rows. */
    readonly kvOffsets: Int32Array;
    /** H. */
    readonly heads: number;
    /** G, a divisor of H: query head h reads key-value head `⌊h G / H⌋`. */
    readonly kvHeads: number;
    /** Factor of the scores, usually 1/√w. */
    readonly scale: number;
    /** Query row t of a sample stands at `keys − queries + t` and sees the keys up to there. */
    readonly causal: boolean;
    /** Position i sees j with `0 ≤ i − j < window`; 0 = no window. Needs `causal`. */
    readonly window: number;
    /** Scores become `softcap · tanh(score / softcap)` before the mask; 0 = none. */
    readonly softcap: number;
};
/** Attributes of {@link attentionReceived}. */
type AttentionReceivedAttrs = AttentionAttrs & {
    /** `[Rq]`: 1 where the query row counts. */
    readonly countsAsText: Int32Array;
    /** `[Rk]`: first packed query row that counts for this key row; Rq = never. */
    readonly receiveFrom: Int32Array;
};
/** Inputs of the contract. */
type AttentionInput = "q" | "k" | "v";
/** Inputs of the contract. */
type AttentionBackwardInput = "dy" | AttentionInput | "y" | "logSumExp";
/**
 * Attention over packed rows: `P = softmax(mask(cap(scale · q kᵀ)))` and `y = P v`, per sample and head.
 *
 * H query heads, G key-value heads of width w: `q`, `y` `[Rq, H·w]`; `k`, `v` `[Rk, G·w]`; `logSumExp` `[Rq, H]` of
 * the visible scores, without gradient. A row that sees no key gives 0 in both outputs.
 */
declare const attention: KernelContract<AttentionInput, AttentionAttrs>;
/**
 * {@link attention} with a third output `received` `[Rk]`, without gradient: `received_j = Σ P^h[t, j]` over the query
 * heads h and the query rows `t ≥ receiveFrom_j` of the same sample that count as text.
 */
declare const attentionReceived: KernelContract<AttentionInput, AttentionReceivedAttrs>;
/**
 * With `P = exp(scores − logSumExp)`, `dP = dy vᵀ` and `dS = P (dP − Σ dy y)`, times the slope of the cap:
 * `dq = scale dS k`, `dk = scale dSᵀ q`, `dv = Pᵀ dy`; `dk` and `dv` add up over the query heads of a group.
 *
 * Shapes and attributes of {@link attention}; `dy` `[Rq, H·w]`.
 */
declare const attentionBackward: KernelContract<AttentionBackwardInput, AttentionAttrs>;

/** Attributes of {@link cachedAttention}. S samples. */
type CachedAttentionAttrs = {
    /** `[S + 1]`: sample s has the new rows `offsets[s] .. offsets[s + 1]`, which may be none. */
    readonly offsets: Int32Array;
    /** `[S]`: rows that the buffers hold of each sample already. */
    readonly starts: Int32Array;
    /** H. */
    readonly heads: number;
    /** G, a divisor of H: query head h reads key-value head `⌊h G / H⌋`. */
    readonly kvHeads: number;
    /** Factor of the scores, usually 1/√w. */
    readonly scale: number;
    /** Position i sees j with `0 ≤ i − j < window`; 0 = no window. */
    readonly window: number;
    /** Scores become `softcap · tanh(score / softcap)` before the mask; 0 = none. */
    readonly softcap: number;
};
/** Inputs of the contract. */
type CachedAttentionInput = "q" | "k" | "v" | "keys" | "values";
/**
 * Causal attention of new rows over those before them, which lie in buffers: writes rows `k` and `v` to the buffers from
 * `starts` on, and attends as {@link attention} over the rows up to there.
 *
 * R new rows, H query heads, G key-value heads of width w, N rows of room for each sample: `q`, `y` `[R, H·w]`; `k`, `v`
 * `[R, G·w]`; `keys`, `values` `[S, N, G·w]`. Outputs: `y` and both buffers.
 *
 * An update contract: never differentiated. A backend may write into the buffers and return them where nothing else
 * holds them; nothing is copied then but the new rows.
 */
declare const cachedAttention: KernelContract<CachedAttentionInput, CachedAttentionAttrs>;

/** Largest block of logits that a chunked kernel holds at once unless told otherwise: 16 MiB. */
declare const DEFAULT_CHUNK_BYTES: number;

/** Attributes of {@link gatedActivation} and {@link gatedActivationBackward}. */
type GatedActivationAttrs = {
    readonly kind: FusedActivation;
};
/**
 * `y = act(gate) · up`, the middle of a gated MLP. All are `[R, F]`.
 *
 * Source: GLU variants, arXiv:2002.05202.
 */
declare const gatedActivation: KernelContract<"gate" | "up", GatedActivationAttrs>;
/** `dgate = dy · up · act'(gate)` and `dup = dy · act(gate)`. All are `[R, F]`. */
declare const gatedActivationBackward: KernelContract<"dy" | "gate" | "up", GatedActivationAttrs>;

/**
 * How a frozen weight is stored. `bf16` and `f16` take two bytes a value. `q8_0`, `q4_0` and `q4_1` are GGUF's block
 * formats: 32 values of a row share a half-precision scale (and, in `q4_1`, a minimum).
 */
type Storage = "f32" | "bf16" | "f16" | "q8_0" | "q4_0" | "q4_1";
/** A {@link Storage} that is packed into int32 words. */
type PackedStorage = Exclude<Storage, "f32">;
/** Every {@link Storage}. */
declare const storages: readonly Storage[];
declare const blockBytes: {
    readonly q8_0: 34;
    readonly q4_0: 18;
    readonly q4_1: 20;
};
type BlockStorage = keyof typeof blockBytes;
/** Whether values are stored in blocks of 32. */
declare function isBlocked(storage: Storage): storage is BlockStorage;
/** Number of int32 words that `count` values take. */
declare function wordCount(storage: PackedStorage, count: number): number;
/** Packs values as bfloat16, two a word, rounded to nearest even; infinities and NaN stay. */
declare function packBf16(values: ArrayLike<number>): Int32Array;
/**
 * Packs values as half precision, two a word, rounded to nearest even; infinities and NaN stay.
 *
 * @throws {@link BasicError} `E_WEIGHTS_FORMAT` for a finite value that would become infinite: from 65520 on.
 */
declare function packF16(values: ArrayLike<number>): Int32Array;
/**
 * Packs values as `q8_0`: scale max|x| / 127 and 32 rounded int8 a block.
 *
 * @throws {@link BasicError} `E_WEIGHTS_FORMAT` unless the count is a multiple of 32.
 */
declare function packQ8_0(values: ArrayLike<number>): Int32Array;
/**
 * Packs values as `q4_0`: `x ≈ scale · (q − 8)`, the scale chosen so that the largest |x| becomes −8.
 *
 * @throws {@link BasicError} `E_WEIGHTS_FORMAT` unless the count is a multiple of 32.
 */
declare function packQ4_0(values: ArrayLike<number>): Int32Array;
/**
 * Packs values as `q4_1`: `x ≈ scale · q + minimum`.
 *
 * @throws {@link BasicError} `E_WEIGHTS_FORMAT` unless the count is a multiple of 32.
 */
declare function packQ4_1(values: ArrayLike<number>): Int32Array;
/** How values are packed in each way. */
declare const packers: Readonly<Record<PackedStorage, (values: ArrayLike<number>) => Int32Array>>;
/**
 * The `count` values that packed words stand for.
 *
 * @throws {@link BasicError} `E_WEIGHTS_FORMAT` when there are too few words.
 */
declare function unpack(storage: PackedStorage, words: Int32Array, count: number): Float32Array;

/** The matrices of a block. */
type DecoderBlockMatrix = "query" | "key" | "value" | "output" | "gate" | "up" | "down";
/** Inputs of {@link decoderBlock}. */
type DecoderBlockInput = "x" | "keys" | "values" | "attentionNorm" | "mlpNorm" | DecoderBlockMatrix;
/** How each matrix is stored. */
type DecoderBlockStorage = {
    readonly [M in DecoderBlockMatrix as `${M}Storage`]: Storage;
};
/** Attributes of {@link decoderBlock}. S samples, R rows. */
type DecoderBlockAttrs = DecoderBlockStorage & {
    /** `[S + 1]` and `[S]`: as for {@link cachedAttention}. */
    readonly offsets: Int32Array;
    readonly starts: Int32Array;
    /** `[R]`: position of each row in its sample. */
    readonly positions: Int32Array;
    /** Radians per position; twice as many columns of a head turn. */
    readonly frequencies: Float32Array;
    /** Factor of the columns that turn. */
    readonly rotaryScale: number;
    readonly heads: number;
    readonly kvHeads: number;
    readonly headWidth: number;
    /** F: width of the gated layer. */
    readonly inner: number;
    /** Factor, window and cap of the scores: as for {@link cachedAttention}. */
    readonly scale: number;
    readonly window: number;
    readonly softcap: number;
    /** Of both norms, as for {@link rmsNorm}. */
    readonly epsilon: number;
    readonly addOne: boolean;
    readonly activation: GatedActivationAttrs["kind"];
};
/**
 * A block of a decoder on new rows, with the rows before them in buffers: `m = x + o(attention(norm(x)))`, then
 * `m + down(act(gate(norm(m))) · up(norm(m)))`, with rotary positions and without biases, as in Llama.
 *
 * `x` and the first output are `[R, D]`; `keys`, `values` `[S, N, G·w]` are those of {@link cachedAttention} and the other
 * outputs; the norms `[D]`; matrices as the weight of {@link frozenLinear}.
 *
 * One call for some fifteen: for a single row these take longer to call than to compute. An update contract.
 */
declare const decoderBlock: KernelContract<DecoderBlockInput, DecoderBlockAttrs>;

/** {@link direction} has no attributes. */
type DirectionAttrs = Readonly<Record<never, never>>;
/** Attributes of {@link directionBackward}. Without `needsRefined` it returns `dv` alone. */
type DirectionBackwardAttrs = {
    readonly needsRefined: boolean;
};
/** Inputs of the contract. */
type DirectionInput = "v" | "r" | "a";
/**
 * `loss_j = a_j ‖ v_j / max(|v_j|, 1e-12) − r_j / max(|r_j|, 1e-12) ‖²`.
 *
 * N rows of width D: `v` and `r` `[N, D]`, `a` and `loss` `[N]`. A row whose length is at most 1e-12 is a zero row:
 * its loss is finite (`a_j` next to a unit row) and no gradient reaches it. `a` gets no gradient.
 * Source: BASIC (arXiv:2508.06895), equation 6.
 */
declare const direction: KernelContract<DirectionInput, DirectionAttrs>;
/**
 * With `u = v/|v|` and `û = r/|r|`: `dv_j = −2 dloss_j a_j (û_j − (u_j·û_j) u_j) / |v_j|`, and `dr_j` the same with v
 * and r exchanged. Rows of {@link direction} that count as zero get 0.
 *
 * `dloss`, `a` `[N]`; `v`, `r`, `dv`, `dr` `[N, D]`.
 */
declare const directionBackward: KernelContract<"dloss" | DirectionInput, DirectionBackwardAttrs>;

/** A probability is a whole number of these parts: 16 random bits decide on a value. */
declare const DROPOUT_STEPS: number;
/** Attributes of {@link dropoutKernel}. */
type DropoutAttrs = {
    /** Share of values that become 0: a multiple of 1 / {@link DROPOUT_STEPS}, below 1. */
    readonly probability: number;
    /** Seed and stream of the random bits, of `randomWords`. */
    readonly stream: Int32Array;
};
/**
 * `y = x · mask / (1 − p)`. `x` and `y` are `[R, F]`.
 *
 * Value e, counted row-major, is dropped where its 16 random bits are below `2^16 p`: bits `16 (e mod 2)` and up of word
 * `⌊e / 2⌋ mod 4` of Philox's block `⌊e / 8⌋` under the stream. The mask is never stored: the gradient is the same kernel on
 * `dy`.
 *
 * Sources: dropout, Srivastava et al. 2014; Philox4x32-10, Salmon et al. 2011.
 */
declare const dropoutKernel: KernelContract<"x", DropoutAttrs>;

/** Attributes of {@link embedding}: `ids` `[R]`, each from 0 to V − 1. */
type EmbeddingAttrs = {
    readonly ids: Int32Array;
};
/**
 * `y_r = table[ids_r]`. V tokens, R rows, width D: `table` `[V, D]`, `y` `[R, D]`.
 *
 * The gradient adds rows in O(R + V) rows, not R × V.
 */
declare const embedding: KernelContract<"table", EmbeddingAttrs>;

/** Attributes of the frozen linear contracts. */
type FrozenLinearAttrs = {
    readonly storage: Storage;
    /** I. */
    readonly inFeatures: number;
    /** O. */
    readonly outFeatures: number;
};
/**
 * `y = x · Wᵀ` for a weight that never trains: it saves W and not x.
 *
 * R rows, I features in, O features out: `x` `[R, I]`, `y` `[R, O]`. `weight` is float32 `[O, I]` for storage
 * `f32`; else the little-endian bytes of the packed rows as int32 words `[words]`, padded with zeros.
 * The reference decodes packed words on the host, so it needs a backend with `dataSync`.
 */
declare const frozenLinear: KernelContract<"x" | "weight", FrozenLinearAttrs>;
/** {@link frozenLinear} plus a bias: `y = x · Wᵀ + b`, `bias` `[O]`. The bias gets no gradient either. */
declare const frozenLinearBias: KernelContract<"x" | "weight" | "bias", FrozenLinearAttrs>;
/** `dx = dy · W` for a packed weight. `dy` `[R, O]`, `weight` as in {@link frozenLinear}, `dx` `[R, I]`. */
declare const frozenLinearBackward: KernelContract<"dy" | "weight", FrozenLinearAttrs>;

/** Half-precision bits to a number. */
declare function halfToFloat(half: number): number;
/** What all 65,536 half-precision bits stand for; built once. */
declare function halfValues(): Float32Array;
/** A number, as float32, to half-precision bits, rounded to nearest even; from 65520 on it becomes infinite. */
declare function floatToHalf(value: number): number;
/** The bits of a float32 to those of half precision: {@link floatToHalf} without its number. */
declare function halfOfBits(bits: number): number;
/** The bits of a float32 to those of bfloat16, rounded to nearest even; infinities and NaN stay. */
declare function bfloatOfBits(bits: number): number;

/**
 * Every contract. The conformance suite and the support tables walk this list.
 *
 * The cast drops each contract's own input and attribute types: a list can only be walked by name.
 */
declare const allContracts: readonly KernelContract[];

/** One host index array and the rows that it may name. */
interface IndexCheck {
    /** Public function name, printed first in the error. */
    readonly where: string;
    /** What is printed before the position, for example "`ids`". */
    readonly name: string;
    readonly values: Int32Array;
    /** Smallest index allowed; left out where negative indices mean something else. */
    readonly minimum?: number;
    /** Number of rows: indices stay below it. */
    readonly limit: number;
    /** What has `limit` rows. */
    readonly target: string;
}
/**
 * Checks every index on the host, before any device work.
 *
 * @throws {@link BasicError} `E_INDEX_RANGE` at the first index that is out of range.
 */
declare function checkIndices({ where, name, values, minimum, limit, target }: IndexCheck): void;

/** Attributes of {@link layerNorm}. */
type LayerNormAttrs = {
    readonly epsilon: number;
};
/** Attributes of {@link layerNormBackward}. Without `needsWeight` it returns `dx` alone. */
type LayerNormBackwardAttrs = {
    readonly needsWeight: boolean;
};
/** Inputs of the contract. */
type LayerNormInput = "x" | "weight" | "bias";
/**
 * `y = (x − mean) · inverse · weight + bias` with `inverse = 1 / √(variance + epsilon)`.
 *
 * R rows of width D: `x` `[R, D]`, `weight` and `bias` `[D]`, outputs `y` `[R, D]`, `mean` and `inverse` `[R]`
 * (no gradient). The variance is the biased one, over D, from centred values. Source: arXiv:1607.06450.
 */
declare const layerNorm: KernelContract<LayerNormInput, LayerNormAttrs>;
/**
 * `dx = inverse · (g − mean(g) − n · mean(g · n))` with `n = (x − mean) · inverse` and `g = dy · weight`;
 * `dweight = Σ_rows dy · n`, `dbias = Σ_rows dy`.
 *
 * `dy`, `x`, `dx` `[R, D]`; `weight`, `dweight`, `dbias` `[D]`; `mean`, `inverse` `[R]`.
 */
declare const layerNormBackward: KernelContract<"dy" | "x" | "weight" | "mean" | "inverse", LayerNormBackwardAttrs>;

/** Attributes of {@link linear} and {@link linearBias}. */
type LinearAttrs = {
    readonly activation: FusedActivation;
};
/** Inputs of the contract. */
type LinearInput = "x" | "weight";
/**
 * `y = act(x · Wᵀ)`.
 *
 * R rows, I features in, O features out: `x` `[R, I]`, `weight` `[O, I]`, `y` `[R, O]`.
 */
declare const linear: KernelContract<LinearInput, LinearAttrs>;
/**
 * `y = act(x · Wᵀ + b)`.
 *
 * R rows, I features in, O features out: `x` `[R, I]`, `weight` `[O, I]`, `bias` `[O]`, `y` `[R, O]`.
 */
declare const linearBias: KernelContract<LinearInput | "bias", LinearAttrs>;

/** Attributes of {@link linearCrossEntropy}. */
type LinearCrossEntropyAttrs = {
    /** `[R]`: the right token of each row, or -100: the row does not count. */
    readonly labels: Int32Array;
    /** Logits become `softcap · tanh(logit / softcap)`; 0 = none. */
    readonly softcap: number;
    /** Largest block of logits held at once, in bytes: a fast body never stores `[R, V]`. */
    readonly chunkBytes: number;
    /**
     * Also returns `slope`: worth it where x will need a gradient, since the logits are not computed again for it.
     * Default false.
     */
    readonly withSlope?: boolean;
};
/** Attributes of {@link linearCrossEntropyBackward}: which of `dx` (default) and `dweight` it returns. */
type LinearCrossEntropyBackwardAttrs = Omit<LinearCrossEntropyAttrs, "withSlope"> & {
    /** Default true. */
    readonly needsInput?: boolean;
    readonly needsWeight: boolean;
};
/** Label of a row that is not trained. */
declare const IGNORED_LABEL = -100;
/**
 * `loss_r = −log softmax(x_r Wᵀ)[label_r]`, and 0 where the label is -100.
 *
 * R rows of width D, V words: `x` `[R, D]`, `weight` `[V, D]`, outputs `loss` `[R]` and `logSumExp` `[R]` (of the
 * capped logits, without gradient; 0 where the label is -100, so that a fast body may leave those rows out).
 * With `withSlope` also `slope` `[R, D]`: row r is ∂loss_r/∂x_r, without gradient. It is as large as x, never `[R, V]`.
 */
declare const linearCrossEntropy: KernelContract<"x" | "weight", LinearCrossEntropyAttrs>;
/**
 * With `p = exp(logits − logSumExp)` and `g = dloss_r (p − onehot(label))`, times the slope of the cap:
 * `dx = g W`, `dweight = gᵀ x`. Rows with label -100 give nothing.
 *
 * `dloss`, `logSumExp` `[R]`; `x`, `dx` `[R, D]`; `weight`, `dweight` `[V, D]`.
 */
declare const linearCrossEntropyBackward: KernelContract<"dloss" | "x" | "weight" | "logSumExp", LinearCrossEntropyBackwardAttrs>;

/** {@link linearPair}, {@link linearTriple} and {@link linearBackward} have no attributes. */
type LinearGroupAttrs = Readonly<Record<never, never>>;
/** Inputs of {@link linearPair} and {@link linearTriple}. */
type LinearGroupInput = "x" | `weight${number}`;
/** Inputs of {@link linearBackward}. */
type LinearBackwardInput = "x" | `dy${number}` | `weight${number}`;
/**
 * Products of one input with two matrices, for a gated MLP: `y0 = x · W0ᵀ`, `y1 = x · W1ᵀ`.
 *
 * R rows, I features in, Oᵢ features out: `x` `[R, I]`, `weightI` `[Oᵢ, I]`, outputs `[R, Oᵢ]`.
 */
declare const linearPair: KernelContract<LinearGroupInput, Readonly<Record<never, never>>>;
/** As {@link linearPair} with three matrices: queries, keys and values of an attention. */
declare const linearTriple: KernelContract<LinearGroupInput, Readonly<Record<never, never>>>;
/**
 * Gradients of products of one input, for any number of matrices: `dx = Σ dyᵢ · Wᵢ`, added from the last to the first, and
 * `dWᵢ = dyᵢᵀ · x`.
 *
 * Shapes of {@link linearPair}, `dyI` `[R, Oᵢ]`. Outputs: dx, then each dWᵢ.
 */
declare const linearBackward: KernelContract<LinearBackwardInput, LinearGroupAttrs>;

/** Attributes of {@link linearKl}. */
type LinearKlAttrs = {
    /** Largest block of logits held at once, in bytes: a fast body never stores `[N, V]`. */
    readonly chunkBytes: number;
    /**
     * Also returns `slope`: worth it where v will need a gradient, since the logits are not computed again for it.
     * Default false.
     */
    readonly withSlope?: boolean;
};
/** Attributes of {@link linearKlBackward}. Without `needsRefined` it returns `dv` alone. */
type LinearKlBackwardAttrs = {
    readonly chunkBytes: number;
    readonly needsRefined: boolean;
};
/** Inputs of the contract. */
type LinearKlInput = "v" | "r" | "vocabulary" | "a";
/** Inputs of the contract. */
type LinearKlBackwardInput = "dloss" | LinearKlInput | "kl" | "lseV" | "lseR";
/**
 * `loss_j = a_j KL( softmax(r_j Eᵀ) ‖ softmax(v_j Eᵀ) )`.
 *
 * N rows of width D, V words: `v` and `r` `[N, D]`, `vocabulary` E `[V, D]`, `a` `[N]`. Outputs, each `[N]`: `loss`,
 * `kl` (without `a`), `lseV` and `lseR` (log-sum-exp of the two rows of logits); only `loss` carries a gradient,
 * and only to v and r. With `withSlope` also `slope` `[N, D]`: row j is ∂kl_j/∂v_j, without gradient.
 * Source: BASIC (arXiv:2508.06895), equation 7.
 */
declare const linearKl: KernelContract<LinearKlInput, LinearKlAttrs>;
/**
 * With `p = softmax(v Eᵀ)` and `q = softmax(r Eᵀ)`: `dv_j = dloss_j a_j (p_j − q_j) E` and
 * `dr_j = dloss_j a_j Σ_t q_t (log q_t − log p_t − kl_j) E_t`.
 *
 * `dloss`, `a`, `kl`, `lseV`, `lseR` `[N]`; `v`, `r`, `dv`, `dr` `[N, D]`; `vocabulary` `[V, D]`.
 */
declare const linearKlBackward: KernelContract<LinearKlBackwardInput, LinearKlBackwardAttrs>;

/** Attributes of {@link packedEmbedding}. */
type PackedEmbeddingAttrs = {
    readonly storage: PackedStorage;
    /** V. */
    readonly height: number;
    /** D. */
    readonly width: number;
    /** `[R]`, each from 0 to V − 1. */
    readonly ids: Int32Array;
};
/**
 * `y_r = table[ids_r]` for a table `[V, D]` that stays packed: `table` as the weight of {@link frozenLinear}, `y` `[R, D]`.
 *
 * Without a gradient: a packed table never trains.
 */
declare const packedEmbedding: KernelContract<"table", PackedEmbeddingAttrs>;

/** Attributes of {@link rmsNorm}. `addOne` scales by `1 + weight`, as Gemma does. */
type RmsNormAttrs = {
    readonly epsilon: number;
    readonly addOne: boolean;
};
/** Attributes of {@link rmsNormBackward}. Without `needsWeight` it returns `dx` alone. */
type RmsNormBackwardAttrs = {
    readonly addOne: boolean;
    readonly needsWeight: boolean;
};
/**
 * `y = x · inverse · weight` with `inverse = 1 / √(mean(x²) + epsilon)`; `1 + weight` with `addOne`.
 *
 * R rows of width D: `x` `[R, D]`, `weight` `[D]`, outputs `y` `[R, D]` and `inverse` `[R]` (no gradient).
 * Source: arXiv:1910.07467.
 */
declare const rmsNorm: KernelContract<"x" | "weight", RmsNormAttrs>;
/**
 * `dx = inverse · (g − n · mean(g · n))` with `n = x · inverse` and `g = dy · scale`; `dweight = Σ_rows dy · n`.
 *
 * `dy`, `x`, `dx` `[R, D]`; `weight`, `dweight` `[D]`; `inverse` `[R]`. `scale` is `weight` or `1 + weight`.
 */
declare const rmsNormBackward: KernelContract<"dy" | "x" | "weight" | "inverse", RmsNormBackwardAttrs>;

/** Attributes of {@link rotary}. */
type RotaryAttrs = {
    /** H: heads side by side in a row. */
    readonly heads: number;
    /** Even number of leading columns of each head that turn; the others pass through. */
    readonly rotaryWidth: number;
    /** `[R]`: position of each row in its sample. */
    readonly positions: Int32Array;
    /** `[rotaryWidth / 2]`: radians per position. */
    readonly frequencies: Float32Array;
    /** Factor of the turned columns: 1, or longrope's attention factor. */
    readonly scale: number;
    /** Turns by the negative angle (the transpose, which the gradient needs). `scale` still multiplies. */
    readonly inverse: boolean;
};
/**
 * Turns pairs of columns of each head: `a' = s (a cos θ − b sin θ)`, `b' = s (b cos θ + a sin θ)`, where a and b are
 * columns j and j + rotaryWidth/2 of a head, `θ = position · frequency_j` and s is `scale`.
 *
 * R rows, H heads of width w: `x` and `y` `[R, H·w]`. Source: arXiv:2104.09864, in the half-rotation layout of
 * Hugging Face's `rotate_half`. Cosines and sines come from a host table in double precision.
 */
declare const rotary: KernelContract<"x", RotaryAttrs>;
/**
 * Cosine and sine of each row and frequency, times `scale`, both `[R, rotaryWidth / 2]` row-major. Angles are
 * computed in double precision; the sine is negative for `inverse`. Backends upload this table.
 */
declare function rotaryTable(attrs: RotaryAttrs): {
    readonly cos: Float32Array;
    readonly sin: Float32Array;
};

/** Attributes of {@link rowGather}: `rows` `[n]`, each from 0 to R − 1, in any order and with repeats. */
type RowGatherAttrs = {
    readonly rows: Int32Array;
};
/** Attributes of {@link scatterAddRows}: `rows` `[n]` below `height`, negative to skip a row of `dy`. */
type ScatterAddRowsAttrs = {
    readonly rows: Int32Array;
    readonly height: number;
};
/** `y_i = x[rows_i]`. R rows of width D: `x` `[R, D]`, `y` `[n, D]`. */
declare const rowGather: KernelContract<"x", RowGatherAttrs>;
/**
 * `out[r] = Σ_{i : rows_i = r} dy_i`, and 0 where no row points to. n rows of width D: `dy` `[n, D]`,
 * output `[height, D]`. Costs O(n + height) rows, not n × height.
 */
declare const scatterAddRows: KernelContract<"dy", ScatterAddRowsAttrs>;

/** Attributes of {@link splice}: `ids` `[R]`, a token id from 0 to V − 1, or −1 − n for visual row n. */
type SpliceAttrs = {
    readonly ids: Int32Array;
};
/**
 * The input rows of packed samples: `y_r = table[ids_r]` for text, `y_r = visual[−1 − ids_r]` for visual rows.
 *
 * V tokens, N visual rows, R rows, width D: `table` `[V, D]`, `visual` `[N, D]`, `y` `[R, D]`. A visual row may be
 * left out; one that is used several times gets the sum of the gradients.
 */
declare const splice: KernelContract<"table" | "visual", SpliceAttrs>;

/** {@link squaredNorm} has no attributes. */
type SquaredNormAttrs = Readonly<Record<never, never>>;
/** Inputs of {@link squaredNorm}. */
type SquaredNormInput = `x${number}`;
/**
 * `Σ x²` over all tensors `x0`, `x1`, ... of any shapes, as a scalar `[]`: the sum of each tensor, added in their order.
 * An update contract: it is never differentiated.
 */
declare const squaredNorm: KernelContract<SquaredNormInput, SquaredNormAttrs>;

/** A matrix whose rows stay packed: for weights that never train. */
interface PackedValues {
    readonly storage: PackedStorage;
    /** Little-endian bytes of the packed rows as int32 words, see {@link frozenLinear}. */
    readonly words: Int32Array;
}
/**
 * One weight of a model, under its name in the checkpoint.
 *
 * It owns its buffer: values are copied in, never shared, because backends update parameters in place.
 */
declare class Parameter {
    #private;
    readonly name: string;
    /** Whether it never trains, whatever a stage names: a copy of something that the part reads. */
    readonly constant: boolean;
    /** `f32`, or how the packed words of {@link value} are stored. */
    readonly storage: Storage;
    /** @param values - Row-major values, copied; packed ones are frozen for good. null: none, see {@link parameterShapes}. */
    constructor(name: string, values: Float32Array | PackedValues | null, shape: readonly number[], { constant }?: {
        readonly constant?: boolean;
    });
    /** Of the values, whatever the storage. {@link replaceRows} changes its first size. */
    get shape(): readonly number[];
    /** Whether the optimizer changes it now. Layers pick the frozen kernels where it is false. */
    get trainable(): boolean;
    /** @throws BasicError `E_CONFIG` where a packed weight or a constant should train. */
    set trainable(trainable: boolean);
    /** @throws BasicError `E_CONFIG` for a packed weight or a constant. */
    requireTrainable(): void;
    /**
     * The current value: float32 of {@link shape}, or int32 words where {@link storage} is packed. Read it again after each
     * optimizer step: {@link assign} may replace the tensor.
     */
    get value(): tf.Tensor;
    /** Number of values. */
    get size(): number;
    /** The values in float32, row-major, whatever the storage. */
    floats(): Promise<Float32Array>;
    /** Memory of the value. float32 values and packed int32 words take four bytes each. */
    get bytes(): number;
    /** Takes ownership of `value` and disposes the old tensor. */
    assign(value: tf.Tensor): void;
    /** {@link assign} for a value that has another number of rows. Moments of an optimizer do not follow. */
    replaceRows(value: tf.Tensor): void;
    /** Frees the value. */
    dispose(): void;
}
/** The weights of one model part, in creation order. */
declare class ParameterSet {
    #private;
    /** @returns The parameter. @throws BasicError `E_NAME_DUPLICATE`. */
    add(parameter: Parameter): Parameter;
    /** @throws BasicError `E_WEIGHTS_MISSING` where there is none of that name. */
    get(name: string): Parameter;
    /** Whether there is a parameter of that name. */
    has(name: string): boolean;
    /** In creation order. */
    [Symbol.iterator](): IterableIterator<Parameter>;
    get count(): number;
    /** Number of values of all parameters. */
    get size(): number;
    /** Memory of all values. */
    get bytes(): number;
    /** Freezes or unfreezes all parameters; constants stay frozen. */
    setTrainable(trainable: boolean): void;
    /** Frees all values. */
    dispose(): void;
}

/** Sizes of a {@link Linear}. */
interface LinearShape {
    readonly inFeatures: number;
    readonly outFeatures: number;
    readonly bias: boolean;
    /** Decides the first values of the weight. Default `weight`. */
    readonly role?: Role;
}
/** Something that is added to a product, and trains beside it. */
interface LinearAdapter {
    readonly parameters: readonly Parameter[];
    /** What is added for `x` `[R, I]`: `[R, O]`, or null for nothing. */
    delta(x: tf.Tensor2D): tf.Tensor2D | null;
}
/** A matrix product with an optional bias. Parameters `NAME.weight` `[O, I]` and `NAME.bias` `[O]`. */
declare class Linear {
    #private;
    readonly weight: Parameter;
    readonly bias: Parameter | null;
    readonly inFeatures: number;
    readonly outFeatures: number;
    /** Added to the product, before the activation. */
    adapter: LinearAdapter | null;
    constructor(builder: Builder, name: string, shape: LinearShape);
    /** @param x - `[R, I]`. @returns `[R, O]`. */
    call(x: tf.Tensor2D, activation?: FusedActivation): tf.Tensor2D;
    /** Whether it trains as a plain product: in float32, no bias, no adapter. */
    get isPlain(): boolean;
}

/**
 * What a parameter is for, which decides its first values.
 *
 * - `weight`: a matrix; `residual`: a matrix whose output is added to the residual stream
 * - `embedding`: a table; `bias`; `scale`: a norm's factor (1); `offset`: a norm's `1 + w` (0)
 */
type Role = "weight" | "residual" | "embedding" | "bias" | "scale" | "offset";
/** Where the first values of a parameter come from: a generator, or a checkpoint. */
interface ValueSource {
    (name: string, shape: readonly number[], role: Role): Float32Array;
    /** The weight of a {@link Linear} that stays packed and frozen; undefined: it is asked for as float32. */
    readonly packed?: (name: string, shape: readonly number[]) => PackedValues | undefined;
    /** The same for a decoder's table of words and its head. */
    readonly packedTable?: (name: string, shape: readonly number[]) => PackedValues | undefined;
    /** Whether parameters are made without values, see {@link parameterShapes}. */
    readonly shapesOnly?: boolean;
}
/**
 * What a model would ask a {@link ValueSource} for, in order, without the memory of its weights.
 *
 * @param make - Builds the model from the source that it is given; it must not compute with the weights.
 * @param visit - Gets each name and shape.
 */
declare function parameterShapes(make: (values: ValueSource) => {
    readonly parameters: ParameterSet;
}, visit: (name: string, shape: readonly number[]) => void): void;
/** Values for a parameter, or null where its source has shapes only. */
declare function valuesOf(source: ValueSource, ...[name, shape, role]: Parameters<ValueSource>): Float32Array | null;
/** Options of {@link randomValues}. */
interface RandomValueOptions {
    /** Standard deviation of `weight`; `"fan-in"` = uniform in ±1/√inputs, PyTorch's default. Default 0.02. */
    readonly weight?: number | "fan-in";
    /** Standard deviation of `embedding`. Default 0.02. */
    readonly embedding?: number;
    /** Factor on `residual` matrices: 1/√(2·blocks) in GPT-2 and after. Default 1. */
    readonly residual?: number;
}
/**
 * First values from a counter-based generator keyed by (seed, parameter name): they do not depend on the
 * order in which parameters are made.
 */
declare function randomValues(seed: number, options?: RandomValueOptions): ValueSource;
/** Adds parameters to a set under a common prefix, and remembers the products that are made of them. */
declare class Builder {
    #private;
    readonly parameters: ParameterSet;
    readonly values: ValueSource;
    readonly prefix: string;
    /** Every product made so far, by its full name; shared by all builders of a model. */
    readonly linears: Map<string, Linear>;
    /** From our name to that of a checkpoint whose modules are called otherwise. */
    readonly rename: (name: string) => string;
    constructor(parameters: ParameterSet, values: ValueSource, { prefix, rename, linears, }?: Partial<Pick<Builder, "prefix" | "rename" | "linears">>);
    /** A builder whose names begin with `name.`. */
    within(name: string): Builder;
    /** Makes the parameter `prefix + name` with the source's values. */
    add(name: string, shape: readonly number[], role: Role): Parameter;
    /** {@link add} for a parameter that never trains. @param value - Instead of the source's; the parameter takes it over. */
    addConstant(name: string, shape: readonly number[], value?: tf.Tensor): Parameter;
    /** {@link add} for a matrix that its layer can use packed as well. */
    addMatrix(name: string, shape: readonly number[], role: Role): Parameter;
    /** The same for a table of words or a head. */
    addTable(name: string, shape: readonly number[], role: Role): Parameter;
}

/** Which micro-batch is trained: with a seed and a layer's name it decides every dropped value. */
interface DropoutKey {
    readonly stage: string;
    /** Optimizer step of the stage, from 0. */
    readonly step: number;
    /** Of the step, over all ranks, from 0. */
    readonly microBatch: number;
}
/** The micro-batch that is trained now; null where nothing is dropped: evaluation, diagnostics, generation. */
declare function dropoutKey(): DropoutKey | null;
/** Runs `compute` with dropout for a micro-batch, or without any. */
declare function withDropout<T>(key: DropoutKey | null, compute: () => T): T;
/** Options of {@link dropout}. */
interface DropoutOptions {
    /** Share of values that become 0, below 1; in steps of 2^-16. */
    readonly probability: number;
    readonly seed: number;
    /** Of the layer: each drops values of its own. */
    readonly name: string;
}
/**
 * `x · mask / (1 − p)` while a micro-batch is trained ({@link withDropout}), else `x` itself.
 *
 * The mask is a function of seed, name, stage, step and micro-batch: a step needs no history, and a block that is run
 * again for its gradient drops the same values. Nothing is kept for the gradient, which draws the mask again.
 *
 * @param x - `[R, I]`.
 */
declare function dropout(x: tf.Tensor2D, { probability, seed, name }: DropoutOptions): tf.Tensor2D;

/** Every product of a model but the vocabulary's. */
declare const ALL_LINEAR = "all-linear";
/**
 * Names of the products that target patterns choose, in the model's order.
 *
 * A pattern with `*` or `?` matches a whole name (`*` any letters, dots too); one without matches a name or its end:
 * `q_proj` is the query product of every block, `layers.0.self_attn.q_proj` that of the first.
 *
 * @param names - Of all products: `model.layers.0.self_attn.q_proj`, ...
 * @throws {@link BasicError} `E_CONFIG` where a pattern chooses nothing.
 */
declare function chooseTargets(names: readonly string[], patterns: readonly string[] | typeof ALL_LINEAR): readonly string[];

/** What {@link attachLora} adds. */
interface LoraOptions {
    /** r: width of the two thin products. */
    readonly rank: number;
    /** The update is scaled by alpha / rank. */
    readonly alpha: number;
    /** Share of the input that the thin products do not see while training. Default 0. */
    readonly dropout?: number;
    /** Which products: see {@link chooseTargets}. Default `all-linear`. */
    readonly targets?: readonly string[] | typeof ALL_LINEAR;
    /** Scales by alpha / √rank instead (rsLoRA, Kalajdzievski 2023). Default false. */
    readonly rankStabilised?: boolean;
    /** Of the first values and of dropout. Default 0. */
    readonly seed?: number;
    /** First values, of an adapter that is loaded; instead of A uniform in ±1/√I and B zero. */
    readonly values?: ValueSource;
}
/** A model whose products are known by name. */
interface AdaptableModel {
    readonly linears: ReadonlyMap<string, Linear>;
}
/**
 * Low-rank adapters of one model (LoRA: Hu et al. 2021).
 *
 * ```text
 * y = base(x) + s · B(A(dropout(x)))     s = alpha / rank, or alpha / √rank
 * ```
 *
 * I features in, O features out: A `[r, I]`, B `[O, r]`, base in any storage. Parameters have PEFT's names without its
 * prefix: `model.layers.0.self_attn.q_proj.lora_A.weight`. {@link attachLora} freezes nothing by itself: what trains is
 * each parameter's own `trainable`.
 */
declare class Lora {
    #private;
    readonly parameters: ParameterSet;
    readonly options: Required<Pick<LoraOptions, "rank" | "alpha" | "dropout" | "rankStabilised" | "seed">>;
    /** s. */
    readonly scale: number;
    /** Use {@link attachLora}. */
    constructor(model: AdaptableModel, names: readonly string[], options: LoraOptions);
    /** Names of the adapted products, in the model's order. */
    get targets(): readonly string[];
    /** Whether the base weights hold the update now. */
    get merged(): boolean;
    /**
     * A base weight with its update, for saving: `W + s · B · A`.
     *
     * @param name - Of the base parameter.
     * @param weight - Its value `[O, I]` in float32; not changed.
     * @returns A new tensor; null where the parameter has no update, or holds it already.
     * @throws {@link BasicError} `E_CONFIG` for a packed value: unpack it first.
     */
    mergedWeight(name: string, weight: tf.Tensor): tf.Tensor | null;
    /**
     * Adds the updates to the base weights: products then cost what they did without an adapter. Training goes on after
     * {@link unmerge} alone.
     *
     * @throws {@link BasicError} `E_CONFIG` where a base weight is packed: nothing is changed then.
     */
    merge(): void;
    /** Takes the updates out of the base weights again; they are then what they were but for rounding. */
    unmerge(): void;
    /** Takes the adapters off the model and frees them; merged weights stay merged. */
    detach(): void;
}
/**
 * Puts low-rank adapters on the products of a model.
 *
 * @throws {@link BasicError} `E_CONFIG` for a rank, alpha or dropout out of range, a target that chooses nothing, or a
 *   product that has an adapter already.
 */
declare function attachLora(model: AdaptableModel, options: LoraOptions): Lora;

/** Activations of a gated feed-forward layer. */
type GateActivation = "silu" | "gelu-tanh" | "gelu-erf";

/** How rotary frequencies are changed for longer texts. Names and formulas as Hugging Face's `rope_scaling`. */
type RotaryScaling = {
    readonly kind: "linear";
    readonly factor: number;
} | {
    readonly kind: "llama3";
    readonly factor: number;
    readonly lowFrequencyFactor: number;
    readonly highFrequencyFactor: number;
    readonly originalPositions: number;
} | {
    readonly kind: "longrope";
    /** One factor per frequency, for texts within `originalPositions`. */
    readonly shortFactors: readonly number[];
    /** One factor per frequency, for longer texts. */
    readonly longFactors: readonly number[];
    readonly originalPositions: number;
    /** Factor on cosine and sine. */
    readonly attentionFactor: number;
};
/** A rotary position embedding. */
interface RotaryConfig {
    /** θ, `rope_theta`. */
    readonly base: number;
    /** How many values of each head turn: the head width, or less. Even. */
    readonly width: number;
    readonly scaling: RotaryScaling | null;
}
/** What the rotary kernel needs. */
interface RotaryTable {
    readonly width: number;
    /** `[width / 2]`, radians per position. */
    readonly frequencies: Float32Array;
    /** Factor on cosine and sine. */
    readonly scale: number;
}
/**
 * Frequencies `base^(−2i / width)`, changed by the scaling rule.
 *
 * @param length - Largest position + 1; only `longrope` looks at it.
 * @throws {@link BasicError} `E_CONFIG` when the width is odd or the number of factors is wrong.
 */
declare function rotaryFrequencies(config: RotaryConfig, length: number): RotaryTable;

/** Rows and columns of the patches of an image; `null` where rows are not a grid (resamplers). */
type Grid = readonly [height: number, width: number] | null;
/** Features or embeddings of several images, one image after the other. */
interface VisualRows {
    /** `[N, width]`. */
    readonly rows: tf.Tensor2D;
    /** `[images + 1]`: image i is rows `offsets[i] .. offsets[i + 1]`. */
    readonly offsets: Int32Array;
    /** One per image. */
    readonly grids: readonly Grid[];
}
/** Pixels on the host, `[images, height, width, 3]`, normalised as the encoder wants them. */
interface ImageBatch {
    readonly pixels: Float32Array;
    readonly shape: readonly [images: number, height: number, width: number, channels: 3];
}
/** {@link VisualRows} on the host: what a feature cache stores. */
interface HostVisualRows {
    /** `[N, width]`, row-major. */
    readonly values: Float32Array;
    readonly width: number;
    readonly offsets: Int32Array;
    readonly grids: readonly Grid[];
}
/** Frozen features of images, computed outside the tape. May be anybody's: another library, a file. */
interface FeatureSource {
    /** Changes whenever the features would: the cache is keyed by it. */
    readonly id: string;
    readonly width: number;
    /** Side of the square pictures it takes, in pixels. A recipe needs it; who passes pixels by hand does not. */
    readonly imageSize?: number;
    /** Features of pictures that the encoder's processor has fitted. */
    features(images: ImageBatch): Promise<HostVisualRows>;
}
/** Pixels to features, differentiable. */
interface VisionEncoder {
    readonly width: number;
    readonly imageSize: number;
    readonly parameters: ParameterSet;
    /**
     * Features of pictures; differentiable.
     *
     * @param pixels - `[images, height, width, 3]`.
     */
    encode(pixels: tf.Tensor4D): VisualRows;
}
/** Features `[N, features]` to visual embeddings `[N', D]` at the LLM's input. */
interface Projector {
    readonly parameters: ParameterSet;
    /** Differentiable. Rows of an image stay together, in order. */
    project(features: VisualRows): VisualRows;
    /** How many rows an image with this grid gives. The packer needs it before any device work. */
    gridAfter(grid: Grid, rows: number): {
        readonly rows: number;
        readonly grid: Grid;
    };
}
/** Where an image stands in a packed batch. */
interface ImageSpan {
    readonly sample: number;
    /** First packed row of the image. */
    readonly start: number;
    readonly length: number;
}
/** The tokens of all samples of a micro-batch, one sample after the other. No padding. */
interface PackedRows {
    /** `[R]`: token id, or `-1 - n` where visual row n stands. */
    readonly ids: Int32Array;
    /** `[B + 1]`: sample b is rows `offsets[b] .. offsets[b + 1]`. */
    readonly offsets: Int32Array;
    /** `[R]`: position in the sample, for the rotary embedding. */
    readonly positions: Int32Array;
    /** In order of appearance; visual rows are numbered in this order. */
    readonly images: readonly ImageSpan[];
    /** `[R]`: 1 where the row is a text token that counts for patch weights. */
    readonly countsAsText: Int32Array;
    /** `[R]`: the token that row r is trained to predict (row r + 1 of the same sample), or -100. */
    readonly labels: Int32Array;
    /** `[R]`: weight of each label in the language loss. All 1 where absent. */
    readonly labelWeights?: Float32Array;
}
/** What supervision asks the decoder to watch. It stops paying for it after block `layerWeights.length`. */
interface Observe {
    /** w_1..w_k of the refined embeddings; empty when they are not needed. */
    readonly layerWeights: readonly number[];
    /** Whether to accumulate a_j over the same k blocks. */
    readonly patchWeights: boolean;
    /** Whether the refined embeddings are detached (method.md, 8). */
    readonly stopGradient: boolean;
    /** Blocks (1-based; 0 = input) whose visual rows are returned as they are. */
    readonly blocks?: readonly number[];
}
/** What {@link LanguageModel.forward} returns. N = visual rows of the batch. */
interface Observed {
    /** Output of the final norm, `[R, D]`. */
    readonly hidden: tf.Tensor2D;
    /** v̂, `[N, D]`. */
    readonly refined?: tf.Tensor2D;
    /** a_j before normalisation (method.md, 4), `[N]`, detached. */
    readonly patchWeights?: tf.Tensor1D;
    /** Visual rows `[N, D]` after the blocks that were asked for. */
    readonly blocks: ReadonlyMap<number, tf.Tensor2D>;
}
/** The vocabulary projection. Tied heads share the tensor of the embedding table. */
interface Head {
    /** `[V, D]`. */
    readonly weight: tf.Tensor2D;
    readonly trainable: boolean;
    /** Final logits cap of Gemma 2; 0 = none. */
    readonly softcap: number;
}
/** Keys and values of the rows seen so far, for generation. Made by the model, disposed by the caller. */
interface KeyValueCache {
    /** Rows of each sample. */
    readonly lengths: readonly number[];
    /** Rows of the first sample. */
    readonly length: number;
    /**
     * Forgets the rows of a sample from `length` on, so that others can follow there.
     *
     * @throws BasicError `E_INDEX_RANGE` where there are fewer rows, or no such sample.
     */
    truncate(length: number, sample?: number): void;
    /** Frees all keys and values. */
    dispose(): void;
}
/** What {@link LanguageModel.forward} reads. */
interface LanguageInput {
    readonly packed: PackedRows;
    /** Visual embeddings `[N, D]`; null for text only. */
    readonly visual: tf.Tensor2D | null;
    /**
     * Attends to the cached rows before these, and appends to the cache. As many samples as it was made for; one without new
     * rows has none in `packed`.
     */
    readonly cache?: KeyValueCache;
}
/** A causal language model over packed rows. {@link createDecoder} makes ours. */
interface LanguageModel {
    readonly depth: number;
    readonly width: number;
    readonly vocabularySize: number;
    readonly parameters: ParameterSet;
    /** E `[V, D]`: the stored input embedding table. */
    readonly vocabulary: tf.Tensor2D;
    readonly head: Head;
    /** Runs all blocks; differentiable. @throws BasicError `E_INDEX_RANGE` for an id outside of the vocabulary. */
    forward(input: LanguageInput, observe?: Observe): Observed;
    /**
     * Next-token logits `[R, V]` of final hidden states `[R, D]`; where the model keeps its head packed, without decoding it.
     * Default: by {@link head}.
     */
    logits?(hidden: tf.Tensor2D): tf.Tensor2D;
    /** An empty cache, for one sample unless told otherwise. */
    createCache(samples?: number): KeyValueCache;
}

/** How patch weights a_j are scaled (method.md, 4). */
type Normalise = "none" | "sum" | "mean" | "uniform";
/** What a loss reads. The decoder computes nothing that no loss needs. */
interface Needs {
    readonly refined?: boolean;
    /** The gradient flows through v̂ too (`stopGradient: false`). Default: v̂ is a constant. */
    readonly refinedGradient?: boolean;
    /** The normalisation that this loss wants; the view then carries `patchWeights`. */
    readonly patchWeights?: boolean;
    /** E, detached. */
    readonly vocabulary?: boolean;
    /** Final-norm output at the visual rows. */
    readonly hidden?: boolean;
    /** Block (1-based) whose visual rows are wanted, from the depth of the LLM. */
    readonly block?: (depth: number) => number;
    /**
     * Frozen encoder features at the visual rows. Where pictures are cut into tiles, the view then has the rows that come from
     * a feature alone: those of `image_newline` are left out of all its fields.
     */
    readonly features?: boolean;
}
/** An image in numbers of visual rows. */
interface VisualSpan {
    readonly sample: number;
    readonly start: number;
    readonly length: number;
}
/** What a loss sees of one micro-batch. N visual rows, D LLM width. Fields are present when `needs` names them. */
interface VisualView {
    /** V: projector output, `[N, D]`. Carries the gradient. */
    readonly initial: tf.Tensor2D;
    readonly images: readonly VisualSpan[];
    /** v̂ `[N, D]`. */
    readonly refined?: tf.Tensor2D;
    /** Raw a_j `[N]` before normalisation, detached. Normalise with `normalisePatchWeights`. */
    readonly patchWeights?: tf.Tensor1D;
    /** E `[V, D]`, detached. */
    readonly vocabulary?: tf.Tensor2D;
    readonly head?: Head;
    readonly hidden?: tf.Tensor2D;
    readonly block?: tf.Tensor2D;
    /** f `[N, features]`, detached. */
    readonly features?: tf.Tensor2D;
}
/** What {@link VisualLoss.compute} returns. */
interface VisualLossResult {
    /** Scalar `[]`: sum over the samples of the micro-batch of each sample's loss. */
    readonly sum: tf.Scalar;
    /** Unweighted value of each visual row `[N]`, detached, where the loss has one; for reports. */
    readonly perRow?: tf.Tensor1D;
}
/** A supervision of visual rows. BASIC's two losses and their neighbours implement it. */
interface VisualLoss {
    readonly name: string;
    readonly needs: Needs;
    /** Weights of the loss itself (Emu's map, VIRAL's MLP); trained with the projector. */
    readonly parameters?: ParameterSet;
    /** Runs on the tape, once per micro-batch that has an image. */
    compute(view: VisualView): VisualLossResult;
}

/** Four unsigned 32-bit words. */
type Words4 = readonly [number, number, number, number];
/**
 * Philox4x32-10, a counter-based generator: 128 random bits from a counter and a key, without state.
 *
 * Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011; equal to Random123's.
 *
 * @param counter - Four words: which block.
 * @param key - Two words: which sequence.
 */
declare function philox(counter: Words4, key: readonly [number, number]): Words4;
/** A sequence of random numbers. The same seed and stream give the same sequence everywhere. */
interface Random {
    /** Uniform in `[0, 1)`, 32 bits. */
    uniform(): number;
    /** Standard normal. */
    normal(): number;
    /** Uniform integer in `0 .. n - 1`, without bias. n from 1 to 2^32. */
    int(n: number): number;
    /** The numbers `0 .. n - 1` in random order (Fisher-Yates). */
    permutation(n: number): Int32Array;
    /** Fills `array` with normal values of standard deviation `std` and returns it. */
    fillNormal(array: Float32Array, std: number): Float32Array;
    /** Fills `array` with uniform values in `[low, high)` and returns it. */
    fillUniform(array: Float32Array, low: number, high: number): Float32Array;
    /** Fills `array` with 0 at `probability` (in steps of 2^-16) and 1 elsewhere, and returns it. 16 bits a value. */
    fillMask(array: Uint8Array, probability: number): Uint8Array;
}
/**
 * Random numbers that depend on the arguments alone: no global state, no history.
 *
 * The seed is Philox's key, the hash of the stream is the upper half of its counter.
 *
 * @param seed - Non-negative integer up to 2^53.
 * @param stream - What the numbers are for, for example `"order", "align", epoch`.
 */
declare function createRandom(seed: number, ...stream: readonly (string | number)[]): Random;
/**
 * Seed and stream as four words: Philox's key, then the upper half of its counter. What kernels take that draw their own
 * numbers.
 */
declare function randomWords(seed: number, ...stream: readonly (string | number)[]): Int32Array;

/** Options of a component as the recipe gives them. The component checks them. */
type ComponentOptions = Readonly<Record<string, unknown>>;
/** Many names that follow a pattern. */
interface NameFamily<Value> {
    /** For lists and messages: `mlpNx_gelu`. */
    readonly label: string;
    readonly pattern: RegExp;
    /** What a name of the family stands for. */
    make(name: string): Value;
}
/** Names of one kind, and what each stands for. */
declare class Registry<Value> {
    #private;
    readonly kind: string;
    /** @param kind - Word for messages: `projector`, `loss`, ... */
    constructor(kind: string);
    /** @throws {@link BasicError} `E_NAME_DUPLICATE` where the name is taken. */
    define(name: string, value: Value): void;
    /** Takes all names of a pattern that are not defined one by one; a family of the same label is replaced. */
    defineFamily(family: NameFamily<Value>): void;
    /** @throws {@link BasicError} `E_NAME_UNKNOWN` with the nearest name. */
    get(name: string): Value;
    /** Whether the name is taken. */
    has(name: string): boolean;
    /** All names and labels of families, sorted. */
    list(): readonly string[];
}
/** What a projector is made from. */
interface ProjectorContext {
    /** Width of the encoder's features. */
    readonly features: number;
    /** D: width of the language model. */
    readonly width: number;
    /** Rows and columns of patches that the encoder makes of each picture; absent where they differ or nobody knows. */
    readonly patches?: readonly [height: number, width: number];
    /** E `[V, D]`: the language model's embedding table. To be copied: it may train, and its tensor be replaced. */
    readonly vocabulary?: tf.Tensor2D;
    /** For the initial weights. */
    readonly random: Random;
    readonly options: ComponentOptions;
}
/** What an encoder or a language model is made from. */
interface ModelContext {
    readonly random: Random;
    readonly options: ComponentOptions;
}
/** What a visual loss is made from. */
interface LossContext {
    /** D: width of the language model. */
    readonly width: number;
    /** l: blocks of the language model. */
    readonly depth: number;
    /** Width of the encoder's features. */
    readonly features: number;
    readonly random: Random;
    readonly options: ComponentOptions;
}
/** Makes a projector for a recipe. */
type ProjectorFactory = (context: ProjectorContext) => Projector;
/** Makes an encoder for a recipe: trainable, or any source of frozen features. */
type EncoderFactory = (context: ModelContext) => VisionEncoder | FeatureSource | Promise<VisionEncoder | FeatureSource>;
/** Makes a language model for a recipe. */
type LanguageModelFactory = (context: ModelContext) => LanguageModel | Promise<LanguageModel>;
/** Makes a visual loss for a recipe. */
type LossFactory = (context: LossContext) => VisualLoss;
/** What a recipe's `model.projector` may name. */
declare const projectors: Registry<ProjectorFactory>;
/** What a recipe's `model.vision` may name. */
declare const encoders: Registry<EncoderFactory>;
/** What a recipe's `model.language` may name. */
declare const languageModels: Registry<LanguageModelFactory>;
/** What a stage's `losses` may name besides `language`. */
declare const losses: Registry<LossFactory>;
/** Makes a projector available to recipes under a name. */
declare function defineProjector(name: string, factory: ProjectorFactory): void;
/** Makes a vision encoder available to recipes under a name. */
declare function defineEncoder(name: string, factory: EncoderFactory): void;
/** Makes a language model available to recipes under a name. */
declare function defineLanguageModel(name: string, factory: LanguageModelFactory): void;
/** Makes a visual loss available to recipes under a name. */
declare function defineLoss(name: string, factory: LossFactory): void;
/**
 * Imports the packages of a recipe's `plugins`, one after the other; each calls `define…` when it is loaded.
 *
 * @param importer - How to import; default `import()`. A host passes its own to resolve from its folder.
 * @throws {@link BasicError} `E_PLUGIN` where a package cannot be loaded.
 */
declare function loadPlugins(names: readonly string[], importer?: (name: string) => Promise<unknown>): Promise<void>;

/** Supervised losses that a recipe may name, ready for the loss registry (method.md, 5 and 6, and neighbours). */
declare const visualLosses: Readonly<Record<string, LossFactory>>;
/** A recipe's `supervision`, as far as losses read it. */
interface SupervisionOptions {
    readonly normalise?: Normalise;
    readonly stopGradient?: boolean;
    readonly vocabulary?: "input" | "head";
}
/**
 * Options of a loss in a recipe: what `supervision` says, overruled by the loss's own options.
 *
 * A loss that is not ours gets its own options alone.
 */
declare function lossOptions(name: string, supervision: SupervisionOptions, own: ComponentOptions): ComponentOptions;

/** Which other rows a row must be told apart from. */
type Negatives = "micro-batch" | "sample";
/** Options of {@link createDasNceLoss}. */
interface DasNceOptions {
    /** Temperature. Default 0.1. */
    readonly tau?: number;
    /** Default `micro-batch`: the one loss that depends on how a batch is split. */
    readonly negatives?: Negatives;
    /** Default `sum`. */
    readonly normalise?: Normalise;
    /** Whether the refined embeddings are constant. Default true. */
    readonly stopGradient?: boolean;
}
/**
 * Contrastive direction alignment: a visual embedding points to its own refined twin more than to others.
 *
 * ```text
 * L = Σ_j a_j · −log softmax_m( cos(v_j, v̂_m) / τ )[m = j]
 * ```
 *
 * Ours (method.md, neighbours): direction alignment alone is least when all rows share one direction;
 * telling rows apart prevents that. A usual weight is 0.1. `perRow` are the terms without `a_j`.
 */
declare function createDasNceLoss(options?: DasNceOptions): VisualLoss;

/** Options of {@link createDirectionLoss}. */
interface DirectionOptions {
    /** Scale of the patch weights. Default `none`: as the paper prints them. */
    readonly normalise?: Normalise;
    /** Whether the refined embeddings are constant. Default true. */
    readonly stopGradient?: boolean;
}
/**
 * Direction alignment of BASIC (DAS): turns each visual embedding towards its refined twin.
 *
 * ```text
 * L_das = Σ_j a_j ‖ v_j/|v_j| − v̂_j/|v̂_j| ‖²
 * ```
 *
 * Source: BASIC (arXiv:2508.06895), equation 6; method.md, 5. A zero row counts 1 and passes no gradient.
 * The result is the sum over the samples of the micro-batch; `perRow` are the terms without `a_j`.
 */
declare function createDirectionLoss(options?: DirectionOptions): VisualLoss;

/** Whose rows are the words: the stored input embedding table, or the LM head. */
type VocabularySource = "input" | "head";
/** Options of {@link createDistributionLoss}. */
interface DistributionOptions {
    /** Scale of the patch weights. Default `none`: as the paper prints them. */
    readonly normalise?: Normalise;
    /** Whether the refined embeddings are constant. Default true. */
    readonly stopGradient?: boolean;
    /** Default `input`. */
    readonly vocabulary?: VocabularySource;
    /** Largest block of logits held at once, in bytes. */
    readonly chunkBytes?: number;
}
/**
 * Semantic distribution of BASIC (SDS): each visual embedding should mean the words that its refined twin means.
 *
 * ```text
 * L_sds = Σ_j a_j KL( softmax(v̂_j Eᵀ) ‖ softmax(v_j Eᵀ) )
 * ```
 *
 * Source: BASIC (arXiv:2508.06895), equation 7; method.md, 6. E is constant here, without softcap or bias.
 * No N × V array is stored. The result is the sum over the samples of the micro-batch; `perRow` are the
 * divergences without `a_j`.
 */
declare function createDistributionLoss(options?: DistributionOptions): VisualLoss;

/** Options of {@link createEmuL2Loss}. */
interface EmuL2Options {
    /** LLM width D. */
    readonly width: number;
    /** Source of the map's first values. Default: seed 0. */
    readonly random?: Random;
}
/**
 * Regression of the next visual embedding, after Emu: the LLM's output foresees the next row of the image.
 *
 * ```text
 * L = mean_j ‖ W h_j − v_{j+1} ‖² / D      j, j + 1 in the same image; v constant
 * ```
 *
 * `h` is the LLM's output after the final norm, `W` a trainable D × D map that starts uniform in ±1/√D.
 * Mean over the pairs of a sample, sum over samples (method.md, neighbours). An image of one row has no pair.
 */
declare function createEmuL2Loss({ width, random }: EmuL2Options): VisualLoss;

/** What {@link languageLoss} reads of a packed batch. */
type LabelledRows = Pick<PackedRows, "labels" | "labelWeights">;
/**
 * Cross entropy of the next token, summed over the supervised rows.
 *
 * ```text
 * L_lm = Σ_r weight_r · −log softmax(h_r Headᵀ)[label_r]      over rows whose label is not −100
 * ```
 *
 * Supervised rows are gathered before the vocabulary product, which runs in chunks: no R × V array is stored.
 *
 * @param hidden - LLM output after the final norm, `[R, D]`.
 * @param head - `[V, D]` and its softcap; gets a gradient where it is trainable.
 * @param rows - Labels `[R]`, shifted by the packer, and optional weights `[R]`.
 * @returns Scalar `[]`; 0 where nothing is supervised.
 * @throws {@link BasicError} `E_SHAPE` when the lengths disagree, `E_INDEX_RANGE` for a label outside of V.
 */
declare function languageLoss(hidden: tf.Tensor2D, head: Head, rows: LabelledRows): tf.Scalar;
/** Supervised tokens of a batch: how many, or their summed weights. What the language loss is divided by. */
declare function supervisedTokens({ labels, labelWeights }: LabelledRows): number;

/** How the shallow blocks are mixed into the refined embeddings (method.md, 2). */
type LayerWeightScheme = "increasing" | "constant" | "decreasing";
/**
 * Number of supervised shallow blocks of an LLM: `k = max(1, floor(l / 2))` (method.md, 1).
 *
 * @param depth - Number of blocks `l`.
 */
declare function supervisedDepth(depth: number): number;
/**
 * Weights of the supervised blocks in the refined embedding, `w_1 .. w_k` (method.md, 2).
 *
 * ```text
 * increasing  w_i = i² / Σ m²      constant  w_i = 1 / k      decreasing  w_i = (k − i + 1)² / Σ m²
 * ```
 *
 * Source: BASIC (arXiv:2508.06895), equation 3 and its ablation.
 *
 * @param k - Number of supervised blocks, at least 1.
 * @returns `[k]`, of sum 1.
 * @throws {@link BasicError} `E_CONFIG` when `k` is not a positive integer.
 */
declare function layerWeights(k: number, scheme?: LayerWeightScheme): readonly number[];

/**
 * Patch weights `a_j` that a loss multiplies its rows by, from the raw attention shares (method.md, 4 and 10).
 *
 * ```text
 * none     a_j                    Σ_j a_j = share of the attention that goes to the image
 * sum      a_j / Σ a              Σ_j a_j = 1;  1 / N where all are 0
 * mean     a_j · N / Σ a          mean is 1;    1 where all are 0
 * uniform  1 / N                  needs no raw weights
 * ```
 *
 * Sums run over all visual rows of a sample, all its images together; N is their number.
 *
 * @param raw - `[N]` over all samples, as the decoder observed them; unused by `uniform`.
 * @param images - One span per image.
 * @returns `[N]`, detached; the caller disposes it.
 * @throws {@link BasicError} `E_SHAPE` when `raw` has another length, `E_CONFIG` when it is missing.
 */
declare function normalisePatchWeights(raw: tf.Tensor1D | undefined, images: readonly VisualSpan[], mode: Normalise): tf.Tensor1D;

/** Options of {@link createSmoothL1Loss}. */
interface SmoothL1Options {
    /** Where the square turns into a line. Default 1. */
    readonly delta?: number;
    /** Whether the refined embeddings are constant. Default true. */
    readonly stopGradient?: boolean;
}
/**
 * Huber distance to the refined embedding: direction and length.
 *
 * ```text
 * L = mean_j Σ_d Huber_δ(v_jd − v̂_jd) / D,   Huber_δ(x) = x²/2 where |x| ≤ δ, else δ(|x| − δ/2)
 * ```
 *
 * Mean over the visual rows of a sample, sum over samples (method.md, neighbours).
 */
declare function createSmoothL1Loss(options?: SmoothL1Options): VisualLoss;

/** Options of {@link createViralCosLoss}. */
interface ViralCosOptions {
    /** LLM width D. */
    readonly width: number;
    /** Width of the encoder's features. */
    readonly featureWidth: number;
    /** Source of the map's first values. Default: seed 0. */
    readonly random?: Random;
}
/**
 * Keeps the encoder's features readable in the middle of the LLM, after VIRAL (arXiv 2509.07979).
 *
 * ```text
 * L = mean_j 1 − cos( MLP(V^m_j), f_j ),   m = l / 2, f constant
 * ```
 *
 * The MLP has one hidden layer of min(2048, 4 D) with SiLU. Mean over the visual rows of a sample, sum over
 * samples (method.md, neighbours). The paper's weight is 0.5.
 */
declare function createViralCosLoss({ width, featureWidth, random, }: ViralCosOptions): VisualLoss;

/**
 * Keeps which patches resemble each other, as the encoder sees it, in the middle of the LLM.
 *
 * ```text
 * L = mean_j mean_m ( cos(V^b_j, V^b_m) − cos(f_j, f_m) )²,   j, m in the same image, b = l / 2, f constant
 * ```
 *
 * The Gram form of VIRAL (arXiv 2509.07979). Mean over the visual rows of a sample, sum over samples
 * (method.md, neighbours): images of a sample count by their rows.
 */
declare function createViralGramLoss(): VisualLoss;

/**
 * Next visual word, after VW-LMM (arXiv 2403.07720): the LLM's output foresees the words that the next row means.
 *
 * ```text
 * L = mean_j KL( softmax(v_{j+1} Eᵀ) ‖ softmax(h_j Headᵀ) )      j, j + 1 in the same image; v constant
 * ```
 *
 * `h` is the LLM's output after the final norm. E and the head are constant here: only `h` gets a gradient.
 * Mean over the pairs of a sample, sum over samples (method.md, neighbours). With an untied head one
 * `[V, 2 D]` copy of both matrices is made, so that both products run in one chunked kernel.
 */
declare function createVwKlLoss(): VisualLoss;

/** Name of the learned vector that ends each line of a picture cut into tiles, as in LLaVA-1.6. */
declare const IMAGE_NEWLINE = "image_newline";
/** Stands for the learned vector `image_newline` in {@link RowArrangement.order}. */
declare const NEWLINE_ROW = -1;
/** How the rows of pictures that are cut into tiles follow from those of the projector. N rows, P pictures. */
interface RowArrangement {
    /** `[N]`: number of a projected row of the batch, or {@link NEWLINE_ROW}. */
    readonly order: Int32Array;
    /** `[P + 1]`: picture i is rows `offsets[i] .. offsets[i + 1]` of `order`. */
    readonly offsets: Int32Array;
}
/**
 * Gives a projector the vector `image_newline` `[D]`, which trains and is saved with it. First values: normal, with
 * deviation 1/√D, as LLaVA's.
 */
declare function addImageNewline(projector: Projector, width: number, random: Random): Parameter;
/**
 * Puts the projected rows of tiles into the order that the language model reads; differentiable.
 *
 * @throws {@link BasicError} `E_CONFIG` where the projector has no `image_newline` ({@link addImageNewline}).
 */
declare function arrangeRows(projected: VisualRows, { order, offsets }: RowArrangement, { parameters }: Projector): VisualRows;

/**
 * One decoder for Llama, Vicuna, Mistral, Qwen2, Qwen3, Gemma, Gemma 2, Phi 3 and their relatives: what tells them
 * apart are fields.
 */
interface DecoderConfig {
    readonly vocabularySize: number;
    readonly width: number;
    /** Number of blocks. */
    readonly depth: number;
    readonly heads: number;
    readonly keyValueHeads: number;
    readonly headWidth: number;
    /** Inner width of the feed-forward layer. */
    readonly inner: number;
    readonly activation: GateActivation;
    readonly normEpsilon: number;
    /** Gemma: norms multiply by `1 + weight`. */
    readonly normAddOne: boolean;
    /** Gemma 2: norms after attention and feed-forward as well as before. */
    readonly sandwichNorms: boolean;
    /** Qwen3: RMS norm of each query and key head. */
    readonly headNorm: boolean;
    /** Bias of the query, key and value products. */
    readonly inputBias: boolean;
    /** Bias of the attention's output product. */
    readonly outputBias: boolean;
    readonly mlpBias: boolean;
    /** Phi 3: checkpoints hold query, key and value in one matrix, gate and up in another. Parameters are apart here. */
    readonly fusedProducts: boolean;
    /** Whether the head shares the embedding table. */
    readonly tiedHead: boolean;
    /** Factor on q · k; 1/√headWidth in most models. */
    readonly attentionScale: number;
    /** Cap on attention scores; 0 = none. */
    readonly attentionSoftcap: number;
    /** Cap on logits; 0 = none. */
    readonly headSoftcap: number;
    /** One window per block; 0 = none. */
    readonly windows: readonly number[];
    readonly rotary: RotaryConfig;
    /** Factor on the input rows, visual rows included: √D in Gemma, else 1. */
    readonly embeddingScale: number;
    /** Longest text the model was made for. */
    readonly positions: number;
    /** Standard deviation of first values. */
    readonly initialStd: number;
}
/** What {@link decoderConfig} cannot guess. */
type DecoderSizes = Pick<DecoderConfig, "vocabularySize" | "width" | "depth" | "heads" | "inner">;
/**
 * A Llama-shaped config: the fields given, and Llama's choice for the others.
 *
 * @throws {@link BasicError} `E_CONFIG` when sizes do not fit together.
 */
declare function decoderConfig(fields: DecoderSizes & Partial<DecoderConfig>): DecoderConfig;

/** Options of {@link createDecoder}. */
interface DecoderOptions {
    /** Seed of the first values. Default 0. */
    readonly seed?: number;
    /** First values; instead of `seed`. */
    readonly values?: ValueSource;
}
/**
 * Builds a decoder. Parameters have Hugging Face's names: `model.embed_tokens.weight`,
 * `model.layers.N.self_attn.q_proj.weight`, ..., `model.norm.weight`, `lm_head.weight`.
 *
 * @throws {@link BasicError} `E_CONFIG` when sizes do not fit together.
 */
declare function createDecoder(config: DecoderConfig, options?: DecoderOptions): Decoder;
/** A causal language model over packed rows. */
declare class Decoder implements LanguageModel {
    #private;
    readonly parameters: ParameterSet;
    /** The products of all blocks by name (`model.layers.0.self_attn.q_proj`), for adapters. */
    readonly linears: ReadonlyMap<string, Linear>;
    /** Whether training runs each block again in its gradient, instead of keeping what happens inside: same bits, less memory. */
    recompute: boolean;
    /** Use {@link createDecoder}. */
    constructor(config: DecoderConfig, values: ValueSource);
    /** Sizes and options; {@link resizeVocabulary} changes the number of tokens. */
    get config(): DecoderConfig;
    /** The embedding table, and the head where it is not tied. For {@link resizeVocabulary}. */
    get vocabularyParameters(): readonly Parameter[];
    /** Use {@link resizeVocabulary}, which changes the tables as well. */
    setVocabularySize(size: number): void;
    get depth(): number;
    get width(): number;
    get vocabularySize(): number;
    /**
     * E `[V, D]`: the stored table, without Gemma's √D.
     *
     * @throws {@link BasicError} `E_CONFIG` where it is packed.
     */
    get vocabulary(): tf.Tensor2D;
    /** @throws {@link BasicError} `E_CONFIG` where it is packed: {@link logits} still works. */
    get head(): Head;
    /**
     * Runs all blocks. `refined`, `patchWeights` and `blocks` are empty for a batch without images.
     *
     * @throws {@link BasicError} `E_SHAPE`, `E_INDEX_RANGE`, `E_IMAGE_TOKENS` on a batch that does not fit;
     *   `E_CONFIG` when the model cannot observe what is asked.
     */
    forward(input: LanguageInput, observe?: Observe): Observed;
    /** All hidden states `[R, D]` as Hugging Face lists them: the input, each block, the last one after the norm. */
    hiddenStates(input: LanguageInput): readonly tf.Tensor2D[];
    /**
     * Next-token logits `[R, V]` of final hidden states `[R, D]`, of a packed head without decoding it. For generation; losses
     * are chunked instead.
     */
    logits(hidden: tf.Tensor2D): tf.Tensor2D;
    /** An empty cache, for one sample unless told otherwise; the caller disposes it. */
    createCache(samples?: number): KeyValueCache;
}

/** Host-side facts about the visual rows of a packed batch. R packed rows, N visual rows. */
interface VisualPlan {
    /** `[N]`: the packed row of each visual row. */
    readonly rows: Int32Array;
    /** `[R]`: the first row whose attention counts for a visual row; R = never (all other rows too). */
    readonly receiveFrom: Int32Array;
    /** `[N]`: how many text rows count for each visual row. */
    readonly counts: Int32Array;
}
/**
 * Finds the visual rows and who looks at them: the text rows of the same sample after the end of the row's
 * own image (method.md, 4).
 */
declare function planVisualRows(packed: PackedRows): VisualPlan;

/**
 * Gives a language model another number of tokens, for example after `<image>` was added to its tokenizer: grows or
 * shrinks the embedding table and the head (one table where they are tied). Rows of the first tokens stay as they are;
 * new ones start as the mean of the rows before, as in LLaVA and Alpaca, so that no new token is likely or unlikely.
 *
 * Do it before an optimizer, an adapter or a projector is made of the model.
 *
 * @param size - V, the new number of tokens.
 * @throws {@link BasicError} `E_CONFIG` for a size that is no whole number from 1, or a table that is packed.
 */
declare function resizeVocabulary(model: Decoder, size: number): void;

/** Projectors that a recipe may name, ready for the projector registry; {@link mlpProjectors} are those of more products. */
declare const projectorFactories: Readonly<Record<string, ProjectorFactory>>;
/** `mlpNx_gelu` for any N from 2, ready for {@link Registry.defineFamily}. */
declare const mlpProjectors: NameFamily<ProjectorFactory>;

/** Where a projector stands: what is the same for projectors of any kind. */
interface ProjectorPlace {
    /** Width of the features. */
    readonly features: number;
    /** D, the LLM's width. */
    readonly width: number;
    /** Patches of the encoder's pictures, where they are all alike. `c-abstractor` has an embedding for each. */
    readonly patches?: readonly [height: number, width: number];
    /** V, where `vocabulary` itself is not at hand. */
    readonly vocabularySize?: number;
}
/** A place, and where first values come from. */
interface ProjectorSetup extends ProjectorPlace {
    /** Seed of the first values. Default 0. */
    readonly seed?: number;
    /** First values; instead of `seed`. */
    readonly values?: ValueSource;
    /** E `[V, D]`: the LLM's embedding table, copied. The projector `vocabulary` needs it, or `values`. */
    readonly vocabulary?: tf.Tensor2D;
}
/** Rows of one image. */
interface ImageRows {
    readonly grid: Grid;
    readonly rows: number;
}
/** A projector of ours: its name, its place and its options make it again. */
declare abstract class BuiltInProjector implements Projector {
    /** As recipes write it. */
    readonly name: string;
    readonly place: ProjectorPlace;
    /** As recipes write them, defaults filled in: plain JSON. */
    readonly options: ComponentOptions;
    readonly parameters: ParameterSet;
    protected constructor(name: string, place: ProjectorPlace, options: ComponentOptions);
    /** The product that alone reads the features: their statistics can be folded into it. Null where there is none. */
    abstract readonly input: Linear | null;
    /** Parameters that scale the rows: all of them times s makes the rows times s. Empty where there are none. */
    abstract readonly scaling: readonly Parameter[];
    abstract gridAfter(grid: Grid, rows: number): ImageRows;
    /** The visual embeddings of rows. May return `rows` itself. @param images - One per image, in order. */
    protected abstract compute(rows: tf.Tensor2D, images: readonly ImageRows[]): tf.Tensor2D;
    /** @throws {@link BasicError} `E_SHAPE` when an image's rows are no grid, or none of the right size. */
    project({ rows, offsets, grids }: VisualRows): VisualRows;
    /** A builder of the projector's parameters, with PyTorch's first values unless others are given. */
    protected builder({ seed, values }: ProjectorSetup, options?: RandomValueOptions): Builder;
}

/** Options of `c-abstractor`. */
declare const cAbstractorOptions: z.ZodObject<{
    pool: z.ZodDefault<z.ZodReadonly<z.ZodTuple<[z.ZodInt, z.ZodInt], null>>>;
    depth: z.ZodDefault<z.ZodInt>;
    hidden: z.ZodDefault<z.ZodInt>;
    mlpDepth: z.ZodDefault<z.ZodInt>;
    positions: z.ZodOptional<z.ZodUnion<readonly [z.ZodReadonly<z.ZodTuple<[z.ZodInt, z.ZodInt], null>>, z.ZodLiteral<false>]>>;
}, z.core.$strict>;
/** Options of `c-abstractor`. */
interface CAbstractorOptions {
    /** Rows and columns of the pooled grid. Default: 12 × 12. */
    readonly pool?: readonly [number, number] | undefined;
    /** Blocks before the pooling, and as many after it. Default: 3. */
    readonly depth?: number | undefined;
    /** Channels of the blocks. Default: 1024. */
    readonly hidden?: number | undefined;
    /** Products after the blocks, with SiLU between them. Default: 2. */
    readonly mlpDepth?: number | undefined;
    /** Rows and columns of patches that have an embedding; false: none has. Default: those of the encoder. */
    readonly positions?: readonly [number, number] | false | undefined;
}
/**
 * Honeybee's C-Abstractor (arXiv:2312.06742): an embedding of each patch's position, RegNet blocks, mean over cells of
 * a fixed grid, RegNet blocks, products. Parameters have the names of its checkpoints: `pos_emb` `[1, N, features]`,
 * `net.0.b1.conv1.conv.weight` ..., `net.2.b1.*`, `readout.0.*`.
 */
declare class CAbstractorProjector extends BuiltInProjector {
    #private;
    readonly input: null;
    /**
     * Use {@link createProjector}.
     *
     * @throws {@link BasicError} `E_CONFIG` where nobody says how many patches there are.
     */
    constructor(setup: ProjectorSetup, options: z.output<typeof cAbstractorOptions>);
    get scaling(): readonly Parameter[];
    gridAfter(grid: Grid, rows: number): ImageRows;
    protected compute(rows: tf.Tensor2D, images: readonly ImageRows[]): tf.Tensor2D;
}

/**
 * MobileVLM's lightweight downsample projector (arXiv:2312.16886): `Linear, GELU, Linear`, then two inverted residual
 * blocks of MobileNetV3 without expansion, the second with stride 2: a quarter of the rows. Parameters have the names
 * of its checkpoints: `model.mlp.1.*`, `model.mb_block.1.block.0.0.weight` ...
 */
declare class LdpProjector extends BuiltInProjector {
    #private;
    /** Use {@link createProjector}. */
    constructor(setup: ProjectorSetup);
    get input(): Linear;
    get scaling(): readonly Parameter[];
    gridAfter(grid: Grid, rows: number): ImageRows;
    protected compute(rows: tf.Tensor2D, images: readonly ImageRows[]): tf.Tensor2D;
}
/** Options of `ldpv2`. */
declare const ldpv2Options: z.ZodObject<{
    pool: z.ZodDefault<z.ZodReadonly<z.ZodTuple<[z.ZodInt, z.ZodInt], null>>>;
}, z.core.$strict>;
/** Options of `ldpv2`. */
interface Ldpv2Options {
    /** Rows and columns of the pooled grid. Default: 12 × 12. */
    readonly pool?: readonly [number, number] | undefined;
}
/**
 * MobileVLM V2's projector (arXiv:2402.03766): `Linear, GELU, Linear`, mean over cells of a fixed grid, then a depthwise
 * 3×3 convolution added to its input. Parameters have the names of its checkpoints: `mlp.mlp.0.*`, `mlp.mlp.2.*`,
 * `peg.peg.0.*`.
 */
declare class Ldpv2Projector extends BuiltInProjector {
    #private;
    /** Use {@link createProjector}. */
    constructor(setup: ProjectorSetup, options: z.output<typeof ldpv2Options>);
    get input(): Linear;
    get scaling(): readonly Parameter[];
    gridAfter(grid: Grid, rows: number): ImageRows;
    protected compute(rows: tf.Tensor2D, images: readonly ImageRows[]): tf.Tensor2D;
}

/**
 * Scales what a projector ends with so that the mean length of the visual embeddings of `features` equals that of the
 * vocabulary's rows: mean |v| = mean |E|. Then both kinds of rows enter the LLM with the same size.
 *
 * @param features - A sample of what the projector will see, `[N, features]`.
 * @param vocabulary - E, `[V, D]`.
 * @throws {@link BasicError} `E_CONFIG` where nothing scales the rows, or a norm fixes their size.
 */
declare function matchVocabulary(projector: BuiltInProjector, features: VisualRows, vocabulary: tf.Tensor2D): void;

/** Options of the projectors that are products alone. */
interface MlpOptions {
    /** `rms`: each output row is scaled to this root mean square. Default `none`. */
    readonly outputNorm?: "none" | {
        readonly rms: number;
    };
    /** Biases of the products. Default true (false for `pixel-shuffle`, as nanoVLM's). */
    readonly bias?: boolean;
    /** `pixel-shuffle`: side of the square of patches that becomes one row. Default 2. */
    readonly factor?: number;
}
/** Names that stand for a {@link MlpProjector}. */
type MlpName = "identity" | "linear" | "gelu-mlp" | "fused-gelu-mlp" | "pixel-shuffle" | `mlp${number}x_gelu`;
/** Products with GELU (exact) between them, optionally after a pixel shuffle. Parameters `linear_1.*`, `linear_2.*` ... */
declare class MlpProjector extends BuiltInProjector {
    #private;
    readonly outputNorm: "none" | {
        readonly rms: number;
    };
    /** The products, first to last. */
    readonly layers: readonly Linear[];
    /** Side of the square of patches that becomes one row; 1 = every row by itself. */
    readonly factor: number;
    /** Use {@link createProjector}. @param widths - Output width of each product. */
    constructor(name: string, setup: ProjectorSetup & MlpOptions, widths: readonly number[]);
    get input(): Linear | null;
    get scaling(): readonly Parameter[];
    gridAfter(grid: Grid, rows: number): ImageRows;
    protected compute(rows: tf.Tensor2D, images: readonly ImageRows[]): tf.Tensor2D;
}

/** Options of `resampler`. */
declare const resamplerOptions: z.ZodObject<{
    queries: z.ZodDefault<z.ZodInt>;
    depth: z.ZodDefault<z.ZodInt>;
    heads: z.ZodDefault<z.ZodInt>;
    headWidth: z.ZodDefault<z.ZodInt>;
    expansion: z.ZodDefault<z.ZodInt>;
}, z.core.$strict>;
/** Options of `resampler`. */
interface ResamplerOptions {
    /** Rows that each image becomes. Default: 128. */
    readonly queries?: number | undefined;
    /** Layers of attention and feed-forward. Default: 3. */
    readonly depth?: number | undefined;
    /** Attention heads. Default: 8. */
    readonly heads?: number | undefined;
    /** Width of a head. Default: 64. */
    readonly headWidth?: number | undefined;
    /** Width inside of the feed-forward, in widths of the language model. Default: 4. */
    readonly expansion?: number | undefined;
}
/**
 * The perceiver resampler (arXiv:2204.14198) as TinyLLaVA has it: features go through a product, then learned queries
 * attend to them and to each other. Rows are no grid any more. Parameters have the names of TinyLLaVA's checkpoints:
 * `latents` `[queries, D]`, `linear.*`, `layers.0.0.to_q.weight` ..., `layers.0.1.1.weight` ..., `norm.*`.
 */
declare class ResamplerProjector extends BuiltInProjector {
    #private;
    readonly input: Linear;
    /** Use {@link createProjector}. */
    constructor(setup: ProjectorSetup, options: z.output<typeof resamplerOptions>);
    get scaling(): readonly Parameter[];
    gridAfter(_grid: Grid, _rows: number): ImageRows;
    protected compute(rows: tf.Tensor2D, images: readonly ImageRows[]): tf.Tensor2D;
}

/** Options of `vocabulary`. */
declare const vocabularyOptions: z.ZodObject<{
    tokens: z.ZodOptional<z.ZodReadonly<z.ZodArray<z.ZodInt>>>;
    hidden: z.ZodOptional<z.ZodInt>;
    weights: z.ZodDefault<z.ZodEnum<{
        none: "none";
        softmax: "softmax";
    }>>;
}, z.core.$strict>;
/** Options of `vocabulary`. */
interface VocabularyOptions {
    /** Ids of the tokens whose embeddings are mixed. Default: all. */
    readonly tokens?: readonly number[] | undefined;
    /** Width between the products. Default: the language model's. */
    readonly hidden?: number | undefined;
    /** How scores become weights: by a softmax (default), or as they are, as in LangBridge's checkpoints. */
    readonly weights?: "softmax" | "none" | undefined;
}
/**
 * Visual rows as mixtures of word embeddings, after LangBridge (arXiv:2503.19404): a score for each token from
 * `Linear, GELU, Linear, Linear`, then `softmax(scores) · E'` with E' the rows of `tokens` of the LLM's embedding table
 * as it was in the beginning.
 *
 * Parameters have the names of LangBridge's checkpoints, `0.*`, `2.*`, `3.*`, and `vocabulary` `[tokens, D]`, which
 * never trains. Needs a score for each row and token: `[N, tokens]`.
 */
declare class VocabularyProjector extends BuiltInProjector {
    #private;
    readonly input: Linear;
    /**
     * Use {@link createProjector}.
     *
     * @throws {@link BasicError} `E_CONFIG` without a table, `E_INDEX_RANGE` for a token outside of it.
     */
    constructor(setup: ProjectorSetup, options: z.output<typeof vocabularyOptions>);
    /** Mixtures by softmax have the table's own size. */
    get scaling(): readonly Parameter[];
    gridAfter(grid: Grid, rows: number): ImageRows;
    protected compute(rows: tf.Tensor2D): tf.Tensor2D;
}

/** Options of {@link createProjector} for projectors that are products alone. */
interface ProjectorOptions extends ProjectorSetup, MlpOptions {
}
/** Names of the built-in projectors; `mlpNx_gelu` stands for any N from 2. */
declare const projectorNames: readonly string[];
/**
 * Builds a projector by name.
 *
 * - `identity`, `linear`, `mlp2x_gelu` (any number of products: `mlp3x_gelu`): LLaVA's
 * - `gelu-mlp`, `fused-gelu-mlp`: Prismatic's, of two and of three products (arXiv:2402.07865)
 * - `pixel-shuffle`: nanoVLM's
 * - `ldp`, `ldpv2`: MobileVLM's; `c-abstractor`: Honeybee's; `resampler`: TinyLLaVA's; `vocabulary`: after LangBridge
 *
 * @param options - Where it stands, its first values, and its own options.
 * @throws {@link BasicError} `E_NAME_UNKNOWN`, or `E_CONFIG` where the options do not fit.
 */
declare function createProjector(name: MlpName, options: ProjectorOptions): MlpProjector;
declare function createProjector(name: "ldp", options: ProjectorSetup): LdpProjector;
declare function createProjector(name: "ldpv2", options: ProjectorSetup & Ldpv2Options): Ldpv2Projector;
declare function createProjector(name: "c-abstractor", options: ProjectorSetup & CAbstractorOptions): CAbstractorProjector;
declare function createProjector(name: "resampler", options: ProjectorSetup & ResamplerOptions): ResamplerProjector;
declare function createProjector(name: "vocabulary", options: ProjectorSetup & VocabularyOptions): VocabularyProjector;
declare function createProjector(name: string, options: ProjectorSetup & ComponentOptions): BuiltInProjector;
/**
 * The same projector with other values: all of them come from `values`.
 *
 * @param options - Changed ones.
 */
declare function copyProjector(projector: BuiltInProjector, values: ValueSource, options?: ComponentOptions): BuiltInProjector;

/** One vision transformer for CLIP, SigLIP and DINOv2: what tells them apart are fields. */
interface VitConfig {
    /** Side of the square images it was made for, pixels. */
    readonly imageSize: number;
    /** Side of a patch, pixels. */
    readonly patchSize: number;
    readonly width: number;
    /** Number of blocks. */
    readonly depth: number;
    readonly heads: number;
    /** Inner width of the feed-forward layer. */
    readonly inner: number;
    readonly activation: FusedActivation;
    readonly normEpsilon: number;
    /** CLIP: a learned row in front of the patches. */
    readonly classToken: boolean;
    /** CLIP: a layer norm before the first block. */
    readonly preNorm: boolean;
    /** SigLIP: the patch product has a bias. */
    readonly patchBias: boolean;
    /** Learned rows between class token and patches, without a position (DINOv2 with registers). */
    readonly registers: number;
    /** DINOv2: learned factors, 1 at first, on what a block adds. */
    readonly layerScale: boolean;
    /** DINOv2's giant: a gated feed-forward layer, gate and up in one product of width 2 · `inner`. */
    readonly swiglu: boolean;
    /** Bias of the query, key and value products. */
    readonly inputBias: boolean;
    /** Whether position embeddings are smoothed when they are made smaller (DINOv2 with registers). */
    readonly antialias: boolean;
    /** Whose names the parameters have: CLIP's and SigLIP's, or DINOv2's. */
    readonly names: "clip" | "dinov2";
}
/** What {@link clipConfig}, {@link siglipConfig} and {@link dinov2Config} cannot guess. */
type VitSizes = Pick<VitConfig, "imageSize" | "patchSize" | "width" | "depth" | "heads" | "inner">;
/** A CLIP-shaped config: class token, norm before the blocks, quick GELU. */
declare function clipConfig(fields: VitSizes & Partial<VitConfig>): VitConfig;
/** A SigLIP-shaped config: patches only, GELU (tanh). */
declare function siglipConfig(fields: VitSizes & Partial<VitConfig>): VitConfig;
/** A DINOv2-shaped config: class token, layer scale, GELU; `registers` and `antialias` for the one with registers. */
declare function dinov2Config(fields: VitSizes & Partial<VitConfig>): VitConfig;

/**
 * Uses a frozen encoder as a source of features, outside the tape.
 *
 * The id is made of `name`, a hash of all weights as they are now, and the precision of the backend's products: make a new
 * source after training the encoder.
 *
 * @param name - What else decides the features: layer, selection, preprocessing.
 */
declare function createFeatureSource(encoder: VisionEncoder, name: string): Promise<FeatureSource>;
/** A 64-bit hash, in hexadecimal, of the names, shapes and values of all parameters. */
declare function fingerprint(parameters: ParameterSet): Promise<string>;

/**
 * Weights `[n', n]` that resize a grid of position embeddings: `new = W · old`.
 *
 * Bicubic with a = −0.75, no antialiasing, `align_corners` false, border repeated: PyTorch's
 * `interpolate(mode="bicubic")`, which CLIP, SigLIP and DINOv2 use. With `antialias` (DINOv2 with registers) a is −0.5,
 * the kernel grows with the factor of shrinking, and what lies outside is left out.
 *
 * @param from - Rows and columns of the stored grid; n is their product.
 * @param to - Rows and columns wanted; n' is their product.
 * @returns Row-major weights.
 */
declare function bicubicWeights(from: readonly [height: number, width: number], to: readonly [height: number, width: number], { antialias }?: {
    readonly antialias?: boolean;
}): Float32Array;

/** Which rows are features: patches, or the class token (and registers) in front of them as well (LLaVA's names). */
type FeatureSelection = "patch" | "cls_patch";
/** Options of {@link createVit}. */
interface VitOptions {
    /** Seed of the first values. Default 0. */
    readonly seed?: number;
    /** First values; instead of `seed`. */
    readonly values?: ValueSource;
    /** Index into the hidden states, as Hugging Face counts: −2 (default) = output of the second last block. */
    readonly layer?: number;
    /** Default `patch`. */
    readonly select?: FeatureSelection;
}
/**
 * Builds a vision transformer. Parameters have Hugging Face's names, those of CLIP and SigLIP with the `vision_model.`
 * prefix.
 *
 * @throws {@link BasicError} `E_CONFIG` when `layer` is not one of the hidden states.
 */
declare function createVit(config: VitConfig, options?: VitOptions): Vit;
/** CLIP's, SigLIP's or DINOv2's vision transformer over packed rows, one sample per image. */
declare class Vit implements VisionEncoder {
    #private;
    readonly config: VitConfig;
    readonly parameters: ParameterSet;
    /** The products of all blocks by name, for adapters. */
    readonly linears: ReadonlyMap<string, Linear>;
    /** How many blocks {@link encode} runs. */
    readonly blocksRun: number;
    readonly select: FeatureSelection;
    /** Use {@link createVit}. */
    constructor(config: VitConfig, values: ValueSource, run: {
        blocks: number;
        select: FeatureSelection;
    });
    get width(): number;
    get imageSize(): number;
    /**
     * Features of the chosen layer; later blocks are not run.
     *
     * @param pixels - `[B, H, W, 3]`, normalised; H and W multiples of the patch size.
     */
    encode(pixels: tf.Tensor4D): VisualRows;
    /**
     * All hidden states `[B · N, width]` as Hugging Face lists them (input, then each block), class token
     * and registers included, before the final norm.
     */
    hiddenStates(pixels: tf.Tensor4D): readonly tf.Tensor2D[];
    /** The norm after the last block, for whoever wants it. `[R, width]`. */
    finalNorm(x: tf.Tensor2D): tf.Tensor2D;
}

/** The candidate that a mistyped name probably means; undefined where none is close. */
declare function nearestName(name: string, candidates: Iterable<string>): string | undefined;
/** ` Did you mean "x"?`, or nothing where no candidate is close. For the end of an error text. */
declare function didYouMean(name: string, candidates: Iterable<string>): string;

/** Parameters that share a learning rate and a weight decay. */
interface ParameterGroup {
    /** `projector`, `language`, ... */
    readonly name: string;
    readonly parameters: readonly Parameter[];
    readonly learningRate: number;
    /** Default 0. */
    readonly weightDecay?: number;
}
/** What {@link createOptimizer} trains, and how. */
interface OptimizerOptions {
    readonly groups: readonly ParameterGroup[];
    /** Default `[0.9, 0.999]`. */
    readonly betas?: readonly [number, number];
    /** Added to the bias-corrected root. Default 1e-8. */
    readonly epsilon?: number;
    /** Norm of all gradients is clipped to it; 0 (default) turns clipping off. */
    readonly maxNorm?: number;
    /**
     * How the two moments are stored. Default `float32`; `bfloat16` takes half of its memory, `int8` a quarter. Both are
     * rounded at random, by a function of step and element: the same bits in every run.
     */
    readonly moments?: MomentStorage;
    /** Which parameters weight decay applies to. Default: those with two or more dimensions. */
    readonly decays?: (parameter: Parameter) => boolean;
}
/** A moment on the host: values, or int32 words where moments are packed. */
type HostMoment = Float32Array | Int32Array;
/** Everything that a resumed optimizer needs, on the host: exact bytes. */
interface OptimizerState {
    /** Updates done. */
    readonly step: number;
    /** `[2]`: the sticky finite flag, and the number of updates while it was 1. */
    readonly health: Float32Array;
    /** First and second moments by `group/parameter`. */
    readonly first: ReadonlyMap<string, HostMoment>;
    readonly second: ReadonlyMap<string, HostMoment>;
    /** How the moments are stored. Absent: float32. */
    readonly moments?: MomentStorage;
}
/** A moment of one parameter, read from the device when it is asked for. */
interface LazyMoment {
    /** `group/parameter`. */
    readonly key: string;
    readonly which: "first" | "second";
    /** Number of values, or of words. */
    readonly size: number;
    readonly isPacked: boolean;
    /** Its values on the host. A later update may change them. */
    read(): Promise<HostMoment>;
}
/** {@link OptimizerState} whose moments are still on the device. No update may come between two reads. */
interface LazyOptimizerState extends Pick<OptimizerState, "step" | "health" | "moments"> {
    /** All first moments, then all second ones. */
    readonly tensors: readonly LazyMoment[];
}
/** What an update reports. The tensor stays on the device and is the caller's to dispose. */
interface UpdateResult {
    /** Norm of all gradients before clipping, scalar `[]`. */
    readonly norm: tf.Scalar;
}
/** Whether training is still healthy. Reading it waits for the device. */
interface Health {
    /** False once any gradient or loss was NaN or infinite; parameters have not changed since. */
    readonly finite: boolean;
    /** Updates before the first one that was not finite. */
    readonly finiteSteps: number;
}
/** AdamW over several parameter groups. Nothing is read back from the device during an update. */
interface Optimizer {
    /** In the order in which `update` takes the gradients. */
    readonly parameters: readonly Parameter[];
    /** The same, with the name of each one's group. */
    readonly slots: readonly {
        readonly group: string;
        readonly parameter: Parameter;
    }[];
    /** Updates done. */
    readonly step: number;
    /**
     * Does one update.
     *
     * @param gradients - One per parameter; not disposed.
     * @param options - `rate` multiplies every group's learning rate; `loss` takes part in the finite flag.
     */
    update(gradients: readonly tf.Tensor[], options: {
        rate: number;
        loss?: tf.Scalar;
    }): UpdateResult;
    /** Reads back whether any update met a value that is not finite. */
    health(): Promise<Health>;
    /** Moments and step, as exact bytes. */
    exportState(): Promise<OptimizerState>;
    /** {@link exportState} for a writer that has few moments in memory at a time. */
    openState(): Promise<LazyOptimizerState>;
    /**
     * @throws {@link BasicError} `E_CHECKPOINT_CORRUPT` where a moment is missing or has another size,
     * `E_RESUME_CHANGED` where moments are stored in another way.
     */
    importState(state: OptimizerState): void;
    /** Frees the moments. */
    dispose(): void;
}
/** Makes an optimizer with moments of zero. */
declare function createOptimizer(options: OptimizerOptions): Optimizer;

/**
 * Euclidean norm of all tensors together, on the device: a scalar `[]`, not read back.
 *
 * @param tensors - At least one, any shapes.
 */
declare function globalNorm(tensors: readonly tf.Tensor[]): tf.Scalar;
/**
 * What gradients are multiplied by so that their norm is at most `maxNorm`: min(1, maxNorm / (norm + 1e-6)).
 *
 * As PyTorch's `clip_grad_norm_`, which needs no branch and so no readback.
 *
 * @param norm - Scalar `[]`.
 * @param maxNorm - 0 turns clipping off.
 */
declare function clipFactor(norm: tf.Scalar, maxNorm: number): tf.Scalar;

/** How the learning rate falls after the warm-up. */
type ScheduleKind = "cosine" | "linear" | "constant";
/** A learning-rate curve of one stage. */
interface Schedule {
    readonly kind: ScheduleKind;
    /** Optimizer steps of the stage. */
    readonly steps: number;
    /** Steps of linear warm-up, from 0. */
    readonly warmupSteps: number;
    /** Factor at the end, 0 to 1; `constant` ignores it. */
    readonly floor: number;
}
/** Warm-up as a number of steps, or as a share of the stage (`ceil(ratio * steps)`, as Hugging Face counts it). */
type Warmup = number | {
    readonly ratio: number;
};
/** Turns a warm-up of a recipe into steps. */
declare function resolveWarmup(warmup: Warmup, steps: number): number;
/**
 * What the learning rate is multiplied by at an optimizer step (from 0).
 *
 * Warm-up is `step / warmupSteps`, so step 0 has factor 0, as in Hugging Face's schedules.
 */
declare function learningRateFactor(step: number, schedule: Schedule): number;

/** A multimodal LLM: encoder, projector, language model, visual losses. */
declare const vlmSchema: z.ZodObject<{
    model: z.ZodObject<{
        vision: z.ZodPipe<z.ZodUnion<readonly [z.ZodString, z.ZodObject<{
            name: z.ZodString;
            options: z.ZodDefault<z.ZodRecord<z.ZodString, z.ZodUnknown>>;
        }, z.core.$strict>]>, z.ZodTransform<{
            name: string;
            options: Record<string, unknown>;
        }, string | {
            name: string;
            options: Record<string, unknown>;
        }>>;
        imageAspectRatio: z.ZodOptional<z.ZodEnum<{
            square: "square";
            pad: "pad";
            anyres: "anyres";
        }>>;
        imageGridPinpoints: z.ZodOptional<z.ZodArray<z.ZodTuple<[z.ZodInt, z.ZodInt], null>>>;
        visionLayer: z.ZodDefault<z.ZodInt>;
        projector: z.ZodPrefault<z.ZodPipe<z.ZodUnion<readonly [z.ZodString, z.ZodObject<{
            name: z.ZodString;
            options: z.ZodDefault<z.ZodRecord<z.ZodString, z.ZodUnknown>>;
            from: z.ZodOptional<z.ZodString>;
        }, z.core.$strict>]>, z.ZodTransform<{
            name: string;
            options: Record<string, unknown>;
            from?: string | undefined;
        }, string | {
            name: string;
            options: Record<string, unknown>;
            from?: string | undefined;
        }>>>;
        projectorInit: z.ZodDefault<z.ZodEnum<{
            default: "default";
            "match-vocabulary": "match-vocabulary";
        }>>;
        language: z.ZodPipe<z.ZodUnion<readonly [z.ZodString, z.ZodObject<{
            name: z.ZodString;
            options: z.ZodDefault<z.ZodRecord<z.ZodString, z.ZodUnknown>>;
        }, z.core.$strict>]>, z.ZodTransform<{
            name: string;
            options: Record<string, unknown>;
        }, string | {
            name: string;
            options: Record<string, unknown>;
        }>>;
        lora: z.ZodOptional<z.ZodObject<{
            rank: z.ZodInt;
            alpha: z.ZodNumber;
            dropout: z.ZodDefault<z.ZodNumber>;
            targets: z.ZodDefault<z.ZodUnion<readonly [z.ZodLiteral<"all-linear">, z.ZodArray<z.ZodString>]>>;
            rankStabilised: z.ZodDefault<z.ZodBoolean>;
            from: z.ZodOptional<z.ZodString>;
        }, z.core.$strict>>;
        recompute: z.ZodOptional<z.ZodBoolean>;
        tokenizer: z.ZodOptional<z.ZodPipe<z.ZodUnion<readonly [z.ZodString, z.ZodObject<{
            name: z.ZodString;
            options: z.ZodDefault<z.ZodRecord<z.ZodString, z.ZodUnknown>>;
        }, z.core.$strict>]>, z.ZodTransform<{
            name: string;
            options: Record<string, unknown>;
        }, string | {
            name: string;
            options: Record<string, unknown>;
        }>>>;
    }, z.core.$strict>;
    stages: z.ZodRecord<z.ZodString, z.ZodObject<{
        train: z.ZodArray<z.ZodString>;
        data: z.ZodOptional<z.ZodString>;
        template: z.ZodDefault<z.ZodString>;
        steps: z.ZodUnion<readonly [z.ZodInt, z.ZodObject<{
            epochs: z.ZodNumber;
        }, z.core.$strict>]>;
        batchSize: z.ZodDefault<z.ZodInt>;
        accumulate: z.ZodDefault<z.ZodInt>;
        rowBudget: z.ZodDefault<z.ZodInt>;
        learningRate: z.ZodUnion<readonly [z.ZodNumber, z.ZodRecord<z.ZodString, z.ZodNumber>]>;
        schedule: z.ZodPrefault<z.ZodPipe<z.ZodUnion<readonly [z.ZodEnum<{
            linear: "linear";
            constant: "constant";
            cosine: "cosine";
        }>, z.ZodObject<{
            kind: z.ZodEnum<{
                linear: "linear";
                constant: "constant";
                cosine: "cosine";
            }>;
            floor: z.ZodDefault<z.ZodNumber>;
        }, z.core.$strict>]>, z.ZodTransform<{
            kind: "linear" | "constant" | "cosine";
            floor: number;
        }, "linear" | "constant" | "cosine" | {
            kind: "linear" | "constant" | "cosine";
            floor: number;
        }>>>;
        warmup: z.ZodPrefault<z.ZodUnion<readonly [z.ZodInt, z.ZodObject<{
            ratio: z.ZodNumber;
        }, z.core.$strict>]>>;
        betas: z.ZodDefault<z.ZodTuple<[z.ZodNumber, z.ZodNumber], null>>;
        epsilon: z.ZodDefault<z.ZodNumber>;
        moments: z.ZodOptional<z.ZodEnum<{
            float32: "float32";
            bfloat16: "bfloat16";
            int8: "int8";
        }>>;
        weightDecay: z.ZodDefault<z.ZodUnion<readonly [z.ZodNumber, z.ZodRecord<z.ZodString, z.ZodNumber>]>>;
        shuffle: z.ZodDefault<z.ZodBoolean>;
        grouping: z.ZodOptional<z.ZodEnum<{
            none: "none";
            "modality-length": "modality-length";
        }>>;
        packing: z.ZodOptional<z.ZodEnum<{
            none: "none";
            rows: "rows";
        }>>;
        prefetch: z.ZodOptional<z.ZodInt>;
        maxNorm: z.ZodDefault<z.ZodNumber>;
        losses: z.ZodPipe<z.ZodPrefault<z.ZodRecord<z.ZodString, z.ZodPipe<z.ZodUnion<readonly [z.ZodNumber, z.ZodObject<{
            weight: z.ZodNumber;
            start: z.ZodDefault<z.ZodInt>;
            ramp: z.ZodDefault<z.ZodInt>;
            options: z.ZodDefault<z.ZodRecord<z.ZodString, z.ZodUnknown>>;
        }, z.core.$strict>]>, z.ZodTransform<{
            weight: number;
            start: number;
            ramp: number;
            options: Record<string, unknown>;
        }, number | {
            weight: number;
            start: number;
            ramp: number;
            options: Record<string, unknown>;
        }>>>>, z.ZodTransform<{
            [x: string]: {
                weight: number;
                start: number;
                ramp: number;
                options: Record<string, unknown>;
            } | {
                weight: number;
                start: number;
                ramp: number;
                options: {};
            };
        }, Record<string, {
            weight: number;
            start: number;
            ramp: number;
            options: Record<string, unknown>;
        }>>>;
        lossReduction: z.ZodDefault<z.ZodEnum<{
            global: "global";
            "mean-of-means": "mean-of-means";
        }>>;
        evaluateEvery: z.ZodDefault<z.ZodInt>;
        checkpointEvery: z.ZodDefault<z.ZodInt>;
        logEvery: z.ZodDefault<z.ZodInt>;
    }, z.core.$strict>>;
    features: z.ZodPrefault<z.ZodObject<{
        cache: z.ZodDefault<z.ZodBoolean>;
        standardise: z.ZodDefault<z.ZodBoolean>;
    }, z.core.$strict>>;
    supervision: z.ZodPrefault<z.ZodObject<{
        depth: z.ZodDefault<z.ZodNullable<z.ZodInt>>;
        layerWeights: z.ZodDefault<z.ZodEnum<{
            constant: "constant";
            increasing: "increasing";
            decreasing: "decreasing";
        }>>;
        normalise: z.ZodDefault<z.ZodEnum<{
            sum: "sum";
            none: "none";
            mean: "mean";
            uniform: "uniform";
        }>>;
        stopGradient: z.ZodDefault<z.ZodBoolean>;
        vocabulary: z.ZodDefault<z.ZodEnum<{
            input: "input";
            head: "head";
        }>>;
    }, z.core.$strict>>;
    name: z.ZodString;
    description: z.ZodDefault<z.ZodString>;
    seed: z.ZodDefault<z.ZodInt>;
    backend: z.ZodDefault<z.ZodString>;
    fallback: z.ZodDefault<z.ZodEnum<{
        error: "error";
        reference: "reference";
    }>>;
    precision: z.ZodOptional<z.ZodEnum<{
        f32: "f32";
        tf32: "tf32";
        bf16: "bf16";
    }>>;
    plugins: z.ZodDefault<z.ZodArray<z.ZodString>>;
    data: z.ZodObject<{
        folder: z.ZodOptional<z.ZodString>;
        builder: z.ZodOptional<z.ZodPipe<z.ZodUnion<readonly [z.ZodString, z.ZodObject<{
            name: z.ZodString;
            options: z.ZodDefault<z.ZodRecord<z.ZodString, z.ZodUnknown>>;
        }, z.core.$strict>]>, z.ZodTransform<{
            name: string;
            options: Record<string, unknown>;
        }, string | {
            name: string;
            options: Record<string, unknown>;
        }>>>;
        train: z.ZodRecord<z.ZodString, z.ZodPipe<z.ZodUnion<readonly [z.ZodString, z.ZodObject<{
            file: z.ZodString;
            images: z.ZodOptional<z.ZodString>;
            limit: z.ZodOptional<z.ZodInt>;
        }, z.core.$strict>]>, z.ZodTransform<{
            file: string;
            images?: string | undefined;
            limit?: number | undefined;
        }, string | {
            file: string;
            images?: string | undefined;
            limit?: number | undefined;
        }>>>;
        evaluation: z.ZodDefault<z.ZodRecord<z.ZodString, z.ZodPipe<z.ZodUnion<readonly [z.ZodString, z.ZodObject<{
            file: z.ZodString;
            images: z.ZodOptional<z.ZodString>;
            limit: z.ZodOptional<z.ZodInt>;
        }, z.core.$strict>]>, z.ZodTransform<{
            file: string;
            images?: string | undefined;
            limit?: number | undefined;
        }, string | {
            file: string;
            images?: string | undefined;
            limit?: number | undefined;
        }>>>>;
        onImageError: z.ZodDefault<z.ZodEnum<{
            error: "error";
            "skip-and-count": "skip-and-count";
        }>>;
        decode: z.ZodOptional<z.ZodObject<{
            background: z.ZodOptional<z.ZodLiteral<"white">>;
            pixelLimit: z.ZodOptional<z.ZodInt>;
            svg: z.ZodOptional<z.ZodBoolean>;
        }, z.core.$strict>>;
        workers: z.ZodOptional<z.ZodInt>;
    }, z.core.$strict>;
    evaluation: z.ZodPrefault<z.ZodObject<{
        sets: z.ZodOptional<z.ZodArray<z.ZodString>>;
        batchSize: z.ZodDefault<z.ZodInt>;
        limit: z.ZodOptional<z.ZodInt>;
        duringTraining: z.ZodOptional<z.ZodInt>;
        blind: z.ZodDefault<z.ZodBoolean>;
        analysis: z.ZodDefault<z.ZodBoolean>;
    }, z.core.$strict>>;
    task: z.ZodDefault<z.ZodLiteral<"vlm">>;
}, z.core.$strict>;
/** Pretraining of a language model. */
declare const languageSchema: z.ZodObject<{
    model: z.ZodObject<{
        language: z.ZodPipe<z.ZodUnion<readonly [z.ZodString, z.ZodObject<{
            name: z.ZodString;
            options: z.ZodDefault<z.ZodRecord<z.ZodString, z.ZodUnknown>>;
        }, z.core.$strict>]>, z.ZodTransform<{
            name: string;
            options: Record<string, unknown>;
        }, string | {
            name: string;
            options: Record<string, unknown>;
        }>>;
        recompute: z.ZodOptional<z.ZodBoolean>;
        tokenizer: z.ZodPipe<z.ZodUnion<readonly [z.ZodString, z.ZodObject<{
            name: z.ZodString;
            options: z.ZodDefault<z.ZodRecord<z.ZodString, z.ZodUnknown>>;
        }, z.core.$strict>]>, z.ZodTransform<{
            name: string;
            options: Record<string, unknown>;
        }, string | {
            name: string;
            options: Record<string, unknown>;
        }>>;
    }, z.core.$strict>;
    stages: z.ZodRecord<z.ZodString, z.ZodObject<{
        train: z.ZodArray<z.ZodString>;
        data: z.ZodOptional<z.ZodString>;
        template: z.ZodDefault<z.ZodString>;
        steps: z.ZodUnion<readonly [z.ZodInt, z.ZodObject<{
            epochs: z.ZodNumber;
        }, z.core.$strict>]>;
        batchSize: z.ZodDefault<z.ZodInt>;
        accumulate: z.ZodDefault<z.ZodInt>;
        rowBudget: z.ZodDefault<z.ZodInt>;
        learningRate: z.ZodUnion<readonly [z.ZodNumber, z.ZodRecord<z.ZodString, z.ZodNumber>]>;
        schedule: z.ZodPrefault<z.ZodPipe<z.ZodUnion<readonly [z.ZodEnum<{
            linear: "linear";
            constant: "constant";
            cosine: "cosine";
        }>, z.ZodObject<{
            kind: z.ZodEnum<{
                linear: "linear";
                constant: "constant";
                cosine: "cosine";
            }>;
            floor: z.ZodDefault<z.ZodNumber>;
        }, z.core.$strict>]>, z.ZodTransform<{
            kind: "linear" | "constant" | "cosine";
            floor: number;
        }, "linear" | "constant" | "cosine" | {
            kind: "linear" | "constant" | "cosine";
            floor: number;
        }>>>;
        warmup: z.ZodPrefault<z.ZodUnion<readonly [z.ZodInt, z.ZodObject<{
            ratio: z.ZodNumber;
        }, z.core.$strict>]>>;
        betas: z.ZodDefault<z.ZodTuple<[z.ZodNumber, z.ZodNumber], null>>;
        epsilon: z.ZodDefault<z.ZodNumber>;
        moments: z.ZodOptional<z.ZodEnum<{
            float32: "float32";
            bfloat16: "bfloat16";
            int8: "int8";
        }>>;
        weightDecay: z.ZodDefault<z.ZodUnion<readonly [z.ZodNumber, z.ZodRecord<z.ZodString, z.ZodNumber>]>>;
        shuffle: z.ZodDefault<z.ZodBoolean>;
        grouping: z.ZodOptional<z.ZodEnum<{
            none: "none";
            "modality-length": "modality-length";
        }>>;
        packing: z.ZodOptional<z.ZodEnum<{
            none: "none";
            rows: "rows";
        }>>;
        prefetch: z.ZodOptional<z.ZodInt>;
        maxNorm: z.ZodDefault<z.ZodNumber>;
        losses: z.ZodPipe<z.ZodPrefault<z.ZodRecord<z.ZodString, z.ZodPipe<z.ZodUnion<readonly [z.ZodNumber, z.ZodObject<{
            weight: z.ZodNumber;
            start: z.ZodDefault<z.ZodInt>;
            ramp: z.ZodDefault<z.ZodInt>;
            options: z.ZodDefault<z.ZodRecord<z.ZodString, z.ZodUnknown>>;
        }, z.core.$strict>]>, z.ZodTransform<{
            weight: number;
            start: number;
            ramp: number;
            options: Record<string, unknown>;
        }, number | {
            weight: number;
            start: number;
            ramp: number;
            options: Record<string, unknown>;
        }>>>>, z.ZodTransform<{
            [x: string]: {
                weight: number;
                start: number;
                ramp: number;
                options: Record<string, unknown>;
            } | {
                weight: number;
                start: number;
                ramp: number;
                options: {};
            };
        }, Record<string, {
            weight: number;
            start: number;
            ramp: number;
            options: Record<string, unknown>;
        }>>>;
        lossReduction: z.ZodDefault<z.ZodEnum<{
            global: "global";
            "mean-of-means": "mean-of-means";
        }>>;
        evaluateEvery: z.ZodDefault<z.ZodInt>;
        checkpointEvery: z.ZodDefault<z.ZodInt>;
        logEvery: z.ZodDefault<z.ZodInt>;
    }, z.core.$strict>>;
    name: z.ZodString;
    description: z.ZodDefault<z.ZodString>;
    seed: z.ZodDefault<z.ZodInt>;
    backend: z.ZodDefault<z.ZodString>;
    fallback: z.ZodDefault<z.ZodEnum<{
        error: "error";
        reference: "reference";
    }>>;
    precision: z.ZodOptional<z.ZodEnum<{
        f32: "f32";
        tf32: "tf32";
        bf16: "bf16";
    }>>;
    plugins: z.ZodDefault<z.ZodArray<z.ZodString>>;
    data: z.ZodObject<{
        folder: z.ZodOptional<z.ZodString>;
        builder: z.ZodOptional<z.ZodPipe<z.ZodUnion<readonly [z.ZodString, z.ZodObject<{
            name: z.ZodString;
            options: z.ZodDefault<z.ZodRecord<z.ZodString, z.ZodUnknown>>;
        }, z.core.$strict>]>, z.ZodTransform<{
            name: string;
            options: Record<string, unknown>;
        }, string | {
            name: string;
            options: Record<string, unknown>;
        }>>>;
        train: z.ZodRecord<z.ZodString, z.ZodPipe<z.ZodUnion<readonly [z.ZodString, z.ZodObject<{
            file: z.ZodString;
            images: z.ZodOptional<z.ZodString>;
            limit: z.ZodOptional<z.ZodInt>;
        }, z.core.$strict>]>, z.ZodTransform<{
            file: string;
            images?: string | undefined;
            limit?: number | undefined;
        }, string | {
            file: string;
            images?: string | undefined;
            limit?: number | undefined;
        }>>>;
        evaluation: z.ZodDefault<z.ZodRecord<z.ZodString, z.ZodPipe<z.ZodUnion<readonly [z.ZodString, z.ZodObject<{
            file: z.ZodString;
            images: z.ZodOptional<z.ZodString>;
            limit: z.ZodOptional<z.ZodInt>;
        }, z.core.$strict>]>, z.ZodTransform<{
            file: string;
            images?: string | undefined;
            limit?: number | undefined;
        }, string | {
            file: string;
            images?: string | undefined;
            limit?: number | undefined;
        }>>>>;
        onImageError: z.ZodDefault<z.ZodEnum<{
            error: "error";
            "skip-and-count": "skip-and-count";
        }>>;
        decode: z.ZodOptional<z.ZodObject<{
            background: z.ZodOptional<z.ZodLiteral<"white">>;
            pixelLimit: z.ZodOptional<z.ZodInt>;
            svg: z.ZodOptional<z.ZodBoolean>;
        }, z.core.$strict>>;
        workers: z.ZodOptional<z.ZodInt>;
    }, z.core.$strict>;
    evaluation: z.ZodPrefault<z.ZodObject<{
        sets: z.ZodOptional<z.ZodArray<z.ZodString>>;
        batchSize: z.ZodDefault<z.ZodInt>;
        limit: z.ZodOptional<z.ZodInt>;
        duringTraining: z.ZodOptional<z.ZodInt>;
        blind: z.ZodDefault<z.ZodBoolean>;
        analysis: z.ZodDefault<z.ZodBoolean>;
    }, z.core.$strict>>;
    task: z.ZodLiteral<"language">;
}, z.core.$strict>;
/** Contrastive pretraining of a vision encoder on regions and texts. */
declare const regionTextSchema: z.ZodObject<{
    model: z.ZodObject<{
        vision: z.ZodPipe<z.ZodUnion<readonly [z.ZodString, z.ZodObject<{
            name: z.ZodString;
            options: z.ZodDefault<z.ZodRecord<z.ZodString, z.ZodUnknown>>;
        }, z.core.$strict>]>, z.ZodTransform<{
            name: string;
            options: Record<string, unknown>;
        }, string | {
            name: string;
            options: Record<string, unknown>;
        }>>;
    }, z.core.$strict>;
    stages: z.ZodRecord<z.ZodString, z.ZodObject<{
        train: z.ZodArray<z.ZodString>;
        data: z.ZodOptional<z.ZodString>;
        template: z.ZodDefault<z.ZodString>;
        steps: z.ZodUnion<readonly [z.ZodInt, z.ZodObject<{
            epochs: z.ZodNumber;
        }, z.core.$strict>]>;
        batchSize: z.ZodDefault<z.ZodInt>;
        accumulate: z.ZodDefault<z.ZodInt>;
        rowBudget: z.ZodDefault<z.ZodInt>;
        learningRate: z.ZodUnion<readonly [z.ZodNumber, z.ZodRecord<z.ZodString, z.ZodNumber>]>;
        schedule: z.ZodPrefault<z.ZodPipe<z.ZodUnion<readonly [z.ZodEnum<{
            linear: "linear";
            constant: "constant";
            cosine: "cosine";
        }>, z.ZodObject<{
            kind: z.ZodEnum<{
                linear: "linear";
                constant: "constant";
                cosine: "cosine";
            }>;
            floor: z.ZodDefault<z.ZodNumber>;
        }, z.core.$strict>]>, z.ZodTransform<{
            kind: "linear" | "constant" | "cosine";
            floor: number;
        }, "linear" | "constant" | "cosine" | {
            kind: "linear" | "constant" | "cosine";
            floor: number;
        }>>>;
        warmup: z.ZodPrefault<z.ZodUnion<readonly [z.ZodInt, z.ZodObject<{
            ratio: z.ZodNumber;
        }, z.core.$strict>]>>;
        betas: z.ZodDefault<z.ZodTuple<[z.ZodNumber, z.ZodNumber], null>>;
        epsilon: z.ZodDefault<z.ZodNumber>;
        moments: z.ZodOptional<z.ZodEnum<{
            float32: "float32";
            bfloat16: "bfloat16";
            int8: "int8";
        }>>;
        weightDecay: z.ZodDefault<z.ZodUnion<readonly [z.ZodNumber, z.ZodRecord<z.ZodString, z.ZodNumber>]>>;
        shuffle: z.ZodDefault<z.ZodBoolean>;
        grouping: z.ZodOptional<z.ZodEnum<{
            none: "none";
            "modality-length": "modality-length";
        }>>;
        packing: z.ZodOptional<z.ZodEnum<{
            none: "none";
            rows: "rows";
        }>>;
        prefetch: z.ZodOptional<z.ZodInt>;
        maxNorm: z.ZodDefault<z.ZodNumber>;
        losses: z.ZodPipe<z.ZodPrefault<z.ZodRecord<z.ZodString, z.ZodPipe<z.ZodUnion<readonly [z.ZodNumber, z.ZodObject<{
            weight: z.ZodNumber;
            start: z.ZodDefault<z.ZodInt>;
            ramp: z.ZodDefault<z.ZodInt>;
            options: z.ZodDefault<z.ZodRecord<z.ZodString, z.ZodUnknown>>;
        }, z.core.$strict>]>, z.ZodTransform<{
            weight: number;
            start: number;
            ramp: number;
            options: Record<string, unknown>;
        }, number | {
            weight: number;
            start: number;
            ramp: number;
            options: Record<string, unknown>;
        }>>>>, z.ZodTransform<{
            [x: string]: {
                weight: number;
                start: number;
                ramp: number;
                options: Record<string, unknown>;
            } | {
                weight: number;
                start: number;
                ramp: number;
                options: {};
            };
        }, Record<string, {
            weight: number;
            start: number;
            ramp: number;
            options: Record<string, unknown>;
        }>>>;
        lossReduction: z.ZodDefault<z.ZodEnum<{
            global: "global";
            "mean-of-means": "mean-of-means";
        }>>;
        evaluateEvery: z.ZodDefault<z.ZodInt>;
        checkpointEvery: z.ZodDefault<z.ZodInt>;
        logEvery: z.ZodDefault<z.ZodInt>;
    }, z.core.$strict>>;
    contrastive: z.ZodPrefault<z.ZodObject<{
        regions: z.ZodDefault<z.ZodInt>;
        labelSmoothing: z.ZodDefault<z.ZodNumber>;
        scale: z.ZodDefault<z.ZodNumber>;
        tagDrop: z.ZodDefault<z.ZodNumber>;
        jitter: z.ZodDefault<z.ZodNumber>;
    }, z.core.$strict>>;
    name: z.ZodString;
    description: z.ZodDefault<z.ZodString>;
    seed: z.ZodDefault<z.ZodInt>;
    backend: z.ZodDefault<z.ZodString>;
    fallback: z.ZodDefault<z.ZodEnum<{
        error: "error";
        reference: "reference";
    }>>;
    precision: z.ZodOptional<z.ZodEnum<{
        f32: "f32";
        tf32: "tf32";
        bf16: "bf16";
    }>>;
    plugins: z.ZodDefault<z.ZodArray<z.ZodString>>;
    data: z.ZodObject<{
        folder: z.ZodOptional<z.ZodString>;
        builder: z.ZodOptional<z.ZodPipe<z.ZodUnion<readonly [z.ZodString, z.ZodObject<{
            name: z.ZodString;
            options: z.ZodDefault<z.ZodRecord<z.ZodString, z.ZodUnknown>>;
        }, z.core.$strict>]>, z.ZodTransform<{
            name: string;
            options: Record<string, unknown>;
        }, string | {
            name: string;
            options: Record<string, unknown>;
        }>>>;
        train: z.ZodRecord<z.ZodString, z.ZodPipe<z.ZodUnion<readonly [z.ZodString, z.ZodObject<{
            file: z.ZodString;
            images: z.ZodOptional<z.ZodString>;
            limit: z.ZodOptional<z.ZodInt>;
        }, z.core.$strict>]>, z.ZodTransform<{
            file: string;
            images?: string | undefined;
            limit?: number | undefined;
        }, string | {
            file: string;
            images?: string | undefined;
            limit?: number | undefined;
        }>>>;
        evaluation: z.ZodDefault<z.ZodRecord<z.ZodString, z.ZodPipe<z.ZodUnion<readonly [z.ZodString, z.ZodObject<{
            file: z.ZodString;
            images: z.ZodOptional<z.ZodString>;
            limit: z.ZodOptional<z.ZodInt>;
        }, z.core.$strict>]>, z.ZodTransform<{
            file: string;
            images?: string | undefined;
            limit?: number | undefined;
        }, string | {
            file: string;
            images?: string | undefined;
            limit?: number | undefined;
        }>>>>;
        onImageError: z.ZodDefault<z.ZodEnum<{
            error: "error";
            "skip-and-count": "skip-and-count";
        }>>;
        decode: z.ZodOptional<z.ZodObject<{
            background: z.ZodOptional<z.ZodLiteral<"white">>;
            pixelLimit: z.ZodOptional<z.ZodInt>;
            svg: z.ZodOptional<z.ZodBoolean>;
        }, z.core.$strict>>;
        workers: z.ZodOptional<z.ZodInt>;
    }, z.core.$strict>;
    evaluation: z.ZodPrefault<z.ZodObject<{
        sets: z.ZodOptional<z.ZodArray<z.ZodString>>;
        batchSize: z.ZodDefault<z.ZodInt>;
        limit: z.ZodOptional<z.ZodInt>;
        duringTraining: z.ZodOptional<z.ZodInt>;
        blind: z.ZodDefault<z.ZodBoolean>;
        analysis: z.ZodDefault<z.ZodBoolean>;
    }, z.core.$strict>>;
    task: z.ZodLiteral<"region-text">;
}, z.core.$strict>;

/** What a recipe trains. */
type RecipeTask = "vlm" | "language" | "region-text";
/** A recipe for a multimodal LLM with every field present. */
type VlmRecipe = z.output<typeof vlmSchema>;
/** A recipe for language-model pretraining with every field present. */
type LanguageRecipe = z.output<typeof languageSchema>;
/** A recipe for contrastive encoder training with every field present. */
type RegionTextRecipe = z.output<typeof regionTextSchema>;
/** What the trainer receives: every field present. */
type Recipe = VlmRecipe | LanguageRecipe | RegionTextRecipe;
/** What an author may write: fields with a default are optional, `task` too for a multimodal LLM. */
type RecipeInput = z.input<typeof vlmSchema> | z.input<typeof languageSchema> | z.input<typeof regionTextSchema>;
/** One stage of a recipe with every field present. */
type RecipeStage = Recipe["stages"][string];
/** λ of a loss over the steps of a stage. */
type LossWeight = RecipeStage["losses"][string];
/**
 * Checks a recipe where it is written, so that a typo never reaches the first step.
 *
 * @throws {@link BasicError} `E_RECIPE_INVALID`.
 */
declare function defineRecipe(input: z.input<typeof vlmSchema>): VlmRecipe;
declare function defineRecipe(input: z.input<typeof languageSchema>): LanguageRecipe;
declare function defineRecipe(input: z.input<typeof regionTextSchema>): RegionTextRecipe;
/**
 * Checks anything that claims to be a recipe (a YAML or JSON file) and fills in the defaults.
 *
 * @throws {@link BasicError} `E_RECIPE_INVALID`: every problem with its place, and the nearest known key.
 */
declare function parseRecipe(input: unknown): Recipe;
/** Describes recipes for editors: a JSON Schema of what an author may write. */
declare function recipeJsonSchema(): Record<string, unknown>;
/** Optimizer steps of a stage over a data set of `size` samples, whatever the number of processes that train it. */
declare function resolveSteps(stage: RecipeStage, size: number): number;

/** One field in which two recipes differ. `undefined`: absent there. */
interface RecipeDifference {
    /** For example `stages.align.steps`. */
    readonly path: string;
    readonly before: unknown;
    readonly after: unknown;
}
/** Compares two recipes field by field, in the order of the first one's fields. */
declare function diffRecipes(before: unknown, after: unknown): readonly RecipeDifference[];
/** One line per difference: `stages.align.steps: 100 → 200`. */
declare function formatDifferences(differences: readonly RecipeDifference[]): string;
/**
 * Changes single fields of a recipe, as `--set` does: `stages.align.steps=100`.
 *
 * Values are JSON where they parse as JSON, else text.
 *
 * @param assignments - In order; a later one wins.
 * @throws {@link BasicError} `E_RECIPE_INVALID` for an unknown field or a value out of range.
 */
declare function applyOverrides(recipe: Recipe, assignments: readonly string[]): Recipe;

/** Formats a shape the way docstrings write it: `[2, 576, 4096]`. */
declare function formatShape(shape: readonly number[]): string;
/**
 * Binds letters to dimension sizes and checks that repeated letters agree.
 *
 * @param where - Public function name, printed first in the error.
 * @param specs - Argument name to `[letters, shape]`, for example `{ initial: ["BND", [2, 4, 8]] }`.
 * @returns The bound sizes, for example `{ B: 2, N: 4, D: 8 }`.
 * @throws {@link BasicError} `E_SHAPE` on a wrong rank or a letter bound to two sizes.
 */
declare function bindShapes(where: string, specs: Readonly<Record<string, readonly [letters: string, shape: readonly number[]]>>): Readonly<Record<string, number>>;

/**
 * Processes that train one model together. The loop calls every method on all ranks, in the same order.
 *
 * The default is {@link singleProcess}; an adapter for an existing engine (MPI, NCCL) implements the rest.
 */
interface Collective {
    /** This process, from 0. Rank 0 writes metrics and checkpoints. */
    readonly rank: number;
    /** Number of processes. */
    readonly size: number;
    /** Sums host numbers over all ranks. */
    sumNumbers(values: readonly number[]): Promise<readonly number[]>;
    /** Sums tensors over all ranks. Takes ownership of its arguments; the results are the caller's. */
    sumTensors(tensors: readonly tf.Tensor[]): Promise<readonly tf.Tensor[]>;
    /** Gives every rank the bytes of rank 0; the others pass null. */
    broadcast(bytes: Uint8Array | null): Promise<Uint8Array | null>;
    /** Waits until all ranks are here. */
    barrier(): Promise<void>;
}
/** One process: every collective is the identity. */
declare const singleProcess: Collective;

/** What a loss part is divided by: counted over all micro-batches and ranks of a step before the first forward. */
type Denominator = "tokens" | "samples";
/** One term of the training loss for one micro-batch. */
interface LossPart {
    /** `language`, `direction`, ... : the name in metrics and recipes. */
    readonly name: string;
    /** Scalar `[]`, a sum, not a mean. */
    readonly sum: tf.Scalar;
    readonly per: Denominator;
    /** λ of the part at this step. 0: computed and logged, without gradient. */
    readonly weight: number;
}
/** Totals of one micro-batch, counted on the host. */
interface Counts {
    /** Supervised tokens (or their summed weights). */
    readonly tokens: number;
    /** Samples with an image. */
    readonly samples: number;
}
/** Where a step stands. */
interface StepPosition {
    readonly stage: string;
    /** Optimizer step in the stage, from 0. */
    readonly step: number;
    readonly steps: number;
}
/** What is trained: maps a micro-batch to loss parts. The loop knows nothing else of the model. */
interface Objective<Batch> {
    /** `vision`, `projector`, `language`, `losses`: what a stage's `train` may name. */
    readonly groups: Readonly<Record<string, ParameterSet>>;
    /** Counted on the host, before any device work. */
    count(batch: Batch): Counts;
    /** Runs on the tape. Called once per micro-batch. */
    parts(batch: Batch, position: StepPosition): readonly LossPart[];
    /** Diagnostics of this batch (norms, cosines, matches), without gradient. Called at log steps. */
    diagnose?(batch: Batch, position: StepPosition): Promise<Readonly<Record<string, number>>>;
    /** Runs what `diagnose` runs on the device, reads nothing and leaves nothing behind: its kernels can be compiled before. */
    walkDiagnostics?(batch: Batch, position: StepPosition): void;
}
/** What grouping and packing look at, for each sample. */
interface SampleSizes {
    /** Rows at the language model's input. */
    readonly rows: ArrayLike<number>;
    /** 1 for a sample that shows images, else 0. */
    readonly visual: ArrayLike<number>;
    /** Name of a sample, for messages. Default: its number. */
    readonly id?: (index: number) => string;
}
/** Samples in a fixed order; the loop picks them by index from (seed, stage, step) alone. */
interface TrainingData<Batch> {
    readonly size: number;
    /** Builds a micro-batch. Must depend on the arguments alone. */
    batch(indices: Int32Array, position: StepPosition): Promise<Batch>;
    /** The samples that take the most rows, largest first; absent where samples are alike. For predictions of memory. */
    readonly heaviest?: (count: number) => Int32Array;
    /** Of all samples, for stages with `grouping` or `packing`. The same each time it is asked for. */
    sizes?(): SampleSizes;
}

/**
 * Ranks take equal numbers of the micro-batches that a stage says, or of its packed samples.
 *
 * @param size - Number of ranks.
 * @throws {@link BasicError} `E_CONFIG` where they cannot, with a way to write the same step, or the nearest one.
 */
declare function requireEqualShares(stageName: string, { batchSize, accumulate, packing }: Pick<RecipeStage, "batchSize" | "accumulate" | "packing">, size: number): void;

/**
 * Bytes of a file: in memory, or in pieces as they are made, so that no more than one is in memory: a piece may hold only
 * until the next one is asked for.
 */
type FileContent = Uint8Array | AsyncIterable<Uint8Array>;
/**
 * What the loop needs from the outside world: a folder on disk in Node, OPFS or memory in a browser.
 *
 * Paths are relative, with `/`.
 */
interface RunStore {
    /** A name for messages, for example the folder. */
    readonly location: string;
    /** The whole file. */
    read(path: string): Promise<Uint8Array>;
    /** Whether there is a file or folder of that name. */
    exists(path: string): Promise<boolean>;
    /** Writes the whole file or nothing. */
    write(path: string, bytes: Uint8Array): Promise<void>;
    /** Adds one line. */
    append(path: string, line: string): Promise<void>;
    /** Cuts a file of lines back to its first `lines` lines. */
    truncateLines(path: string, lines: number): Promise<void>;
    /** Names inside of a folder, sorted; none where it does not exist. */
    list(folder: string): Promise<readonly string[]>;
    /** Removes a file, or a folder with all it holds. */
    remove(path: string): Promise<void>;
    /**
     * Writes all files under a temporary name with a hashed manifest, syncs, then renames to `folder`. Where a file's pieces
     * end in an error, nothing is written.
     */
    writeFolder(folder: string, files: Readonly<Record<string, FileContent>>): Promise<void>;
    /** Reads a folder of {@link writeFolder}; E_CHECKPOINT_CORRUPT where a hash differs or a file is missing. */
    readFolder(folder: string): Promise<Readonly<Record<string, Uint8Array>>>;
    /** Takes the run for this process; E_RUN_LOCKED where another holds it. Returns the release. */
    lock(): Promise<() => Promise<void>>;
}

/** float32 values with their shape, on the host. */
interface HostTensor {
    readonly shape: readonly number[];
    readonly values: Float32Array;
}
/** Named tensors and text fields: what a checkpoint file holds. */
interface TensorFile {
    readonly tensors: ReadonlyMap<string, HostTensor>;
    /** int32 vectors beside them: packed values. */
    readonly words?: ReadonlyMap<string, Int32Array>;
    readonly metadata: Readonly<Record<string, string>>;
}
/** A tensor of a file whose values are asked for when its turn comes, once, and dropped after that. */
interface LazyHostTensor {
    readonly name: string;
    readonly shape: readonly number[];
    /** I32: packed values. */
    readonly dtype: "F32" | "I32";
    /** As the backend gives them: a later update may change them. */
    readonly values: () => Promise<Float32Array | Int32Array>;
}
/**
 * A safetensors file in pieces: its header, then small tensors together and large ones each on its own, which are read when
 * the piece is asked for. Exact bytes, in the order given. One piece and one tensor are in memory.
 * A piece holds until the next one is asked for: its memory is then used again.
 *
 * @throws {@link BasicError} `E_SHAPE` where values do not fill their shape.
 */
declare function tensorPieces(tensors: readonly LazyHostTensor[], metadata: TensorFile["metadata"], pieceBytes?: number): AsyncGenerator<Uint8Array, void, undefined>;
/** Writes tensors as a safetensors file: exact bytes, in the order of the maps. {@link tensorPieces} needs less memory. */
declare function encodeTensors({ tensors, words, metadata }: TensorFile): Uint8Array;
/**
 * Reads a file of {@link encodeTensors}, or any safetensors file of float32 tensors and int32 vectors.
 *
 * @param where - Name of the file, for messages.
 * @throws {@link BasicError} `E_CHECKPOINT_CORRUPT` where it is cut short or not such a file.
 */
declare function decodeTensors(bytes: Uint8Array, where: string): TensorFile;

/** Folder of the checkpoints in a run. */
declare const CHECKPOINT_FOLDER = "checkpoints";
/** Parameter sets by group name. */
type Groups = Readonly<Record<string, ParameterSet>>;
/** Where a run stands: everything that is not a tensor. */
interface RunPosition {
    readonly version: 1;
    readonly stage: string;
    /** Finished optimizer steps of the stage. */
    readonly step: number;
    readonly globalStep: number;
    /** Lines of metrics.jsonl at this point. */
    readonly metricsLines: number;
    /** Samples of the stage's data. Absent in checkpoints of older programs, as the next one. */
    readonly samples?: number;
    readonly ranks?: number;
    /** {@link fingerprint} of the weights of each group that have not trained: the checkpoint does not hold them. */
    readonly frozen?: Readonly<Record<string, string>>;
}
/** A checkpoint on the host. */
interface Checkpoint {
    /** For example `checkpoints/step-00000200`. */
    readonly folder: string;
    readonly position: RunPosition;
    /** By `group/parameter`. */
    readonly parameters: ReadonlyMap<string, HostTensor>;
    readonly optimizer: OptimizerState;
}
/** Which checkpoint to continue from: the newest, or the one before it (after damage). */
type CheckpointChoice = "last" | "previous";
/** Folders of all checkpoints, oldest first. */
declare function listCheckpoints(store: RunStore): Promise<readonly string[]>;
/**
 * Reads the newest checkpoint, or the one before it.
 *
 * @returns null where the run has none yet.
 * @throws {@link BasicError} `E_CHECKPOINT_CORRUPT` where it is damaged; the text names the one before it.
 */
declare function loadCheckpoint(store: RunStore, choice: CheckpointChoice): Promise<Checkpoint | null>;
/**
 * Puts a checkpoint's values into the parameters that it holds; groups that it does not hold stay as they are.
 *
 * @param expected - What it must hold of its groups, for runs that train groups in part ({@link trainedParts}). Default:
 *   all of them.
 * @throws {@link BasicError} `E_CHECKPOINT_CORRUPT` where the model lacks one of them or has another shape, or
 * where the checkpoint lacks a parameter of a group that it holds.
 */
declare function restoreParameters(checkpoint: Checkpoint, groups: Groups, expected?: Groups): void;

/**
 * One entry per log step of a stage, oldest first: the diagnostics of {@link Objective.diagnose}. Not of several
 * stages: with another batch size the number of matches is another one.
 */
type DiagnosticHistory = readonly Readonly<Record<string, number>>[];
/** A named problem for the run's metrics and the terminal. */
interface DiagnosticWarning {
    readonly name: "direction-collapse" | "strong-supervision";
    readonly text: string;
}
/**
 * Recognises the degenerate minimum of direction alignment: all visual rows drift to one common direction.
 *
 * It shows as cos(v, v̂) near 1 while the number of distinct matched tokens falls; the meaningful share can
 * even rise meanwhile, so it says nothing alone.
 *
 * @returns Null while all is well.
 */
declare function collapseWarning(history: DiagnosticHistory): DiagnosticWarning | null;
/**
 * Warns where a supervised loss begins as a large part of the language loss: it will bend the embeddings first.
 *
 * @param diagnostics - Of the first log step at which the losses have their full weight.
 */
declare function strengthWarning(diagnostics: Readonly<Record<string, number>>): DiagnosticWarning | null;

/** Words that tell whether a matched token fits its picture. All lower case. */
interface BatchWords {
    /** One per sample: words of its caption, question and answer ({@link meaningfulWords}). */
    readonly samples: readonly ReadonlySet<string>[];
    /** One per visual row: words of what is drawn under that patch, where the data knows it. */
    readonly rows?: readonly ReadonlySet<string>[];
}
/** What {@link visualDiagnostics} reads, on the host. N visual rows of width D. */
interface DiagnosticRows {
    /** V: projector output, `[N, D]` row-major. */
    readonly initial: Float32Array;
    /** v̂, `[N, D]`. */
    readonly refined: Float32Array;
    /** {@link centredGram} of V; made of `initial` on the host where it is absent. */
    readonly gram?: Float32Array;
    readonly width: number;
    /** Nearest token of each visual row, `[N]`. */
    readonly matches: Int32Array;
    /** Effective a_j after normalisation, `[N]`. */
    readonly patchWeights: Float32Array;
    readonly images: readonly VisualSpan[];
    readonly words?: BatchWords;
    /** Text of a token; needed for the shares. */
    readonly decode?: (token: number) => string;
}
/**
 * Whole words of three letters or more, lower-cased: what a matched token is compared with (method.md).
 *
 * @param texts - Caption, questions and answers of a sample.
 * @param templateWords - Words that every sample of the template has, lower case; left out.
 */
declare function meaningfulWords(texts: readonly string[], templateWords?: ReadonlySet<string>): ReadonlySet<string>;
/**
 * How the visual embeddings of a batch stand (method.md, "What to log, always").
 *
 * `normInitial`, `normRefined`: mean length of v and v̂. `cosine`: mean cos(v, v̂). `effectiveRank` of V around
 * its mean. `distinctMatches`: number of different nearest tokens. `patchWeightSum`: Σ_j a_j, mean over samples.
 * `meaningfulShare`, `strictShare`: where the batch carries words.
 */
declare function visualDiagnostics(rows: DiagnosticRows): Readonly<Record<string, number>>;
/**
 * Effective rank of rows around their mean: exp of the entropy of the normalised eigenvalues of their covariance.
 *
 * Roy and Vetterli, "The effective rank", EUSIPCO 2007, on squared singular values. 0 where all rows are equal.
 *
 * @param values - `[N, D]` row-major.
 */
declare function effectiveRank(values: Float32Array, width: number): number;
/**
 * `X Xᵀ` or `Xᵀ X`, the smaller one, of rows around their mean: what the effective rank needs, on the device.
 *
 * Where `[N, D]` has more than 256 rows and columns, 256 evenly spread rows stand for all.
 */
declare function centredGram(rows: tf.Tensor2D): tf.Tensor2D;

/**
 * Names of the groups that train in a stage, whole or in part, in the objective's order.
 *
 * @throws {@link BasicError} `E_NAME_UNKNOWN` where an entry of its `train` chooses nothing, `E_CONFIG` where it chooses
 * packed weights or a constant.
 */
declare function trainedGroups(stage: RecipeStage, groups: Groups): readonly string[];
/**
 * Sets `trainable` of every parameter, and returns the groups for the optimizer: one for each entry of `train`.
 *
 * @throws {@link BasicError} `E_NAME_UNKNOWN` where an entry chooses nothing.
 */
declare function freezeGroups(stage: RecipeStage, groups: Groups): readonly ParameterGroup[];

/** Hashes of what none of the stages trains, by group: the reference of a checkpoint to its base. */
declare function frozenFingerprints(stages: readonly RecipeStage[], groups: Groups): Promise<Readonly<Record<string, string>>>;
/**
 * A checkpoint holds what trains; on other frozen weights it would be another model.
 *
 * @param frozen - Of the model as it is now, up to the checkpoint's stage.
 * @throws {@link BasicError} `E_RESUME_CHANGED`. Checkpoints of older programs say nothing about their base.
 */
declare function checkSameFrozen({ folder, position }: Checkpoint, frozen: Readonly<Record<string, string>>): void;

/** A micro-batch of text: no row stands for a picture. */
interface LanguageBatch {
    readonly packed: PackedRows;
}
/**
 * Next-token training of a language model on text alone.
 *
 * Labels may carry weights (`packed.labelWeights`): the loss is then their weighted mean. Groups: `language`, and `lora`
 * where there are adapters.
 */
declare function createLanguageObjective(language: LanguageModel, lora?: Lora): Objective<LanguageBatch>;

/** Where a line belongs. `step` counts finished optimizer steps of the stage, `globalStep` those of the run. */
interface LinePosition {
    readonly stage: string;
    readonly step: number;
    readonly globalStep: number;
}
/** Metrics of one optimizer step; losses are those before the update. */
interface TrainLine extends LinePosition {
    readonly kind: "train";
    readonly loss: number;
    /** Unweighted means by part. */
    readonly parts: Readonly<Record<string, number>>;
    /** λ times the part. */
    readonly weighted: Readonly<Record<string, number>>;
    /** Of the first trained group. */
    readonly learningRate: number;
    /** Before clipping. */
    readonly gradientNorm: number;
    readonly tokensPerSecond: number;
    /** Mean wall time of the steps since the last line, milliseconds. */
    readonly stepMs: number;
    readonly diagnostics?: Readonly<Record<string, number>>;
}
/** Result of one evaluation set. */
interface EvaluationLine extends LinePosition {
    readonly kind: "evaluation";
    readonly split: string;
    readonly metrics: Readonly<Record<string, number>>;
}
/** Start of a stage. Sizes are numbers of values. */
interface StageLine extends LinePosition {
    readonly kind: "stage";
    readonly steps: number;
    readonly trains: Readonly<Record<string, number>>;
    readonly frozen: Readonly<Record<string, number>>;
}
/** Something that a person should look at. */
interface WarningLine extends LinePosition {
    readonly kind: "warning";
    readonly name: string;
    readonly text: string;
}
/** A line of metrics.jsonl. */
type MetricsLine = TrainLine | EvaluationLine | StageLine | WarningLine;
/** Name of the file in the run folder. */
declare const METRICS_FILE = "metrics.jsonl";
/**
 * Reads metrics.jsonl; a last line that a kill cut short is left out.
 *
 * @throws {@link BasicError} `E_CHECKPOINT_CORRUPT` naming the first line that is not JSON.
 */
declare function readMetrics(store: RunStore): Promise<readonly MetricsLine[]>;

/** What the loop tells whoever watches it. */
type TrainEvent = 
/** A stage begins, or goes on after a resume: `step` is where. */
({
    readonly kind: "stage-start";
    readonly steps: number;
} & LinePosition)
/** Before the first step of a stage: the backend compiles this many kernels for it, side by side. */
 | ({
    readonly kind: "compile";
    readonly kernels: number;
} & LinePosition)
/** After each optimizer step. */
 | ({
    readonly kind: "step";
    readonly steps: number;
} & LinePosition)
/** A line was added to metrics.jsonl. */
 | {
    readonly kind: "metrics";
    readonly line: MetricsLine;
} | ({
    readonly kind: "checkpoint";
    readonly folder: string;
} & LinePosition) | ({
    readonly kind: "stage-end";
} & LinePosition);
/** When the loop evaluates. */
interface EvaluationMoment extends LinePosition {
    /** True at the end of the last stage. */
    readonly final: boolean;
    /** True at the end of a stage. */
    readonly stageEnd: boolean;
}
/** Metrics of one evaluation set. */
type EvaluationResult = Pick<EvaluationLine, "split" | "metrics">;
/** What {@link train} needs. */
interface TrainOptions<Batch> {
    readonly recipe: Recipe;
    /** The objective of a stage. Stages may share one; groups of the same name are the same weights. */
    readonly objective: (stage: string) => Objective<Batch> | Promise<Objective<Batch>>;
    /** The data of a stage. */
    readonly data: (stage: string) => TrainingData<Batch> | Promise<TrainingData<Batch>>;
    readonly store: RunStore;
    /** Called as the run goes on; must not throw. */
    readonly onEvent?: (event: TrainEvent) => void;
    /** When it aborts, the loop finishes the step, saves a checkpoint and throws `E_INTERRUPTED`. */
    readonly signal?: AbortSignal;
    /** Measures the model when the stage says so, and at its end. */
    readonly evaluate?: (moment: EvaluationMoment) => Promise<readonly EvaluationResult[]>;
    /** Continue the run of the store. `previous`: from the checkpoint before the last one. */
    readonly resume?: CheckpointChoice;
    /** Default: a single process. */
    readonly collective?: Collective;
}
/** What {@link train} returns. */
interface TrainResult {
    /** Optimizer steps of all stages. */
    readonly globalStep: number;
    /** Folder of the last checkpoint. */
    readonly checkpoint: string;
}

/**
 * Trains a recipe: its stages one after the other, with metrics, evaluation and checkpoints in a run store.
 *
 * Deterministic: the same recipe on the same device gives the same bits, also when it is stopped or killed
 * at any moment and resumed.
 *
 * @throws {@link BasicError} `E_NOT_FINITE`, `E_INTERRUPTED`, `E_RUN_LOCKED`, `E_DISK_FULL`, and what
 * opening a run throws: `E_USAGE`, `E_CHECKPOINT_MISSING`, `E_RESUME_CHANGED`, `E_CHECKPOINT_CORRUPT`.
 */
declare function train<Batch>(options: TrainOptions<Batch>): Promise<TrainResult>;

/** Files of {@link createMemoryStore} by path: kept by the caller to look into or to continue from. */
type MemoryFiles = Map<string, Uint8Array>;
/**
 * A run store in memory, for tests and for browsers without a file system.
 *
 * @param files - Where files go; pass the same map to a second store to continue a run.
 */
declare function createMemoryStore(files?: MemoryFiles): RunStore;

/**
 * The vocabulary row nearest to each row by cosine: BASIC's token matching.
 *
 * @param rows - `[N, D]`, not on a tape.
 * @param vocabulary - E, `[V, D]`.
 * @returns `[N]` token ids; the lowest id among equals.
 * @throws {@link BasicError} `E_SHAPE` when D disagrees.
 */
declare function nearestTokens(rows: tf.Tensor2D, vocabulary: tf.Tensor2D): Promise<Int32Array>;

/** Name of the expanded recipe in the run folder. */
declare const RECIPE_FILE = "recipe.json";

/** What the order of a stage's samples depends on. */
interface OrderOptions {
    readonly seed: number;
    readonly stage: string;
    /** Samples of the data set. */
    readonly size: number;
    /** Samples of one micro-batch. */
    readonly batchSize: number;
    /** Micro-batches of one optimizer step, over all ranks. */
    readonly microBatches: number;
    /** False: 0, 1, 2, ... over and over. */
    readonly shuffle: boolean;
    /** Steps of samples with images and steps of text alone, with micro-batches of like row numbers; null: any samples. */
    readonly sizes?: SampleSizes | null;
}
/** Which samples a micro-batch holds, by its place alone: step s needs no history. */
interface SampleOrder {
    /**
     * Sample indices of a micro-batch.
     *
     * @param step - Optimizer step in the stage, from 0.
     * @param microBatch - From 0.
     */
    indices(step: number, microBatch: number): Int32Array;
}
/**
 * Every epoch is a permutation of its own, from (seed, stage, epoch); batches run over the ends of epochs.
 *
 * With `sizes` the samples of a step are of one kind, as LLaVA's `group_by_modality_length` does, but for the steps at
 * the ends of an epoch, which take what fills no step of its kind.
 */
declare function createOrder(options: OrderOptions): SampleOrder;

/** What a step's micro-batches must keep to. */
interface RowPacking {
    /** Largest number of rows of a micro-batch. */
    readonly budget: number;
    /** Micro-batches are a multiple of this many, and so are samples: ranks take equal numbers of them. Default 1. */
    readonly multiple?: number;
}
/**
 * Divides the samples of a step into few micro-batches within a budget of rows: first fit, the longest samples first.
 * Depends on the arguments alone. No order but that of micro-batches changes: one that holds all samples has them as
 * they are.
 *
 * A sample that is longer than the budget gets a micro-batch to itself.
 *
 * @param samples - Indices of the step's samples.
 * @param rowsOf - Rows of a sample, by its index.
 * @returns Indices of each micro-batch, those with the most rows first: at most 11/9 of the fewest that could do, and one
 *   (Dósa, "The tight bound of first fit decreasing bin-packing algorithm", 2007), and what `multiple` asks for.
 * @throws {@link BasicError} `E_CONFIG` for samples that are no multiple of `multiple`.
 */
declare function packStep(samples: Int32Array, rowsOf: (index: number) => number, { budget, multiple }: RowPacking): readonly Int32Array[];

/** How sums of micro-batches become one loss (method.md, 9). */
type LossReduction = "global" | "mean-of-means";
/** One optimizer step to compute. */
interface StepInput<Batch> {
    readonly objective: Objective<Batch>;
    /** All micro-batches of this rank. */
    readonly batches: readonly Batch[];
    readonly position: StepPosition;
    readonly reduction: LossReduction;
    readonly collective: Collective;
}
/** Value of one loss part over the whole step; the tensor is the owner's to dispose. */
interface PartValue {
    /** Unweighted mean, scalar `[]`. */
    readonly value: tf.Scalar;
    readonly weight: number;
}
/** Gradients of one optimizer step, on the device. Dispose with {@link disposeStep}. */
interface StepGradients {
    /** Scalar `[]`: sum of the weighted parts. */
    readonly loss: tf.Scalar;
    readonly parts: ReadonlyMap<string, PartValue>;
    readonly gradients: readonly tf.Tensor[];
    /** Over all micro-batches and ranks. */
    readonly totals: Counts;
}
/**
 * Loss and gradients of one optimizer step: totals are counted first, then gradients only add.
 *
 * @param parameters - What to differentiate by.
 */
declare function stepGradients<Batch>(input: StepInput<Batch>, parameters: readonly Parameter[]): Promise<StepGradients>;
/** One optimizer step: gradients, then the update. Nothing is read back; gradients are disposed. */
declare function trainStep<Batch>(input: StepInput<Batch>, optimizer: Optimizer, rate: number): Promise<Omit<StepGradients, "gradients"> & {
    readonly norm: tf.Scalar;
}>;
/** Frees what a step left on the device. */
declare function disposeStep(step: {
    readonly loss: tf.Scalar;
    readonly parts: ReadonlyMap<string, PartValue>;
    readonly norm?: tf.Scalar;
    readonly gradients?: readonly tf.Tensor[];
}): void;

/** A backend that can compile kernels before they run. */
interface PreparingBackend {
    /**
     * Compiles the kernels that `body` would run, side by side, while the process goes on.
     *
     * @param body - Is gone through at once, without computing anything: no value changes. It disposes what it makes.
     * @param onCompile - Gets the number of kernels before they are compiled. Not called where all are there.
     */
    prepare(body: () => void, onCompile?: (kernels: number) => void): Promise<void>;
}

/** A micro-batch of {@link createRegionTextObjective}: pictures, and which text of the bank each region shows. */
interface RegionTextBatch {
    readonly pixels: ImageBatch;
    /** `[images · regions²]`, row-major over the regions of each image: an index into the bank. */
    readonly targets: Int32Array;
    /** `[texts, words]`: weight of each word in each text; may differ from step to step (word dropout). */
    readonly bank: Float32Array;
}
/** Sizes and options of {@link createRegionTextObjective}. */
interface RegionTextOptions {
    readonly encoder: VisionEncoder;
    readonly texts: number;
    readonly words: number;
    /** Regions along each side of an image: 2 means quadrants. */
    readonly regions: number;
    /** Share of the target spread over all texts. */
    readonly labelSmoothing: number;
    /** Logarithm of the similarity scale at the start. */
    readonly logScale: number;
    readonly seed: number;
}
/**
 * Contrastive training of an encoder: the mean of a region's patches against bag-of-words texts.
 *
 * ```text
 * z = unit(W_p · mean of the region's rows),  t = unit(bank · table),  L = CE(exp(s) · z tᵀ, target)
 * ```
 *
 * After RegionCLIP (arXiv 2112.09106), with a bank of texts in place of a text encoder.
 * Groups: `vision` (the encoder) and `text` (word table, projection, scale).
 *
 * @throws {@link BasicError} `E_SHAPE` when the targets or the bank do not fit the sizes, or the regions the patches.
 */
declare function createRegionTextObjective(options: RegionTextOptions): Objective<RegionTextBatch>;

/** A backend that can run without computing, to learn how much memory a body would take. */
interface RehearsingBackend {
    /**
     * @param body - Gets a function that gives the bytes by which the backend's memory would have grown so far.
     * @returns Those bytes at the end.
     */
    rehearse(body: (grown: () => number) => Promise<void>): Promise<number>;
}
/** A stage to rehearse. */
interface RehearsalInput<Batch> {
    readonly recipe: Recipe;
    readonly stageName: string;
    readonly objective: Objective<Batch>;
    readonly data: TrainingData<Batch>;
    /** What comes after the steps, while moments are still there: a measurement. */
    readonly afterwards?: () => Promise<void>;
    /** Processes that share the micro-batches of a step: one of them is rehearsed. Default 1. */
    readonly ranks?: number;
}
/**
 * Bytes by which the backend's memory has grown after each of these stages, one after the other, without computing a
 * step: the first steps of each are gone through, with all its losses, and those of the largest samples where rows differ
 * much (`heaviest`) or are packed. Parameters are as before.
 *
 * @returns One number a stage; null where the current backend cannot tell.
 */
declare function rehearseStages<Batch>(stages: readonly RehearsalInput<Batch>[]): Promise<readonly number[] | null>;

/** Parameters of one group that train with one learning rate. */
interface Selected {
    /** The entry of `train` that chose them: key of learning rates and weight decays. */
    readonly entry: string;
    readonly group: string;
    readonly parameters: readonly Parameter[];
}
/** How much of a group a stage's `train` names. */
type TrainedShare = "whole" | "part" | "none";
/** Whether a stage trains a group, by the words of its recipe alone. */
declare function trainedShare({ train }: Pick<RecipeStage, "train">, group: string): TrainedShare;
/**
 * The parameters that a stage trains, by entry of its `train`. A parameter that two entries choose belongs to the later
 * one. Entries of groups that are not there choose nothing.
 */
declare function selectParameters(stage: RecipeStage, groups: Groups): readonly Selected[];
/** What the stages train together, as sets that share their parameters with `groups`. Unknown groups are left out. */
declare function trainedParts(stages: readonly RecipeStage[], groups: Groups): Groups;
/** What none of the stages trains, as sets that share their parameters with `groups`; empty ones are left out. */
declare function frozenParts(stages: readonly RecipeStage[], groups: Groups): Groups;

/**
 * Runs `compute` outside of the tape: nothing is recorded, nothing is saved for a gradient.
 *
 * For frozen encoders, for losses that are logged only, and for diagnostics. Results are constants.
 */
declare function untaped<T extends tf.TensorContainer>(compute: () => T): T;

/** A micro-batch of the multimodal objective. */
interface VlmBatch {
    readonly packed: PackedRows;
    /** Pixels, or features that were computed before; null where no sample has an image. */
    readonly visual: HostVisualRows | ImageBatch | null;
    /** Where pictures are cut into tiles: `visual` holds all tiles, and this the order of their projected rows. */
    readonly arrangement?: RowArrangement;
    /** For messages. */
    readonly sampleIds: readonly string[];
    /** For the meaningful and the strict share. */
    readonly words?: BatchWords;
}
/** Images of a packed batch in numbers of visual rows, which follow each other without gaps. */
declare function visualSpans(images: readonly ImageSpan[]): readonly VisualSpan[];
/** Number of samples with at least one image. */
declare function samplesWithImage({ images }: PackedRows): number;

/** λ of a loss in a stage, as recipes write it. */
interface LossSetting {
    /** After the ramp. 0: computed and logged, without gradient. */
    readonly weight: number;
    /** Optimizer step of the stage at which it begins. */
    readonly start: number;
    /** Steps over which it grows from 0 to `weight`. */
    readonly ramp: number;
    readonly options: ComponentOptions;
}
/** A loss of the objective and its λ over time. */
interface WeightedLoss {
    /** Of its part in metrics: its name in the recipe. Default: that of the loss. */
    readonly name?: string;
    readonly loss: VisualLoss;
    /** λ at a step; null where the stage leaves the loss out: it then costs nothing. */
    readonly weightAt: (position: StepPosition) => number | null;
}
/** λ of a setting at an optimizer step of its stage: 0 before `start`, then a straight line to `weight`. */
declare function weightAtStep({ weight, start, ramp }: LossSetting, step: number): number;
/** λ of the language loss by stage and step, for {@link VlmObjectiveOptions.languageWeightAt}; 1 where a stage has none. */
declare function languageWeight(stages: Readonly<Record<string, Readonly<Record<string, LossSetting>>>>): (position: StepPosition) => number;
/** What {@link createWeightedLosses} makes losses with. */
interface WeightedLossOptions {
    readonly supervision: SupervisionOptions;
    readonly context: Omit<LossContext, "options">;
    /** Finds a loss by name, for example `losses.get` of the registry. */
    readonly find: (name: string) => LossFactory;
}
/**
 * Makes the visual losses of all stages of a recipe.
 *
 * A loss with the same options in two stages is one loss: its own weights go on training.
 *
 * @param stages - By stage: settings by loss name. `language` is not a visual loss and is passed over.
 * @throws {@link BasicError} `E_RECIPE_INVALID` where options do not fit a loss; `language` has none.
 * `E_CONFIG` where a factory makes no loss.
 */
declare function createWeightedLosses(stages: Readonly<Record<string, Readonly<Record<string, LossSetting>>>>, { supervision, context, find }: WeightedLossOptions): readonly WeightedLoss[];

/** BASIC's supervision of visual embeddings, as recipes write it. Absent fields: the paper's. */
interface SupervisionSettings {
    /** k: supervised shallow blocks; null: half of the LLM's. */
    readonly depth?: number | null;
    /** Default `increasing`. */
    readonly layerWeights?: LayerWeightScheme;
    /** Of the patch weights in reports; each loss has its own. Default `none`. */
    readonly normalise?: Normalise;
    /** Whether the refined embeddings are constants for losses whose needs do not ask for their gradient. Default true. */
    readonly stopGradient?: boolean;
    /** What visual rows are matched with in reports. Default `input`. */
    readonly vocabulary?: VocabularySource;
}
/** Parts of {@link createVlmObjective}. */
interface VlmObjectiveOptions {
    /** Null where batches carry features. Runs outside of the tape while none of its parameters is trainable. */
    readonly encoder: VisionEncoder | null;
    readonly projector: Projector;
    readonly language: LanguageModel;
    readonly losses: readonly WeightedLoss[];
    /** Adapters of the language model: the group `lora`. */
    readonly lora?: Lora;
    readonly supervision?: SupervisionSettings;
    /** Weight of the language loss. Default 1. */
    readonly languageWeightAt?: (position: StepPosition) => number;
    /** Text of a token, for the meaningful share. */
    readonly decode?: (token: number) => string;
}
/** Visual embeddings of a batch, in the order in which the language model reads them; differentiable. */
declare function projectBatch(features: VisualRows, { arrangement }: Pick<VlmBatch, "arrangement">, projector: Projector): VisualRows;

/**
 * Multimodal training: language loss per supervised token, visual losses per sample with an image.
 *
 * ```text
 * L = L_lm + Σ λ_i L_i          BASIC: L_lm + λ₁ L_das + λ₂ L_sds
 * ```
 *
 * Groups: `vision` (where there is an encoder), `projector`, `language`, `lora` (where there are adapters), `losses`
 * (weights of the losses themselves, to be trained with the projector). What trains is each parameter's own `trainable`.
 *
 * @throws {@link BasicError} `E_CONFIG` when the supervised depth does not fit the LLM; from `parts`:
 * `E_IMAGE_TOKENS` when visual rows and places disagree, `E_CONFIG` for pixels without an encoder.
 */
declare function createVlmObjective(options: VlmObjectiveOptions): Objective<VlmBatch>;

export { ALL_LINEAR, type AccumulateAttrs, type ActivationAttrs, type ActivationKind, type AdamwAttrs, type AdamwInput, type AdaptableModel, type AttentionAttrs, type AttentionBackwardInput, type AttentionInput, type AttentionReceivedAttrs, type Attributes, type BackendThreads, BasicError, type BatchWords, Builder, BuiltInProjector, type CAbstractorOptions, CAbstractorProjector, CHECKPOINT_FOLDER, type CachedAttentionAttrs, type CachedAttentionInput, type Checkpoint, type CheckpointChoice, type CheckpointPass, type Collective, type ComponentOptions, type Counts, DEFAULT_CHUNK_BYTES, DROPOUT_STEPS, type DasNceOptions, Decoder, type DecoderBlockAttrs, type DecoderBlockInput, type DecoderBlockMatrix, type DecoderBlockStorage, type DecoderConfig, type DecoderOptions, type DecoderSizes, type Denominator, type DiagnosticHistory, type DiagnosticRows, type DiagnosticWarning, type DirectionAttrs, type DirectionBackwardAttrs, type DirectionInput, type DirectionOptions, type DistributionOptions, type DropoutAttrs, type DropoutKey, type DropoutOptions, type EmbeddingAttrs, type EmuL2Options, type EncoderFactory, type ErrorCode, type EvaluationLine, type EvaluationMoment, type EvaluationResult, type Fallback, type FeatureSelection, type FeatureSource, type FileContent, type FrozenLinearAttrs, type FusedActivation, type GateActivation, type GatedActivationAttrs, type Grid, type Groups, type Head, type Health, type HostMoment, type HostTensor, type HostVisualRows, IGNORED_LABEL, IMAGE_NEWLINE, type ImageBatch, type ImageRows, type ImageSpan, type IndexCheck, type InputSpec, type Inputs, type KernelCase, type KernelContract, type KernelImplementation, type KeyValueCache, type LabelledRows, type LanguageBatch, type LanguageInput, type LanguageModel, type LanguageModelFactory, type LanguageRecipe, type LayerNormAttrs, type LayerNormBackwardAttrs, type LayerNormInput, type LayerWeightScheme, type LazyHostTensor, type LazyMoment, type LazyOptimizerState, LdpProjector, type Ldpv2Options, Ldpv2Projector, type LinePosition, Linear, type LinearAdapter, type LinearAttrs, type LinearBackwardInput, type LinearCrossEntropyAttrs, type LinearCrossEntropyBackwardAttrs, type LinearGroupAttrs, type LinearGroupInput, type LinearInput, type LinearKlAttrs, type LinearKlBackwardAttrs, type LinearKlBackwardInput, type LinearKlInput, type LinearShape, Lora, type LoraOptions, type LossContext, type LossFactory, type LossPart, type LossReduction, type LossSetting, type LossWeight, METRICS_FILE, type MemoryFiles, type MetricsLine, type MlpName, type MlpOptions, MlpProjector, type ModelContext, type MomentCode, type MomentStorage, NEWLINE_ROW, type NameFamily, type Needs, type Negatives, type Normalise, type Objective, type Observe, type Observed, type Optimizer, type OptimizerOptions, type OptimizerState, type OrderOptions, type PackedEmbeddingAttrs, type PackedRows, type PackedStorage, type PackedValues, Parameter, type ParameterGroup, ParameterSet, type PartValue, type Precision, type PreparingBackend, type Projector, type ProjectorContext, type ProjectorFactory, type ProjectorOptions, type ProjectorPlace, type ProjectorSetup, RECIPE_FILE, type Random, type RandomValueOptions, type Recipe, type RecipeDifference, type RecipeInput, type RecipeStage, type RecipeTask, type RegionTextBatch, type RegionTextOptions, type RegionTextRecipe, Registry, type RehearsalInput, type RehearsingBackend, type ResamplerOptions, ResamplerProjector, type RmsNormAttrs, type RmsNormBackwardAttrs, type Role, type RotaryAttrs, type RotaryConfig, type RotaryScaling, type RotaryTable, type RowArrangement, type RowGatherAttrs, type RowPacking, type RunPosition, type RunStore, type SampleOrder, type SampleSizes, type ScatterAddRowsAttrs, type Schedule, type ScheduleKind, type Selected, type SmoothL1Options, type SpliceAttrs, type SquaredNormAttrs, type SquaredNormInput, type StageLine, type StartBackendOptions, type StartedBackend, type StepGradients, type StepInput, type StepPosition, type Storage, type SupervisionOptions, type SupervisionSettings, type TensorFile, type Tolerance, type TrainEvent, type TrainLine, type TrainOptions, type TrainResult, type TrainedShare, type TrainingData, type UpdateResult, type ValueSource, type ViralCosOptions, type VisionEncoder, type VisualLoss, type VisualLossResult, type VisualPlan, type VisualRows, type VisualSpan, type VisualView, Vit, type VitConfig, type VitOptions, type VitSizes, type VlmBatch, type VlmObjectiveOptions, type VlmRecipe, type VocabularyOptions, VocabularyProjector, type VocabularySource, type Warmup, type WarningLine, type WeightedLoss, type WeightedLossOptions, type Words4, accumulate, activation, activationBackward, activationKinds, adamw, addImageNewline, allContracts, applyOverrides, arrangeRows, attachLora, attention, attentionBackward, attentionReceived, bfloatOfBits, bicubicWeights, bindShapes, cachedAttention, centredGram, checkIndices, checkSameFrozen, checkpoint, chooseTargets, clipConfig, clipFactor, collapseWarning, copyProjector, createDasNceLoss, createDecoder, createDirectionLoss, createDistributionLoss, createEmuL2Loss, createFeatureSource, createLanguageObjective, createMemoryStore, createOptimizer, createOrder, createProjector, createRandom, createRegionTextObjective, createSmoothL1Loss, createViralCosLoss, createViralGramLoss, createVit, createVlmObjective, createVwKlLoss, createWeightedLosses, decodeTensors, decoderBlock, decoderConfig, defineEncoder, defineLanguageModel, defineLoss, defineProjector, defineRecipe, detach, didYouMean, diffRecipes, dinov2Config, direction, directionBackward, disposeStep, dropout, dropoutKernel, dropoutKey, effectiveRank, embedding, encodeTensors, encoders, explainDiskFull, explainIssues, findGradient, findKernel, fingerprint, floatToHalf, formatDifferences, formatShape, freezeGroups, frozenFingerprints, frozenLinear, frozenLinearBackward, frozenLinearBias, frozenParts, fusedActivations, gatedActivation, gatedActivationBackward, globalNorm, halfOfBits, halfToFloat, halfValues, implementKernel, inputsThatNeedGradient, isBlocked, isDeviceImagined, languageLoss, languageModels, languageSchema, languageWeight, layerNorm, layerNormBackward, layerWeights, learningRateFactor, linear, linearBackward, linearBias, linearCrossEntropy, linearCrossEntropyBackward, linearKl, linearKlBackward, linearPair, linearTriple, listCheckpoints, loadCheckpoint, loadPlugins, lossOptions, losses, matchVocabulary, meaningfulWords, mlpProjectors, momentBytes, nearestName, nearestTokens, normalisePatchWeights, packBf16, packF16, packMoment, packQ4_0, packQ4_1, packQ8_0, packStep, packedEmbedding, packers, parameterShapes, parseRecipe, philox, planVisualRows, projectBatch, projectorFactories, projectorNames, projectors, randomValues, randomWords, readMetrics, recipeJsonSchema, regionTextSchema, registerContractGradient, registerStockGradients, rehearseStages, requireEqualShares, resizeVocabulary, resolveSteps, resolveWarmup, restoreParameters, rmsNorm, rmsNormBackward, rotary, rotaryFrequencies, rotaryTable, rowGather, runKernel, samplesWithImage, scatterAddRows, selectParameters, setFallback, siglipConfig, singleProcess, splice, squaredNorm, startBackend, stepGradients, storages, strengthWarning, supervisedDepth, supervisedTokens, tensorPieces, train, trainStep, trainedGroups, trainedParts, trainedShare, unpack, unpackMoment, untaped, valueAndGradients, valuesOf, visualDiagnostics, visualLosses, visualSpans, vlmSchema, weightAtStep, withDropout, wordCount };
