import { TENSOR_CORES_FROM } from "../../device/constants.js";

/** What multiplies: CUDA cores, or tensor cores, by what they round operands to. */
export type Operands = "f32" | "tf32" | "bf16";

/** Columns of a head that a block works on at a time. */
export const CHUNK = 32;
/** Chunks of sums that blocks can hold; wider heads take several blocks. */
export const CHUNKS = [1, 2, 3, 4, 8] as const;

/** Threads of all kernels that work on tiles. */
const THREADS = 128;

/** Compile-time sizes of a kernel: see tiles.cuh and tensor-tiles.cuh. */
export interface Variant {
  readonly operands: Operands;
  /** Rows of a tile. */
  readonly tileRows: 8 | 32 | 64;
  /** Columns of a tile of scores: rows of the other side at a time. */
  readonly scoreColumns: 32 | 64;
  readonly chunks: (typeof CHUNKS)[number];
  /** That the registers of a multiprocessor hold at once. */
  readonly blocks: 2 | 3;
}

/** What programs of a variant have in common. `kernel` is the name without the variant's. */
export function compiled(kernel: string, variant: Variant) {
  const { operands, tileRows, scoreColumns, chunks, blocks } = variant;
  const heads = `${tileRows} rows, heads of ${chunks} chunks`;
  if (operands === "f32") {
    const defines = { ROWS: tileRows / 8, CHUNKS: chunks, BLOCKS: blocks };
    return { name: `${kernel}, ${heads}`, defines, block: THREADS } as const;
  }
  return {
    name: `${kernel} in ${operands}, ${heads}`,
    defines: { OPERAND: operands.toUpperCase(), COLUMNS: scoreColumns, CHUNKS: chunks, BLOCKS: blocks },
    block: THREADS,
    oldest: TENSOR_CORES_FROM,
  } as const;
}

/** Which units a variant's FLOPs are done by: see `Work`. */
export function unitsOf({ operands }: Variant): { readonly units?: "tf32" | "bf16" } {
  return operands === "f32" ? {} : { units: operands };
}

/** What multiplies on a device of this architecture, 90 for sm_90, for this precision. */
export function operandsFor(precision: Operands, architecture: number): Operands {
  return architecture < TENSOR_CORES_FROM ? "f32" : precision;
}
