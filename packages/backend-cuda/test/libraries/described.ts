import { type BlasLibrary, BlasLt, type Epilogue, type ProductShape } from "../../src/cublaslt/blas-lt.js";
import { BLAS, type BlasFunction } from "../../src/cublaslt/prototypes.js";
import type { Session } from "../../src/device/session.js";
import { type Foreign, loadLibrary } from "../../src/foreign/library.js";
import type { CachingAllocator } from "../../src/memory/allocator.js";

/** Read what was set. Only checks need them. */
export const READ_PROTOTYPES = {
  description:
    "cublasStatus_t cublasLtMatmulDescGetAttribute(cublasLtMatmulDesc_t matmulDesc, cublasLtMatmulDescAttributes_t attr, void *buf, size_t sizeInBytes, size_t *sizeWritten)",
  layout:
    "cublasStatus_t cublasLtMatrixLayoutGetAttribute(cublasLtMatrixLayout_t matLayout, cublasLtMatrixLayoutAttribute_t attr, void *buf, size_t sizeInBytes, size_t *sizeWritten)",
  preference:
    "cublasStatus_t cublasLtMatmulPreferenceGetAttribute(cublasLtMatmulPreference_t pref, cublasLtMatmulPreferenceAttributes_t attr, void *buf, size_t sizeInBytes, size_t *sizeWritten)",
} as const;

/** Attributes that only checks read, by their names in cublasLt.h. */
export const READ_CONSTANTS = {
  CUBLASLT_MATMUL_DESC_COMPUTE_TYPE: 0,
  CUBLASLT_MATMUL_DESC_SCALE_TYPE: 1,
  CUBLASLT_MATRIX_LAYOUT_TYPE: 0,
  CUBLASLT_MATRIX_LAYOUT_ROWS: 2,
  CUBLASLT_MATRIX_LAYOUT_COLS: 3,
  CUBLASLT_MATRIX_LAYOUT_LD: 4,
} as const;

type Reader = (handle: number, attribute: number, bytes: 4 | 8) => number;

/** What was found of the products that the backend describes. */
export interface Described {
  readonly products: number;
  /** Values that were read back. */
  readonly values: number;
  readonly differences: readonly string[];
}

/** How factors and results are kept. */
const KEPT = [
  { factors: "f32", kept: "f32" },
  { factors: "bf16", kept: "bf16" },
  { factors: "bf16", kept: "f32" },
] as const;

/** Every layout, epilogue, bias, batch and storage that kernels ask for. */
export function productShapes(): readonly ProductShape[] {
  const layouts = ["nt", "nn", "tn"] as const;
  const epilogues: readonly Epilogue[] = ["none", "gelu-tanh"];
  return layouts.flatMap((layout) =>
    epilogues.flatMap((epilogue) =>
      [false, true].flatMap((bias) =>
        [1, 3].flatMap((batch) =>
          KEPT.map((kept) => ({ layout, rows: 5, columns: 7, depth: 11, bias, epilogue, batch, ...kept })),
        ),
      ),
    ),
  );
}

/**
 * Lets the backend describe products to the real library, and reads back what the library understood. Calls that need a
 * device are answered here: the handle, the choice of an algorithm, and the product.
 */
export function describeProducts(path: string, library: BlasLibrary, tf32: boolean): Described {
  const read = readersOf(path);
  const differences: string[] = [];
  let values = 0;
  let shape: ProductShape | undefined;
  const expect = (title: string, actual: number, wanted: number): void => {
    values++;
    if (actual !== wanted)
      differences.push(`${title} of ${JSON.stringify(shape)}: ${actual}, expected ${wanted}`);
  };
  const described = (
    handle: number,
    description: number,
    matrices: readonly number[],
    preference: number,
  ): void => {
    if (shape === undefined) return;
    checkDescription((attribute) => read.description(description, attribute, 4), shape, tf32, expect);
    checkMatrices(
      matrices.map((matrix) => (attribute, bytes) => read.layout(matrix, attribute, bytes)),
      shape,
      expect,
    );
    expect("alignment", read.preference(preference, BLAS.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, 4), 256);
    expect("handle", handle, HANDLE);
  };
  const blas = new BlasLt({
    session,
    allocator,
    library: { path, api: withoutDevice(library.api, described) },
    tf32,
  });
  for (const each of productShapes()) {
    shape = each;
    blas.multiply(each, {
      left: 256,
      weight: 512,
      result: 1024,
      bias: each.bias ? 2048 : 0,
      accumulate: false,
    });
  }
  blas.dispose();
  return { products: productShapes().length, values, differences };
}

const HANDLE = 77;

/** A device that is never asked anything. */
const session = {
  check: () => undefined,
  launched: () => undefined,
  stream: 0,
  failure: undefined,
  device: { name: "no device" },
} as unknown as Session;
const allocator = {
  allocate: () => ({ address: 4096 }),
  release: () => undefined,
} as unknown as CachingAllocator;

