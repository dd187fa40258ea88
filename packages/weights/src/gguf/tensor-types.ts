/** A tensor type of GGUF that we read. */
export type GgufType = "F32" | "F16" | "BF16" | "Q4_0" | "Q4_1" | "Q5_0" | "Q5_1" | "Q8_0" | "Q4_K" | "Q6_K";

/** How a type stores its values. */
export interface BlockLayout {
  /** ggml's number of the type. */
  readonly id: number;
  /** Values of one block; rows are whole blocks. */
  readonly values: number;
  /** Bytes of one block. */
  readonly bytes: number;
}

/** Layout of every type that we read, from ggml's block structures. */
export const blockLayouts: Readonly<Record<GgufType, BlockLayout>> = {
  F32: { id: 0, values: 1, bytes: 4 },
  F16: { id: 1, values: 1, bytes: 2 },
  BF16: { id: 30, values: 1, bytes: 2 },
  Q4_0: { id: 2, values: 32, bytes: 18 },
  Q4_1: { id: 3, values: 32, bytes: 20 },
  Q5_0: { id: 6, values: 32, bytes: 22 },
  Q5_1: { id: 7, values: 32, bytes: 24 },
  Q8_0: { id: 8, values: 32, bytes: 34 },
  Q4_K: { id: 12, values: 256, bytes: 144 },
  Q6_K: { id: 14, values: 256, bytes: 210 },
};

/** Names of the types that we read. */
export const ggufTypes = Object.keys(blockLayouts) as readonly GgufType[];

/** The type with ggml's number `id`, or undefined. */
export function ggufTypeOf(id: number): GgufType | undefined {
  return ggufTypes.find((type) => blockLayouts[type].id === id);
}

/** Bytes of `count` values, a multiple of the block. */
export function byteLength(type: GgufType, count: number): number {
  const { values, bytes } = blockLayouts[type];
  return (count / values) * bytes;
}
