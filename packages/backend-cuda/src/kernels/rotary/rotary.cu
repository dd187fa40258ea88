// Rotary positions: columns j and j + pairs of each head turn by position frequency_j, times `scale`; the columns behind
// them pass through.
//
// x, y [rows, heads width]; positions [rows]; turns [pairs]: the fraction of a turn a position adds, in units of 2^-64, so
// that a product wraps as angles do, without rounding. A thread turns N pairs of up to four heads by the same angles.
// Source: arXiv:2104.09864. Bytes: 8 rows heads width, or 4. FLOPs: 6 rows heads pairs.
#include "bf16.cuh"

#define THREADS 256
#define HEADS_AT_ONCE 4

struct Turn {
  float cosine;
  float sine;
};

// Quarters of a turn are taken off as integers: what is left is at most an eighth, of which a float holds 24 bits.
__device__ __forceinline__ Turn turn_of(unsigned long long fraction) {
  const unsigned turn = static_cast<unsigned>(fraction >> 32);
  const unsigned quarter = (turn + 0x20000000u) >> 30;
  const float halves = static_cast<float>(static_cast<int>(turn - (quarter << 30))) * 0x1p-31f;
  float sine;
  float cosine;
  sincospif(halves, &sine, &cosine);
  const Turn quarter_on = quarter % 2 == 1 ? Turn{-sine, cosine} : Turn{cosine, sine};
  return quarter >= 2 ? Turn{-quarter_on.cosine, -quarter_on.sine} : quarter_on;
}

// What is turned, and how.
struct Rotary {
  const Stored* x;
  const unsigned long long* turns;
  Stored* y;
  int heads;
  int width;
  int pairs;
  float scale;
  float sine_scale;
};

// `column` is the first of N pairs, or of N columns that pass through.
template <int N>
__device__ __forceinline__ void rotate(const Rotary& call, long long row, int position, int head, int column) {
  const int end = min(head + HEADS_AT_ONCE, call.heads);
  long long at = (row * call.heads + head) * call.width + column;
  if (column >= call.pairs) {
    for (; head < end; head++, at += call.width) {
      store<N>(call.y + at + call.pairs, load<N>(call.x + at + call.pairs));
    }
    return;
  }
  Pack<N> cosine;
  Pack<N> sine;
#pragma unroll
  for (int i = 0; i < N; i++) {
    const Turn turn = turn_of(static_cast<unsigned long long>(static_cast<long long>(position)) * call.turns[column + i]);
    cosine.v[i] = turn.cosine * call.scale;
    sine.v[i] = turn.sine * call.sine_scale;
  }
  for (; head < end; head++, at += call.width) {
    const Pack<N> a = load<N>(call.x + at);
    const Pack<N> b = load<N>(call.x + at + call.pairs);
    Pack<N> left;
    Pack<N> right;
#pragma unroll
    for (int i = 0; i < N; i++) {
      left.v[i] = a.v[i] * cosine.v[i] - b.v[i] * sine.v[i];
      right.v[i] = b.v[i] * cosine.v[i] + a.v[i] * sine.v[i];
    }
    store<N>(call.y + at, left);
    store<N>(call.y + at + call.pairs, right);
  }
}

// `sine_scale` is -scale for the inverse. A thread has a row, a block of heads, and N columns of width - pairs.
extern "C" __global__ void __launch_bounds__(THREADS)
    rotary(const Stored* __restrict__ x, const int* __restrict__ positions,
           const unsigned long long* __restrict__ turns, Stored* __restrict__ y, int rows, int heads, int width,
           int pairs, float scale, float sine_scale) {
  const int each = width % 4 == 0 && pairs % 4 == 0 ? 4 : 1;
  const int columns = (width - pairs) / each;
  const int blocks = (heads + HEADS_AT_ONCE - 1) / HEADS_AT_ONCE;
  const long long i = static_cast<long long>(blockIdx.x) * THREADS + threadIdx.x;
  const long long row = i / (static_cast<long long>(columns) * blocks);
  if (row >= rows) return;
  const int rest = static_cast<int>(i - row * columns * blocks);
  const int head = rest / columns * HEADS_AT_ONCE;
  const int column = rest % columns * each;
  const Rotary call = {x, turns, y, heads, width, pairs, scale, sine_scale};
  if (each == 4) {
    rotate<4>(call, row, positions[row], head, column);
  } else {
    rotate<1>(call, row, positions[row], head, column);
  }
}