type Expect = (title: string, actual: number, wanted: number) => void;

/** The library's functions, but for those that need a device. */
function withoutDevice(
  api: Foreign<BlasFunction>,
  described: (handle: number, description: number, matrices: readonly number[], preference: number) => void,
): Foreign<BlasFunction> {
  return {
    ...api,
    cublasLtCreate: (handle) => {
      (handle as BigUint64Array)[0] = BigInt(HANDLE);
      return 0;
    },
    cublasLtDestroy: () => 0,
    cublasLtMatmulAlgoGetHeuristic: (handle, description, ...args) => {
      const [weight, left, result, , preference, , , found] = args;
      described(Number(handle), Number(description), [weight, left, result].map(Number), Number(preference));
      (found as Int32Array)[0] = 1;
      return 0;
    },
    cublasLtMatmul: () => 0,
  };
}

function checkDescription(
  read: (attribute: number) => number,
  shape: ProductShape,
  tf32: boolean,
  expect: Expect,
): void {
  const { layout, bias, epilogue, factors } = shape;
  const compute = tf32 && factors === "f32" ? BLAS.CUBLAS_COMPUTE_32F_FAST_TF32 : BLAS.CUBLAS_COMPUTE_32F;
  expect("compute type", read(READ_CONSTANTS.CUBLASLT_MATMUL_DESC_COMPUTE_TYPE), compute);
  expect("scale type", read(READ_CONSTANTS.CUBLASLT_MATMUL_DESC_SCALE_TYPE), BLAS.CUDA_R_32F);
  expect(
    "transposition of A",
    read(BLAS.CUBLASLT_MATMUL_DESC_TRANSA),
    layout === "nt" ? BLAS.CUBLAS_OP_T : BLAS.CUBLAS_OP_N,
  );
  expect(
    "transposition of B",
    read(BLAS.CUBLASLT_MATMUL_DESC_TRANSB),
    layout === "tn" ? BLAS.CUBLAS_OP_T : BLAS.CUBLAS_OP_N,
  );
  const names = { none: ["DEFAULT", "BIAS"], "gelu-tanh": ["GELU", "GELU_BIAS"] } as const;
  const name = names[epilogue][bias ? 1 : 0];
  expect("epilogue", read(BLAS.CUBLASLT_MATMUL_DESC_EPILOGUE), BLAS[`CUBLASLT_EPILOGUE_${name}`]);
}

/** Column-major sizes of the weight (A), the left operand (B) and the result (D), as cuBLASLt must see them. */
function checkMatrices(
  reads: readonly ((attribute: number, bytes: 4 | 8) => number)[],
  { layout, rows, columns, depth, batch, factors, kept }: ProductShape,
  expect: Expect,
): void {
  const sizes = [
    layout === "nt" ? [depth, columns] : [columns, depth],
    layout === "tn" ? [rows, depth] : [depth, rows],
    [columns, rows],
  ];
  for (const [i, read] of reads.entries()) {
    const [high = 0, wide = 0] = sizes[i] ?? [];
    const type = (i < 2 ? factors : kept) === "bf16" ? BLAS.CUDA_R_16BF : BLAS.CUDA_R_32F;
    expect(`type of matrix ${i}`, read(READ_CONSTANTS.CUBLASLT_MATRIX_LAYOUT_TYPE, 4), type);
    expect(`rows of matrix ${i}`, read(READ_CONSTANTS.CUBLASLT_MATRIX_LAYOUT_ROWS, 8), high);
    expect(`columns of matrix ${i}`, read(READ_CONSTANTS.CUBLASLT_MATRIX_LAYOUT_COLS, 8), wide);
    expect(`leading dimension of matrix ${i}`, read(READ_CONSTANTS.CUBLASLT_MATRIX_LAYOUT_LD, 8), high);
    expect(`batch of matrix ${i}`, read(BLAS.CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, 4), batch);
    const stride = read(BLAS.CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, 8);
    expect(`stride of matrix ${i}`, stride, batch === 1 ? 0 : high * wide);
  }
}

function readersOf(path: string): Readonly<Record<keyof typeof READ_PROTOTYPES, Reader>> {
  const api = loadLibrary<keyof typeof READ_PROTOTYPES>(path, READ_PROTOTYPES);
  const reader =
    (name: keyof typeof READ_PROTOTYPES): Reader =>
    (handle, attribute, bytes) => {
      const value = bytes === 4 ? new Int32Array(1) : new BigInt64Array(1);
      const code = api[name](handle, attribute, value, bytes, new BigUint64Array(1));
      return code === 0 ? Number(value[0]) : Number.NaN;
    };
  return { description: reader("description"), layout: reader("layout"), preference: reader("preference") };
}
