import { BLAS, type BlasFunction } from "../../src/cublaslt/prototypes.js";
import type { Foreign, ForeignArgument } from "../../src/foreign/library.js";

/** A library's answers, by what was asked. */
export type Answers = ReadonlyMap<string, number>;

type Value = Int32Array | Uint32Array | BigInt64Array | BigUint64Array;

/** Attributes that we set, with a value of the right size. */
const DESCRIPTION: Readonly<Record<string, readonly [attribute: number, value: Value]>> = {
  TRANSA: [BLAS.CUBLASLT_MATMUL_DESC_TRANSA, Int32Array.of(BLAS.CUBLAS_OP_T)],
  TRANSB: [BLAS.CUBLASLT_MATMUL_DESC_TRANSB, Int32Array.of(BLAS.CUBLAS_OP_N)],
  EPILOGUE: [BLAS.CUBLASLT_MATMUL_DESC_EPILOGUE, Int32Array.of(BLAS.CUBLASLT_EPILOGUE_GELU_BIAS)],
  BIAS_POINTER: [BLAS.CUBLASLT_MATMUL_DESC_BIAS_POINTER, BigUint64Array.of(4096n)],
};
const LAYOUT: typeof DESCRIPTION = {
  BATCH_COUNT: [BLAS.CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, Int32Array.of(3)],
  STRIDED_BATCH_OFFSET: [BLAS.CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, BigInt64Array.of(20n)],
};
const PREFERENCE: typeof DESCRIPTION = {
  MAX_WORKSPACE_BYTES: [BLAS.CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, BigUint64Array.of(2n ** 25n)],
  REDUCTION_SCHEME_MASK: [BLAS.CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, Uint32Array.of(6)],
  MIN_ALIGNMENT_A_BYTES: [BLAS.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, Uint32Array.of(16)],
  MIN_ALIGNMENT_B_BYTES: [BLAS.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, Uint32Array.of(16)],
  MIN_ALIGNMENT_C_BYTES: [BLAS.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, Uint32Array.of(16)],
  MIN_ALIGNMENT_D_BYTES: [BLAS.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, Uint32Array.of(256)],
};

/** Compute types of descriptions: those that we use, and a number that is none. */
const COMPUTE = { "32F": BLAS.CUBLAS_COMPUTE_32F, TF32: BLAS.CUBLAS_COMPUTE_32F_FAST_TF32, none: 9999 };
const TYPES = { F32: BLAS.CUDA_R_32F, F16: BLAS.CUDA_R_16F, BF16: BLAS.CUDA_R_16BF, none: 9999 };

/** A number that is no attribute of anything. */
const UNKNOWN = 9999;

/**
 * Makes descriptions, layouts and preferences, sets every attribute that we use, and what is wrong: other sizes, unknown
 * attributes, leading dimensions that are too small. Needs no device.
 */
export function askBlas(api: Foreign<BlasFunction>): Answers {
  const answers = new Map<string, number>();
  const ask = (call: string, name: BlasFunction, ...args: readonly ForeignArgument[]): boolean => {
    const code = api[name](...args);
    answers.set(call, code);
    return code === BLAS.CUBLAS_STATUS_SUCCESS;
  };
  /** A handle to set attributes of. */
  const make = (call: string, name: BlasFunction, ...args: readonly ForeignArgument[]): number => {
    const handle = new BigUint64Array(1);
    return ask(call, name, handle, ...args) ? Number(handle[0]) : 0;
  };
  const set = (of: string, name: BlasFunction, handle: number, attributes: typeof DESCRIPTION): void => {
    for (const [title, [attribute, value]] of Object.entries(attributes)) {
      const bytes = value.byteLength;
      const padded = new Uint8Array(2 * bytes);
      padded.set(new Uint8Array(value.buffer));
      for (const size of [bytes, bytes - 1, bytes / 2, 2 * bytes, 0])
        ask(`${of}: ${title} of ${size} bytes`, name, handle, attribute, padded, size);
    }
    ask(`${of}: an attribute that is none`, name, handle, UNKNOWN, new Int32Array(1), 4);
  };

  for (const [title, compute] of Object.entries(COMPUTE)) {
    const made = make(`description ${title}`, "cublasLtMatmulDescCreate", compute, BLAS.CUDA_R_32F);
    if (made === 0) continue;
    set(`description ${title}`, "cublasLtMatmulDescSetAttribute", made, DESCRIPTION);
    ask(`destroy description ${title}`, "cublasLtMatmulDescDestroy", made);
  }
  for (const [title, type] of Object.entries(TYPES)) {
    const made = make(`layout ${title}`, "cublasLtMatrixLayoutCreate", type, 4, 5, 4);
    if (made === 0) continue;
    set(`layout ${title}`, "cublasLtMatrixLayoutSetAttribute", made, LAYOUT);
    ask(`destroy layout ${title}`, "cublasLtMatrixLayoutDestroy", made);
  }
  for (const [rows, columns, leading] of [
    [4, 5, 8],
    [1, 1, 1],
    [4, 5, 3],
    [4, 5, 0],
    [0, 5, 0],
    [4, 0, 4],
    [4, 5, -4],
  ] as const) {
    const made = make(
      `layout ${rows}x${columns}, ${leading} apart`,
      "cublasLtMatrixLayoutCreate",
      0,
      rows,
      columns,
      leading,
    );
    if (made !== 0)
      ask(`destroy layout ${rows}x${columns}, ${leading} apart`, "cublasLtMatrixLayoutDestroy", made);
  }
  const preference = make("preference", "cublasLtMatmulPreferenceCreate");
  set("preference", "cublasLtMatmulPreferenceSetAttribute", preference, PREFERENCE);
  ask("destroy preference", "cublasLtMatmulPreferenceDestroy", preference);
  return answers;
}
