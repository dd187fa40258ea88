import { BasicError } from "@basic-mllm/core";

import type { Session } from "../device/session.js";
import type { Foreign, ForeignArgument } from "../foreign/library.js";
import type { Block, CachingAllocator } from "../memory/allocator.js";
import type { ElementStorage } from "../memory/storage.js";
import { BLAS, type BlasFunction, HEURISTIC } from "./prototypes.js";

/** What the result goes through on its way out. */
export type Epilogue = "none" | "gelu-tanh";

/**
 * A product of row-major matrices: `result [rows, columns]`. `nt`: left `[rows, depth]`, weight `[columns, depth]`; `nn`:
 * weight `[depth, columns]`; `tn`: left `[depth, rows]`, weight `[depth, columns]`.
 */
export interface ProductShape {
  readonly layout: "nt" | "nn" | "tn";
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly bias: boolean;
  readonly epilogue: Epilogue;
  /** Independent products, one after the other in memory. 1 for a plain product. */
  readonly batch: number;
  /** How both factors are kept. Sums are in float32. */
  readonly factors: ElementStorage;
  /** How the result and the bias are kept; `f32` unless the factors are in bf16. */
  readonly kept: ElementStorage;
}

/** Addresses of a product. */
export interface ProductOperands {
  readonly left: number;
  readonly weight: number;
  readonly result: number;
  /** `[columns]`; 0 without bias. */
  readonly bias: number;
  /** Adds to `result` instead of writing it. */
  readonly accumulate: boolean;
}

/** A product that has been described to the library, and how it computes it. */
interface Plan {
  readonly shape: ProductShape;
  readonly description: number;
  readonly weight: number;
  readonly left: number;
  readonly result: number;
  readonly algorithm: Uint8Array;
  readonly workspaceBytes: number;
}

/** The library, and where it is. */
export interface BlasLibrary {
  readonly path: string;
  readonly api: Foreign<BlasFunction>;
}

/** How products are computed. */
export interface BlasOptions {
  readonly session: Session;
  readonly allocator: CachingAllocator;
  readonly library: BlasLibrary;
  /** Rounds float32 factors to 10 bits of mantissa, for tensor cores. */
  readonly tf32: boolean;
}

/** What an algorithm may use: NVIDIA's advice for its newest GPUs. */
const WORKSPACE_BYTES = 32 * 2 ** 20;

/** Descriptions that are kept. */
const MOST_PLANS = 4096;

/** Sums that are split are added in a fixed order: without the scheme in place, results are the same in every run. */
const REDUCTIONS = BLAS.CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE | BLAS.CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE;

/** Matrix products by cuBLASLt. Descriptions and algorithms are kept by shape. */
export class BlasLt {
  /** What products take beside their operands. */
  static readonly workspaceBytes = WORKSPACE_BYTES;
  readonly #options: BlasOptions;
  readonly #api: Foreign<BlasFunction>;
  readonly #handle: number;
  readonly #preference: number;
  readonly #plans = new Map<string, Plan>();
  readonly #alpha = new Float32Array([1]);
  readonly #beta = new Float32Array(1);
  readonly #pointer = new BigUint64Array(1);
  #workspace: Block | undefined;

  /** @throws BasicError `E_KERNEL_FAILED` where the library does not start. */
  constructor(options: BlasOptions) {
    this.#options = options;
    this.#api = options.library.api;
    this.#handle = this.#handleFrom("cublasLtCreate");
    this.#preference = this.#handleFrom("cublasLtMatmulPreferenceCreate");
    const set = "cublasLtMatmulPreferenceSetAttribute";
    const workspace = new BigUint64Array([BigInt(WORKSPACE_BYTES)]);
    this.#call(set, this.#preference, BLAS.CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace, 8);
    const reductions = new Uint32Array([REDUCTIONS]);
    this.#call(set, this.#preference, BLAS.CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, reductions, 4);
  }

  /** The library, and where it is. */
  get library(): BlasLibrary {
    return this.#options.library;
  }

  /** Whether the workspace has been taken. */
  get hasWorkspace(): boolean {
    return this.#workspace !== undefined;
  }

  /** Products that were described so far. */
  get plans(): number {
    return this.#plans.size;
  }

