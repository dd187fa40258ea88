/** Every function of cuBLASLt that we call, as cublasLt.h declares it. */
export const CUBLASLT_PROTOTYPES = {
  cublasLtGetVersion: "size_t cublasLtGetVersion()",
  cublasLtCreate: "cublasStatus_t cublasLtCreate(cublasLtHandle_t *lightHandle)",
  cublasLtDestroy: "cublasStatus_t cublasLtDestroy(cublasLtHandle_t lightHandle)",
  cublasLtMatmulDescCreate:
    "cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *matmulDesc, cublasComputeType_t computeType, cudaDataType_t scaleType)",
  cublasLtMatmulDescDestroy: "cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t matmulDesc)",
  cublasLtMatmulDescSetAttribute:
    "cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t matmulDesc, cublasLtMatmulDescAttributes_t attr, const void *buf, size_t sizeInBytes)",
  cublasLtMatrixLayoutCreate:
    "cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *matLayout, cudaDataType type, uint64_t rows, uint64_t cols, int64_t ld)",
  cublasLtMatrixLayoutDestroy: "cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t matLayout)",
  cublasLtMatrixLayoutSetAttribute:
    "cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t matLayout, cublasLtMatrixLayoutAttribute_t attr, const void *buf, size_t sizeInBytes)",
  cublasLtMatmulPreferenceCreate:
    "cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *pref)",
  cublasLtMatmulPreferenceDestroy:
    "cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t pref)",
  cublasLtMatmulPreferenceSetAttribute:
    "cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t pref, cublasLtMatmulPreferenceAttributes_t attr, const void *buf, size_t sizeInBytes)",
  cublasLtMatmulAlgoGetHeuristic:
    "cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t lightHandle, cublasLtMatmulDesc_t operationDesc, cublasLtMatrixLayout_t Adesc, cublasLtMatrixLayout_t Bdesc, cublasLtMatrixLayout_t Cdesc, cublasLtMatrixLayout_t Ddesc, cublasLtMatmulPreference_t preference, int requestedAlgoCount, cublasLtMatmulHeuristicResult_t *heuristicResultsArray, int *returnAlgoCount)",
  cublasLtMatmul:
    "cublasStatus_t cublasLtMatmul(cublasLtHandle_t lightHandle, cublasLtMatmulDesc_t computeDesc, const void *alpha, const void *A, cublasLtMatrixLayout_t Adesc, const void *B, cublasLtMatrixLayout_t Bdesc, const void *beta, const void *C, cublasLtMatrixLayout_t Cdesc, void *D, cublasLtMatrixLayout_t Ddesc, const cublasLtMatmulAlgo_t *algo, void *workspace, size_t workspaceSizeInBytes, cudaStream_t stream)",
} as const;

/** A function of cuBLASLt. */
export type BlasFunction = keyof typeof CUBLASLT_PROTOTYPES;

/** Values of cublasLt.h's and library_types.h's enumerations that we use. */
export const BLAS = {
  CUBLAS_STATUS_SUCCESS: 0,
  CUBLAS_STATUS_NOT_INITIALIZED: 1,
  CUBLAS_STATUS_ALLOC_FAILED: 3,
  CUBLAS_STATUS_INVALID_VALUE: 7,
  CUBLAS_STATUS_ARCH_MISMATCH: 8,
  CUBLAS_STATUS_EXECUTION_FAILED: 13,
  CUBLAS_STATUS_INTERNAL_ERROR: 14,
  CUBLAS_STATUS_NOT_SUPPORTED: 15,
  CUBLAS_COMPUTE_32F: 68,
  CUBLAS_COMPUTE_32F_FAST_TF32: 77,
  CUDA_R_32F: 0,
  CUDA_R_16F: 2,
  CUDA_R_16BF: 14,
  CUBLAS_OP_N: 0,
  CUBLAS_OP_T: 1,
  CUBLASLT_MATMUL_DESC_TRANSA: 3,
  CUBLASLT_MATMUL_DESC_TRANSB: 4,
  CUBLASLT_MATMUL_DESC_EPILOGUE: 7,
  CUBLASLT_MATMUL_DESC_BIAS_POINTER: 8,
  CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT: 5,
  CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET: 6,
  CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES: 1,
  CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK: 3,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES: 5,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES: 6,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES: 7,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES: 8,
  CUBLASLT_EPILOGUE_DEFAULT: 1,
  CUBLASLT_EPILOGUE_BIAS: 4,
  CUBLASLT_EPILOGUE_GELU: 32,
  CUBLASLT_EPILOGUE_GELU_BIAS: 36,
  CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE: 2,
  CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE: 4,
} as const;

/** Bytes of a `cublasLtMatmulHeuristicResult_t`, of the algorithm that it begins with, and where its workspace stands. */
export const HEURISTIC = { bytes: 96, algorithmBytes: 64, workspaceAt: 64 } as const;
