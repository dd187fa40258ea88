// Values of cublasLt.h and library_types.h that the stand-in knows. The header itself comes only with a package of 400 MB;
// the check against the real library compares them.
#pragma once
#include <cstddef>
#include <cstdint>

namespace blas {

enum Status : int {
  SUCCESS = 0,
  NOT_INITIALIZED = 1,
  INVALID_VALUE = 7,
  EXECUTION_FAILED = 13,
  NOT_SUPPORTED = 15,
};

enum Compute : int { COMPUTE_32F = 68, COMPUTE_32F_FAST_TF32 = 77 };
enum Type : int { F32 = 0, F16 = 2, BF16 = 14 };
enum Transpose : int { NONE = 0, TRANSPOSED = 1 };
enum Epilogue : int { DEFAULT = 1, RELU = 2, BIAS = 4, RELU_BIAS = 6, GELU = 32, GELU_BIAS = 36 };

enum DescriptionAttribute : int {
  COMPUTE_TYPE = 0,
  SCALE_TYPE = 1,
  POINTER_MODE = 2,
  TRANSA = 3,
  TRANSB = 4,
  TRANSC = 5,
  EPILOGUE = 7,
  BIAS_POINTER = 8,
};

enum LayoutAttribute : int { BATCH_COUNT = 5, STRIDED_BATCH_OFFSET = 6 };

enum PreferenceAttribute : int {
  SEARCH_MODE = 0,
  MAX_WORKSPACE_BYTES = 1,
  REDUCTION_SCHEME_MASK = 3,
  MIN_ALIGNMENT_A_BYTES = 5,
  MIN_ALIGNMENT_D_BYTES = 8,
};

// As the library writes it.
struct Algorithm {
  uint64_t data[8];
};
struct HeuristicResult {
  Algorithm algorithm;
  size_t workspace_bytes;
  int status;
  float waves;
  int reserved[4];
};

}  // namespace blas