  /** Enqueues a product. */
  multiply(shape: ProductShape, { left, weight, result, bias, accumulate }: ProductOperands): void {
    const { session } = this.#options;
    session.check();
    const plan = this.#planOf(shape, alignmentOf(left, weight, result));
    if (shape.bias) {
      this.#pointer[0] = BigInt(bias);
      this.#describe(plan.description, BLAS.CUBLASLT_MATMUL_DESC_BIAS_POINTER, this.#pointer);
    }
    this.#beta[0] = accumulate ? 1 : 0;
    const code = this.#api.cublasLtMatmul(
      this.#handle,
      plan.description,
      this.#alpha,
      weight,
      plan.weight,
      left,
      plan.left,
      this.#beta,
      result,
      plan.result,
      result,
      plan.result,
      plan.algorithm,
      this.#workspaceOf(plan.workspaceBytes),
      plan.workspaceBytes,
      session.stream,
    );
    if (code !== BLAS.CUBLAS_STATUS_SUCCESS) throw this.#refused("cublasLtMatmul", code, nameOf(shape));
    session.launched(nameOf(shape));
  }

  /** Gives everything back. */
  dispose(): void {
    for (const plan of this.#plans.values()) this.#destroy(plan);
    this.#plans.clear();
    if (this.#workspace !== undefined) this.#options.allocator.release(this.#workspace);
    this.#call("cublasLtMatmulPreferenceDestroy", this.#preference);
    this.#call("cublasLtDestroy", this.#handle);
  }

  #planOf(shape: ProductShape, alignment: number): Plan {
    const { layout, rows, columns, depth, bias, epilogue, batch, factors, kept } = shape;
    const key = `${layout} ${rows} ${columns} ${depth} ${bias} ${epilogue} ${batch} ${factors} ${kept} ${alignment}`;
    const known = this.#plans.get(key);
    if (known !== undefined) {
      // Most recently used ones are last.
      this.#plans.delete(key);
      this.#plans.set(key, known);
      return known;
    }
    const plan = this.#plan(shape, alignment);
    this.#plans.set(key, plan);
    this.#forgetOldPlans();
    return plan;
  }

  /** Row counts of packed batches differ from step to step: without a bound, descriptions would pile up. */
  #forgetOldPlans(): void {
    for (const [key, plan] of this.#plans) {
      if (this.#plans.size <= MOST_PLANS) return;
      this.#destroy(plan);
      this.#plans.delete(key);
    }
  }

  #destroy({ description, weight, left, result }: Plan): void {
    for (const matrix of [weight, left, result]) this.#call("cublasLtMatrixLayoutDestroy", matrix);
    this.#call("cublasLtMatmulDescDestroy", description);
  }

  /**
   * cuBLASLt is column-major: a row-major matrix is its transpose there, so it computes `resultᵀ = op(weight) op(left)`.
   */
  #plan(shape: ProductShape, alignment: number): Plan {
    const { layout, rows, columns, depth, factors, kept } = shape;
    const rounds = this.#options.tf32 && factors === "f32";
    const compute = rounds ? BLAS.CUBLAS_COMPUTE_32F_FAST_TF32 : BLAS.CUBLAS_COMPUTE_32F;
    const description = this.#handleFrom("cublasLtMatmulDescCreate", compute, BLAS.CUDA_R_32F);
    const transpose = (yes: boolean) => new Int32Array([yes ? BLAS.CUBLAS_OP_T : BLAS.CUBLAS_OP_N]);
    this.#describe(description, BLAS.CUBLASLT_MATMUL_DESC_TRANSA, transpose(layout === "nt"));
    this.#describe(description, BLAS.CUBLASLT_MATMUL_DESC_TRANSB, transpose(layout === "tn"));
    this.#describe(description, BLAS.CUBLASLT_MATMUL_DESC_EPILOGUE, new Int32Array([epilogueOf(shape)]));
    const factor = (height: number, width: number) =>
      this.#matrix(height, width, { shape, storage: factors });
    const matrices = {
      weight: layout === "nt" ? factor(depth, columns) : factor(columns, depth),
      left: layout === "tn" ? factor(rows, depth) : factor(depth, rows),
      result: this.#matrix(columns, rows, { shape, storage: kept }),
    };
    this.#expect(alignment);
    return { shape, description, ...matrices, ...this.#algorithmOf(shape, description, matrices) };
  }

  /** A column-major matrix without gaps. */
  #matrix(rows: number, columns: number, { shape: { batch }, storage }: Kept): number {
    const matrix = this.#handleFrom("cublasLtMatrixLayoutCreate", TYPES[storage], rows, columns, rows);
    if (batch === 1) return matrix;
    const set = "cublasLtMatrixLayoutSetAttribute";
    this.#call(set, matrix, BLAS.CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, new Int32Array([batch]), 4);
    const stride = new BigInt64Array([BigInt(rows * columns)]);
    this.#call(set, matrix, BLAS.CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, stride, 8);
    return matrix;
  }

  /** Algorithms are chosen for operands that stand on multiples of so many bytes. */
  #expect(alignment: number): void {
    const value = new Uint32Array([alignment]);
    for (const attribute of ALIGNMENTS) {
      this.#call("cublasLtMatmulPreferenceSetAttribute", this.#preference, attribute, value, 4);
    }
  }

  #algorithmOf(
    shape: ProductShape,
    description: number,
    { weight, left, result }: Pick<Plan, "weight" | "left" | "result">,
  ): Pick<Plan, "algorithm" | "workspaceBytes"> {
    const found = new Int32Array(1);
    const heuristic = new Uint8Array(HEURISTIC.bytes);
    const name = "cublasLtMatmulAlgoGetHeuristic";
    const matrices = [weight, left, result, result];
    const wanted = [this.#preference, 1, heuristic, found];
    const code = this.#api[name](this.#handle, description, ...matrices, ...wanted);
    if (code !== BLAS.CUBLAS_STATUS_SUCCESS || found[0] === 0) throw this.#refused(name, code, nameOf(shape));
    return {
      algorithm: heuristic.slice(0, HEURISTIC.algorithmBytes),
      workspaceBytes: Number(new DataView(heuristic.buffer).getBigUint64(HEURISTIC.workspaceAt, true)),
    };
  }

  /** One workspace for all products: they run one after the other. */
  #workspaceOf(bytes: number): number {
    if (bytes === 0) return 0;
    this.#workspace ??= this.#options.allocator.allocate(WORKSPACE_BYTES);
    return this.#workspace.address;
  }

  #describe(description: number, attribute: number, value: Int32Array | BigUint64Array): void {
    this.#call("cublasLtMatmulDescSetAttribute", description, attribute, value, value.byteLength);
  }

  #handleFrom(name: BlasFunction, ...args: readonly ForeignArgument[]): number {
    const handle = new BigUint64Array(1);
    this.#call(name, handle, ...args);
    return Number(handle[0]);
  }

  #call(name: BlasFunction, ...args: readonly ForeignArgument[]): void {
    const code = this.#api[name](...args);
    if (code !== BLAS.CUBLAS_STATUS_SUCCESS) throw this.#refused(name, code, undefined);
  }

  #refused(name: BlasFunction, code: number, product: string | undefined): BasicError {
    const { session, library } = this.#options;
    if (session.failure !== undefined) return session.failure;
    const status = Object.entries(BLAS).find(
      ([key, value]) => key.includes("_STATUS_") && value === code,
    )?.[0];
    const what = product === undefined ? "" : ` for the product "${product}"`;
    return new BasicError(
      "E_KERNEL_FAILED",
      `cuBLASLt refused a call${what} on the CUDA device "${session.device.name}": ${status ?? `status ${code}`} from ${name} ` +
        `(${library.path}). Check that the library fits the driver with \`basic-mllm doctor\`, and report this with its output.`,
    );
  }
}

