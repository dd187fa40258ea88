/** Values of a float tensor. */
export type Floats = Float32Array;
/** Host indices. */
export type Ints = Int32Array;

/** A list by index: WebAssembly takes objects, not arrays. */
export type Numbered<T> = Readonly<Record<number, T>>;

/** Settings of an AdamW step for `count` tensors. */
export interface AdamwSettings {
  readonly count: number;
  readonly learningRates: Numbered<number>;
  readonly weightDecays: Numbered<number>;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly step: number;
}

/** native/src/kernels/exports/elements.rs */
interface ElementBindings {
  activation(kind: string, x: Floats, y: Floats): void;
  activationBackward(kind: string, dy: Floats, x: Floats, dx: Floats): void;
  gatedActivation(kind: string, gate: Floats, up: Floats, y: Floats): void;
  gatedActivationBackward(
    kind: string,
    dy: Floats,
    gate: Floats,
    up: Floats,
    dgate: Floats,
    dup: Floats,
  ): void;
  /** `threshold` of 65536 values are dropped. Words are unsigned. */
  dropout(
    threshold: number,
    keyLow: number,
    keyHigh: number,
    streamLow: number,
    streamHigh: number,
    x: Floats,
    y: Floats,
  ): void;
  /** Adds to `sum[0]`, tensor by tensor. */
  squaredNorm(count: number, x: Numbered<Floats>, sum: Floats): void;
  /** Changes `parameter`, `m` and `v`. */
  adamw(
    settings: AdamwSettings,
    parameter: Numbered<Floats>,
    gradient: Numbered<Floats>,
    m: Numbered<Floats>,
    v: Numbered<Floats>,
    control: Floats,
  ): void;
  /** As `adamw`, with packed moments. */
  adamwPacked(
    settings: AdamwSettings,
    storage: string,
    parameter: Numbered<Floats>,
    gradient: Numbered<Floats>,
    m: Numbered<Ints>,
    v: Numbered<Ints>,
    control: Floats,
  ): void;
}

/** native/src/kernels/exports/norms.rs. Empty gradients of weights are not computed. */
interface NormBindings {
  rmsNorm(x: Floats, weight: Floats, epsilon: number, addOne: boolean, y: Floats, inverse: Floats): void;
  rmsNormBackward(
    dy: Floats,
    x: Floats,
    weight: Floats,
    inverse: Floats,
    addOne: boolean,
    dx: Floats,
    dweight: Floats,
  ): void;
  layerNorm(
    x: Floats,
    weight: Floats,
    bias: Floats,
    epsilon: number,
    y: Floats,
    mean: Floats,
    inverse: Floats,
  ): void;
  layerNormBackward(
    dy: Floats,
    x: Floats,
    weight: Floats,
    mean: Floats,
    inverse: Floats,
    dx: Floats,
    dweight: Floats,
    dbias: Floats,
  ): void;
  rotary(
    x: Floats,
    heads: number,
    positions: Ints,
    frequencies: Floats,
    scale: number,
    inverse: boolean,
    y: Floats,
  ): void;
}

/** native/src/kernels/exports/rows.rs */
interface RowBindings {
  splice(table: Floats, visual: Floats, ids: Ints, width: number, out: Floats): void;
  scatterAddRows(dy: Floats, rows: Ints, width: number, out: Floats): void;
}

/** native/src/kernels/exports/linear.rs. An empty bias is none. */
interface LinearBindings {
  linear(
    x: Floats,
    weight: Floats,
    bias: Floats,
    rows: number,
    inputs: number,
    outputs: number,
    activation: string,
    y: Floats,
  ): void;
  linearBackward(dy: Floats, weight: Floats, rows: number, inputs: number, outputs: number, dx: Floats): void;
  packedLinear(
    x: Floats,
    weight: Ints,
    bias: Floats,
    storage: string,
    rows: number,
    inputs: number,
    outputs: number,
    y: Floats,
  ): void;
  packedRows(table: Ints, storage: string, height: number, width: number, ids: Ints, out: Floats): void;
  packedLinearBackward(
    dy: Floats,
    weight: Ints,
    storage: string,
    rows: number,
    inputs: number,
    outputs: number,
    dx: Floats,
  ): void;
}

/** Shapes and masks of an attention call. 0 is no window and no softcap. */
export interface AttentionLayout {
  readonly queryOffsets: Ints;
  readonly keyOffsets: Ints;
  readonly heads: number;
  readonly keyHeads: number;
  readonly headWidth: number;
  readonly scale: number;
  readonly causal: boolean;
  readonly window: number;
  readonly softcap: number;
}

