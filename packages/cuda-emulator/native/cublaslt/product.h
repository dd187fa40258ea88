// A product of column-major matrices on the CPU.
#pragma once
#include "values.h"

namespace blas {

struct Matrix {
  Type type;
  uint64_t rows, columns;
  int64_t leading;
  int32_t batch = 1;
  int64_t stride = 0;
};

struct Description {
  Compute compute;
  Type scale;
  int32_t transpose_a = NONE, transpose_b = NONE, transpose_c = NONE;
  int32_t epilogue = DEFAULT;
  const void* bias = nullptr;
};

struct Product {
  Description description;
  Matrix a, b, c, d;
  const void *a_data, *b_data, *c_data;
  void* d_data;
  float alpha, beta;

  // Of the result and of the sum.
  uint64_t rows() const { return description.transpose_a ? a.columns : a.rows; }
  uint64_t columns() const { return description.transpose_b ? b.rows : b.columns; }
  uint64_t depth() const { return description.transpose_a ? a.rows : a.columns; }
};

size_t bytes_of(Type type);

// d = epilogue(alpha op(a) op(b) + beta c + bias), in f32.
void multiply(const Product& product);

}  // namespace blas
