// y [batches, outer, picks, inner] = x [batches, outer, height, inner] at indices [batches, picks] along the third axis.
//
// WORD is int, or int4 where `inner` is a multiple of 16 bytes: it then counts those. One word a thread. An index outside
// of the axis stops the kernel, which the next read reports. Bytes moved: 2 sizeof(WORD) count + 4 batches picks.
// FLOPs: none.
#define THREADS 256

extern "C" __global__ void __launch_bounds__(THREADS)
    gather(const WORD* __restrict__ x, const int* __restrict__ indices, WORD* __restrict__ y, int outer, int height,
           int picks, int inner, int count) {
  const long long i = (long long)blockIdx.x * THREADS + threadIdx.x;
  if (i >= count) return;
  const unsigned row = (unsigned)i / (unsigned)inner;
  const unsigned column = (unsigned)i - row * (unsigned)inner;
  const unsigned group = row / (unsigned)picks;
  const unsigned pick = row - group * (unsigned)picks;
  const int index = indices[(long long)(group / (unsigned)outer) * picks + pick];
  if (index < 0 || index >= height) __trap();
  y[i] = x[((long long)group * height + index) * inner + column];
}