/** A product, and how one of its matrices is kept. */
interface Kept {
  readonly shape: ProductShape;
  readonly storage: ElementStorage;
}

const TYPES: Readonly<Record<ElementStorage, number>> = { f32: BLAS.CUDA_R_32F, bf16: BLAS.CUDA_R_16BF };

const ALIGNMENTS = [
  BLAS.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
  BLAS.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
  BLAS.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
  BLAS.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES,
];

/** Largest power of two up to 256 that all addresses are multiples of. */
function alignmentOf(...addresses: readonly number[]): number {
  let alignment = 256;
  while (addresses.some((address) => address % alignment !== 0)) alignment /= 2;
  return alignment;
}

function epilogueOf({ bias, epilogue }: ProductShape): number {
  if (epilogue === "none") return bias ? BLAS.CUBLASLT_EPILOGUE_BIAS : BLAS.CUBLASLT_EPILOGUE_DEFAULT;
  return bias ? BLAS.CUBLASLT_EPILOGUE_GELU_BIAS : BLAS.CUBLASLT_EPILOGUE_GELU;
}

function nameOf({ layout, rows, columns, depth, factors }: ProductShape): string {
  return `matmul ${layout} ${rows}x${columns}x${depth}${factors === "bf16" ? " bf16" : ""}`;
}