/** Shapes and masks of attention with buffers. 0 is no window and no softcap. */
export interface CachedLayout {
  readonly offsets: Ints;
  readonly starts: Ints;
  readonly room: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly headWidth: number;
  readonly scale: number;
  readonly window: number;
  readonly softcap: number;
}

type BlockMatrix = "query" | "key" | "value" | "output" | "gate" | "up" | "down";

/** Weights of a block: packed ones as integers. */
export type BlockWeights = { readonly attentionNorm: Floats; readonly mlpNorm: Floats } & {
  readonly [M in BlockMatrix]: Floats | Ints;
} & { readonly [M in BlockMatrix as `${M}Storage`]: string };

/** Settings of a block beside those of its attention. */
export interface BlockSettings {
  readonly positions: Ints;
  readonly frequencies: Floats;
  readonly rotaryScale: number;
  readonly inner: number;
  readonly epsilon: number;
  readonly addOne: boolean;
  readonly activation: string;
}

/** native/src/kernels/exports/decoder_block.rs. Changes `keys` and `values`. */
interface DecoderBindings {
  decoderBlock(
    x: Floats,
    weights: BlockWeights,
    layout: CachedLayout,
    settings: BlockSettings,
    keys: Floats,
    values: Floats,
    y: Floats,
  ): void;
}

/** native/src/kernels/exports/attention.rs */
interface AttentionBindings {
  /** Changes `keys` and `values`. */
  cachedAttention(
    q: Floats,
    k: Floats,
    v: Floats,
    layout: CachedLayout,
    keys: Floats,
    values: Floats,
    y: Floats,
  ): void;
  attention(q: Floats, k: Floats, v: Floats, layout: AttentionLayout, y: Floats, logSumExp: Floats): void;
  attentionReceived(
    q: Floats,
    k: Floats,
    v: Floats,
    layout: AttentionLayout,
    countsAsText: Ints,
    receiveFrom: Ints,
    y: Floats,
    logSumExp: Floats,
    received: Floats,
  ): void;
  attentionBackward(
    dy: Floats,
    q: Floats,
    k: Floats,
    v: Floats,
    y: Floats,
    logSumExp: Floats,
    layout: AttentionLayout,
    dq: Floats,
    dk: Floats,
    dv: Floats,
  ): void;
}

/** How a cross entropy is computed. */
export interface CrossEntropyOptions {
  readonly labels: Ints;
  readonly width: number;
  readonly softcap: number;
  readonly chunkBytes: number;
}

/** Inputs of a divergence between two rows' distributions over a vocabulary. */
export interface KlInputs {
  readonly v: Floats;
  readonly r: Floats;
  readonly vocabulary: Floats;
  readonly a: Floats;
  readonly width: number;
  readonly chunkBytes: number;
}

/** native/src/kernels/exports/losses.rs. Empty optional gradients are not computed. */
interface LossBindings {
  linearCrossEntropy(
    x: Floats,
    weight: Floats,
    options: CrossEntropyOptions,
    loss: Floats,
    logSumExp: Floats,
    slope: Floats,
  ): void;
  linearCrossEntropyBackward(
    dloss: Floats,
    x: Floats,
    weight: Floats,
    logSumExp: Floats,
    options: CrossEntropyOptions,
    dx: Floats,
    dweight: Floats,
  ): void;
  direction(v: Floats, r: Floats, a: Floats, width: number, loss: Floats): void;
  directionBackward(
    dloss: Floats,
    v: Floats,
    r: Floats,
    a: Floats,
    width: number,
    dv: Floats,
    dr: Floats,
  ): void;
  linearKl(inputs: KlInputs, loss: Floats, kl: Floats, lseV: Floats, lseR: Floats, slope: Floats): void;
  linearKlBackward(
    inputs: KlInputs,
    dloss: Floats,
    kl: Floats,
    lseV: Floats,
    lseR: Floats,
    dv: Floats,
    dr: Floats,
  ): void;
}

/**
 * Functions of the native addon that the fused contract kernels call. The last arguments are written.
 *
 * @internal
 */
export interface KernelBindings
  extends ElementBindings,
    NormBindings,
    RowBindings,
    LinearBindings,
    AttentionBindings,
    DecoderBindings,
    LossBindings {}
