// y = OPERATION(a, b) for each element of the broadcast shape.
//
// OPERATION is an expression of a and b; LEFT, RIGHT and OUTPUT are float, int (bool is an int) or bf16.
// binary_flat: equal shapes, or one value on a side (step 0). Four neighbours a thread, with one access.
// binary_rows: `loops` [rank, 3] has size and both strides of each axis, outermost first; the innermost size is a
//   multiple of 4, its strides are 0 or 1 and the others multiples of 4. Four neighbours a thread, as above.
// binary_strided: any strides, one element a thread.
// Bytes moved: 4 count + 4 |a| + 4 |b|, or half of it. FLOPs: one operation for each element.
#include "bf16.cuh"
#include "numbers.cuh"

#define THREADS 256

template <typename T>
struct __align__(4 * sizeof(T)) Four {
  T at[4];
};

__device__ __forceinline__ OUTPUT apply(LEFT a, RIGHT b) { return OPERATION; }

// Four neighbours, or four times the same value.
template <typename T>
__device__ __forceinline__ Four<T> load_four(const T* from, int step) {
  if (step == 1) return *(const Four<T>*)from;
  const T value = *from;
  return {{value, value, value, value}};
}

__device__ __forceinline__ void apply_four(Four<LEFT> a, Four<RIGHT> b, OUTPUT* y) {
  Four<OUTPUT> to;
#pragma unroll
  for (int i = 0; i < 4; i++) to.at[i] = apply(a.at[i], b.at[i]);
  *(Four<OUTPUT>*)y = to;
}

extern "C" __global__ void __launch_bounds__(THREADS)
    binary_flat(const LEFT* __restrict__ a, const RIGHT* __restrict__ b, OUTPUT* __restrict__ y, int a_step,
                int b_step, int count) {
  const long long first = ((long long)blockIdx.x * THREADS + threadIdx.x) * 4;
  if (first + 4 <= count) {
    apply_four(load_four(a + first * a_step, a_step), load_four(b + first * b_step, b_step), y + first);
    return;
  }
  for (long long i = first; i < count; i++) y[i] = apply(a[i * a_step], b[i * b_step]);
}

struct Offsets {
  long long a, b;
};

// Where element `index` of the axes 0 to `rank` - 1 lies in both operands.
__device__ __forceinline__ Offsets offsets_of(unsigned index, const int* __restrict__ loops, int rank) {
  Offsets at = {0, 0};
  for (int axis = rank - 1; axis >= 0; axis--) {
    const int* loop = loops + axis * 3;
    const unsigned outer = index / (unsigned)loop[0];
    const long long position = index - outer * (unsigned)loop[0];
    at.a += position * loop[1];
    at.b += position * loop[2];
    index = outer;
  }
  return at;
}

extern "C" __global__ void __launch_bounds__(THREADS)
    binary_rows(const LEFT* __restrict__ a, const RIGHT* __restrict__ b, OUTPUT* __restrict__ y,
                const int* __restrict__ loops, int rank, int count) {
  const long long first = ((long long)blockIdx.x * THREADS + threadIdx.x) * 4;
  if (first >= count) return;
  const int* inner = loops + (rank - 1) * 3;
  const unsigned row = (unsigned)first / (unsigned)inner[0];
  const long long column = (unsigned)first - row * (unsigned)inner[0];
  const Offsets at = offsets_of(row, loops, rank - 1);
  const Four<LEFT> left = load_four(a + at.a + column * inner[1], inner[1]);
  const Four<RIGHT> right = load_four(b + at.b + column * inner[2], inner[2]);
  apply_four(left, right, y + first);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    binary_strided(const LEFT* __restrict__ a, const RIGHT* __restrict__ b, OUTPUT* __restrict__ y,
                   const int* __restrict__ loops, int rank, int count) {
  const long long i = (long long)blockIdx.x * THREADS + threadIdx.x;
  if (i >= count) return;
  const Offsets at = offsets_of((unsigned)i, loops, rank);
  y[i] = apply(a[at.a], b[at.b]);
}
