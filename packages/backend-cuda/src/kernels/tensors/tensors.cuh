// Tables of tensors for a launch over all of them. A block has CHUNK elements of one tensor.
#pragma once

#define CHUNK 4096

// A row of the table; `end` is the number of the first block behind this tensor.
struct Tensor {
  unsigned long long addresses[4];
  long long count;
  float rate;
  float decay;
  int end;
  int padding;
};

struct Chunk {
  int tensor;
  // Elements of the tensor, from `first` up to, but not, `last`.
  long long first;
  long long last;
};

// By bisection: the first tensor whose end is behind this block.
__device__ __forceinline__ Chunk chunk_of_block(const Tensor* __restrict__ table, int tensors, int block) {
  int low = 0;
  int high = tensors - 1;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (block < table[middle].end) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  const long long number = block - (low == 0 ? 0 : table[low - 1].end);
  return {low, number * CHUNK, min((number + 1) * CHUNK, table[low].count)};
}
