// Stand-in for libcublasLt: descriptions as the real library takes them, products on the CPU in the order of the stream.
#include <cstdio>
#include <cstring>
#include <memory>

#include "product.h"

#define BLAS extern "C" __attribute__((visibility("default"))) int

// Of the stand-in for the driver.
extern "C" int fakecuda_enqueue(void* stream, int (*work)(void*), void* argument);
extern "C" int fakecuda_allocated(uint64_t address, size_t bytes);
extern "C" void fakecuda_explain(const char* fault);

namespace blas {

namespace {

constexpr int ILLEGAL_ADDRESS = 700;
constexpr size_t WORKSPACE_BYTES = 1024;

struct Handle {};
struct Preference {
  uint64_t workspace = 0;
  uint32_t reductions = ~0u;
  uint32_t alignment[4] = { 256, 256, 256, 256 };
};

template <class T>
int set(T& field, const void* value, size_t bytes) {
  if (bytes != sizeof(T)) return INVALID_VALUE;
  memcpy(&field, value, sizeof(T));
  return SUCCESS;
}

bool is_type(int type) { return type == F32 || type == F16 || type == BF16; }

// Bytes from the first element of a matrix to its end.
size_t extent(const Matrix& matrix) {
  const size_t last = (size_t)(matrix.batch - 1) * (size_t)matrix.stride;
  const size_t one = matrix.columns == 0 ? 0 : (matrix.columns - 1) * (size_t)matrix.leading + matrix.rows;
  return (last + one) * bytes_of(matrix.type);
}

bool allocated(const char* name, const void* data, size_t bytes) {
  if (fakecuda_allocated((uint64_t)data, bytes)) return true;
  char text[160];
  snprintf(text, sizeof text, "memcheck: operand %s of a product has %zu bytes at %p, outside of every allocation [cublasLtMatmul]",
           name, bytes, data);
  fakecuda_explain(text);
  return false;
}

int execute(void* argument) {
  const std::unique_ptr<Product> product(static_cast<Product*>(argument));
  const auto& [description, a, b, c, d, a_data, b_data, c_data, d_data, alpha, beta] = *product;
  bool inside = allocated("A", a_data, extent(a)) && allocated("B", b_data, extent(b)) && allocated("D", d_data, extent(d));
  if (inside && beta != 0) inside = allocated("C", c_data, extent(c));
  if (inside && description.epilogue & BIAS) inside = allocated("bias", description.bias, product->rows() * bytes_of(d.type));
  if (!inside) return ILLEGAL_ADDRESS;
  multiply(*product);
  return SUCCESS;
}

// What the library says to a description.
int validity(const Product& product) {
  const auto& [description, a, b, c, d, a_data, b_data, c_data, d_data, alpha, beta] = product;
  const uint64_t depth = description.transpose_b ? b.columns : b.rows;
  if (product.depth() != depth || d.rows != product.rows() || d.columns != product.columns()) return INVALID_VALUE;
  if (c.rows != d.rows || c.columns != d.columns) return INVALID_VALUE;
  if (a.batch != d.batch || b.batch != d.batch || c.batch != d.batch) return INVALID_VALUE;
  if (a.type != b.type || c.type != d.type || (d.type != F32 && d.type != a.type)) return NOT_SUPPORTED;
  if (description.transpose_c != NONE || description.scale != F32) return NOT_SUPPORTED;
  switch (description.epilogue) {
    case DEFAULT:
    case RELU:
    case GELU: return SUCCESS;
    case BIAS:
    case RELU_BIAS:
    case GELU_BIAS: return SUCCESS;
    default: return NOT_SUPPORTED;
  }
}

}  // namespace

BLAS cublasLtCreate(Handle** handle) {
  *handle = new Handle;
  return SUCCESS;
}

BLAS cublasLtDestroy(Handle* handle) {
  delete handle;
  return SUCCESS;
}

extern "C" __attribute__((visibility("default"))) size_t cublasLtGetVersion() { return 120900; }

BLAS cublasLtMatmulDescCreate(Description** description, int compute, int scale) {
  if (compute != COMPUTE_32F && compute != COMPUTE_32F_FAST_TF32) return NOT_SUPPORTED;
  *description = new Description{ (Compute)compute, (Type)scale };
  return SUCCESS;
}

BLAS cublasLtMatmulDescDestroy(Description* description) {
  delete description;
  return SUCCESS;
}

BLAS cublasLtMatmulDescSetAttribute(Description* description, int attribute, const void* value, size_t bytes) {
  switch (attribute) {
    case TRANSA: return set(description->transpose_a, value, bytes);
    case TRANSB: return set(description->transpose_b, value, bytes);
    case TRANSC: return set(description->transpose_c, value, bytes);
    case EPILOGUE: return set(description->epilogue, value, bytes);
    case BIAS_POINTER: return set(description->bias, value, bytes);
    default: return NOT_SUPPORTED;
  }
}

BLAS cublasLtMatrixLayoutCreate(Matrix** matrix, int type, uint64_t rows, uint64_t columns, int64_t leading) {
  if (!is_type(type) || leading < (int64_t)rows) return INVALID_VALUE;
  *matrix = new Matrix{ (Type)type, rows, columns, leading };
  return SUCCESS;
}

BLAS cublasLtMatrixLayoutDestroy(Matrix* matrix) {
  delete matrix;
  return SUCCESS;
}

BLAS cublasLtMatrixLayoutSetAttribute(Matrix* matrix, int attribute, const void* value, size_t bytes) {
  switch (attribute) {
    case BATCH_COUNT: return set(matrix->batch, value, bytes);
    case STRIDED_BATCH_OFFSET: return set(matrix->stride, value, bytes);
    default: return NOT_SUPPORTED;
  }
}

BLAS cublasLtMatmulPreferenceCreate(Preference** preference) {
  *preference = new Preference;
  return SUCCESS;
}

BLAS cublasLtMatmulPreferenceDestroy(Preference* preference) {
  delete preference;
  return SUCCESS;
}

BLAS cublasLtMatmulPreferenceSetAttribute(Preference* preference, int attribute, const void* value, size_t bytes) {
  if (attribute == MAX_WORKSPACE_BYTES) return set(preference->workspace, value, bytes);
  if (attribute == REDUCTION_SCHEME_MASK) return set(preference->reductions, value, bytes);
  if (attribute >= MIN_ALIGNMENT_A_BYTES && attribute <= MIN_ALIGNMENT_D_BYTES)
    return set(preference->alignment[attribute - MIN_ALIGNMENT_A_BYTES], value, bytes);
  return NOT_SUPPORTED;
}

BLAS cublasLtMatmulAlgoGetHeuristic(Handle* handle, const Description* description, const Matrix* a, const Matrix* b,
                                    const Matrix* c, const Matrix* d, const Preference* preference, int wanted,
                                    HeuristicResult* results, int* count) {
  *count = 0;
  if (handle == nullptr || wanted < 1) return INVALID_VALUE;
  const Product product{ *description, *a, *b, *c, *d, nullptr, nullptr, nullptr, nullptr, 1, 0 };
  if (int refused = validity(product)) return refused;
  const size_t workspace = preference->workspace < WORKSPACE_BYTES ? 0 : WORKSPACE_BYTES;
  results[0] = { {}, workspace, SUCCESS, 1, {} };
  *count = 1;
  return SUCCESS;
}

BLAS cublasLtMatmul(Handle* handle, const Description* description, const float* alpha, const void* a, const Matrix* a_layout,
                    const void* b, const Matrix* b_layout, const float* beta, const void* c, const Matrix* c_layout, void* d,
                    const Matrix* d_layout, const Algorithm*, void* workspace, size_t workspace_bytes, void* stream) {
  if (handle == nullptr) return NOT_INITIALIZED;
  // The two factors are the host's, and may change after the call.
  auto product = std::make_unique<Product>(Product{ *description, *a_layout, *b_layout, *c_layout, *d_layout, a, b, c, d,
                                                    *alpha, *beta });
  if (int refused = validity(*product)) return refused;
  if (workspace_bytes > 0 && !fakecuda_allocated((uint64_t)workspace, workspace_bytes)) return INVALID_VALUE;
  return fakecuda_enqueue(stream, execute, product.release()) == 0 ? SUCCESS : EXECUTION_FAILED;
}

}  // namespace blas
