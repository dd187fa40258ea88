// y = x, `count` elements, between float32 and bfloat16. FROM and TO are float and bf16, or the other way round.
//
// A thread has four neighbours; parts of tensors that do not start on four of them go one at a time.
// Bytes: 6 count. FLOPs: none.
#include "bf16.cuh"

extern "C" __global__ void __launch_bounds__(256)
    convert(const FROM* __restrict__ x, TO* __restrict__ y, long long count) {
  long long i = first_of_four();
  const bool aligned = reinterpret_cast<unsigned long long>(x) % (4 * sizeof(FROM)) == 0 &&
                       reinterpret_cast<unsigned long long>(y) % (4 * sizeof(TO)) == 0;
  if (aligned && i + 4 <= count) {
    store<4>(y + i, load<4>(x + i));
  } else {
    for (const long long end = i + 4 < count ? i + 4 : count; i < end; i++) y[i] = static_cast<float>(x[i]);
  }
}
