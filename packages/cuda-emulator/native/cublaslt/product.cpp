#include "product.h"

#include <cmath>
#include <cstring>
#include <vector>

namespace blas {

namespace {

// Sums run in so many lanes, as those of a GPU run in parts; a compiler makes vectors of them.
constexpr size_t LANES = 16;

float bits_to_float(uint32_t bits) { return __builtin_bit_cast(float, bits); }
uint32_t float_to_bits(float value) { return __builtin_bit_cast(uint32_t, value); }

float load(const void* data, int64_t index, Type type) {
  if (type == F32) return static_cast<const float*>(data)[index];
  const uint16_t bits = static_cast<const uint16_t*>(data)[index];
  return type == BF16 ? bits_to_float((uint32_t)bits << 16) : (float)__builtin_bit_cast(_Float16, bits);
}

void store(void* data, int64_t index, Type type, float value) {
  if (type == F32) {
    static_cast<float*>(data)[index] = value;
    return;
  }
  uint16_t bits;
  if (type == F16) bits = __builtin_bit_cast(uint16_t, (_Float16)value);
  else if (value != value) bits = 0x7fff;
  else bits = (uint16_t)((float_to_bits(value) + 0x7fff + (float_to_bits(value) >> 16 & 1)) >> 16);
  static_cast<uint16_t*>(data)[index] = bits;
}

float to_tf32(float value) {
  const uint32_t bits = float_to_bits(value);
  return (bits & 0x7f800000) == 0x7f800000 ? value : bits_to_float((bits + 0x1000) & ~0x1fffu);
}

// An operand with its depth innermost and padded with zeros.
std::vector<float> packed(const void* data, const Matrix& matrix, bool depth_is_row, const Product& product, int batch) {
  const size_t depth = product.depth(), padded = (depth + LANES - 1) / LANES * LANES;
  const size_t count = depth_is_row ? matrix.columns : matrix.rows;
  const bool tf32 = product.description.compute == COMPUTE_32F_FAST_TF32 && matrix.type == F32;
  std::vector<float> result(count * padded);
  for (size_t outer = 0; outer < count; outer++)
    for (size_t inner = 0; inner < depth; inner++) {
      const int64_t at = depth_is_row ? (int64_t)outer * matrix.leading + (int64_t)inner
                                      : (int64_t)inner * matrix.leading + (int64_t)outer;
      const float value = load(data, batch * matrix.stride + at, matrix.type);
      result[outer * padded + inner] = tf32 ? to_tf32(value) : value;
    }
  return result;
}

float dot(const float* a, const float* b, size_t padded) {
  float sums[LANES] = {};
  for (size_t at = 0; at < padded; at += LANES)
    for (size_t lane = 0; lane < LANES; lane++) sums[lane] += a[at + lane] * b[at + lane];
  for (size_t half = LANES / 2; half > 0; half /= 2)
    for (size_t lane = 0; lane < half; lane++) sums[lane] += sums[lane + half];
  return sums[0];
}

// GELU by tanh, as the library's.
float gelu(float x) { return 0.5f * x * (1 + std::tanh(0.7978845608028654f * (x + 0.044715f * x * x * x))); }

float finished(float value, const Description& description, uint64_t row, Type type) {
  const int epilogue = description.epilogue;
  if (epilogue & BIAS) value += load(description.bias, (int64_t)row, type);
  if (epilogue & RELU) value = value > 0 ? value : 0;
  return epilogue & GELU ? gelu(value) : value;
}

void multiply_batch(const Product& product, int batch) {
  const auto& [description, a, b, c, d, a_data, b_data, c_data, d_data, alpha, beta] = product;
  const size_t padded = (product.depth() + LANES - 1) / LANES * LANES;
  const std::vector<float> left = packed(a_data, a, description.transpose_a != NONE, product, batch);
  const std::vector<float> right = packed(b_data, b, description.transpose_b == NONE, product, batch);
  for (uint64_t column = 0; column < product.columns(); column++)
    for (uint64_t row = 0; row < product.rows(); row++) {
      float value = alpha * dot(&left[row * padded], &right[column * padded], padded);
      const int64_t at = (int64_t)column * d.leading + (int64_t)row;
      if (beta != 0) value += beta * load(c_data, batch * c.stride + (int64_t)column * c.leading + (int64_t)row, c.type);
      store(d_data, batch * d.stride + at, d.type, finished(value, description, row, d.type));
    }
}

}  // namespace

size_t bytes_of(Type type) { return type == F32 ? 4 : 2; }

void multiply(const Product& product) {
  for (int batch = 0; batch < product.d.batch; batch++) multiply_batch(product, batch);
}

}  // namespace blas
