// y = condition ? t : e, for values of four bytes.
//
// select_flat: a condition for each element. select_rows: one for each `inner` neighbours.
// Bytes moved: 16 count. FLOPs: none.
#define THREADS 256

extern "C" __global__ void __launch_bounds__(THREADS)
    select_flat(const int* __restrict__ condition, const int* __restrict__ t, const int* __restrict__ e,
                int* __restrict__ y, int count) {
  const long long first = ((long long)blockIdx.x * THREADS + threadIdx.x) * 4;
  if (first + 4 <= count) {
    const int4 is = *(const int4*)(condition + first);
    const int4 yes = *(const int4*)(t + first);
    const int4 no = *(const int4*)(e + first);
    *(int4*)(y + first) = make_int4(is.x ? yes.x : no.x, is.y ? yes.y : no.y, is.z ? yes.z : no.z, is.w ? yes.w : no.w);
    return;
  }
  for (long long i = first; i < count; i++) y[i] = condition[i] ? t[i] : e[i];
}

extern "C" __global__ void __launch_bounds__(THREADS)
    select_rows(const int* __restrict__ condition, const int* __restrict__ t, const int* __restrict__ e,
                int* __restrict__ y, int inner, int count) {
  const long long i = (long long)blockIdx.x * THREADS + threadIdx.x;
  if (i < count) y[i] = condition[(unsigned)i / (unsigned)inner] ? t[i] : e[i];
}
