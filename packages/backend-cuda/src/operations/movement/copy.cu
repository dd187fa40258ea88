// y[to + sum of index * to stride] = x[from + sum of index * from stride], for all indices: slices, pads, tiles,
// joins, reversals and permutations.
//
// `loops` [rank, 3] has size, stride in x and stride in y of each axis, outermost first; strides may be 0 or
// negative. WORD is int or, of bfloat16, short; int4 or short4 where everything is a multiple of four: sizes and strides then count those.
// One word a thread. Bytes moved: 2 sizeof(WORD) count. FLOPs: none.
#define THREADS 256

extern "C" __global__ void __launch_bounds__(THREADS)
    copy_strided(const WORD* __restrict__ x, WORD* __restrict__ y, const int* __restrict__ loops, int rank, int from,
                 int to, int count) {
  const long long i = (long long)blockIdx.x * THREADS + threadIdx.x;
  if (i >= count) return;
  unsigned index = (unsigned)i;
  long long source = from;
  long long target = to;
  for (int axis = rank - 1; axis >= 0; axis--) {
    const int* loop = loops + axis * 3;
    const unsigned outer = index / (unsigned)loop[0];
    const long long position = index - outer * (unsigned)loop[0];
    source += position * loop[1];
    target += position * loop[2];
    index = outer;
  }
  y[target] = x[source];
}
