// What this machine can do: peak FLOP/s of float32 multiply-adds, and bandwidth of memory. One thread; prints JSON.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif

typedef float vec __attribute__((vector_size(BYTES)));
enum { LANES = BYTES / 4, CHAINS = 12, TRIES = 9 };

/* CPU time: other programs on the core do not count. */
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Independent chains of multiply-adds, enough to hide their latency. */
static double flops(void) {
  volatile float seed = 0.999f;
  const long rounds = 4000000;
  vec factor, term, chain[CHAINS];
  for (int lane = 0; lane < LANES; lane++) factor[lane] = seed, term[lane] = seed * 1e-3f;
  for (int i = 0; i < CHAINS; i++) chain[i] = term;
  double start = now();
  for (long round = 0; round < rounds; round++) {
#pragma GCC unroll 12
    for (int i = 0; i < CHAINS; i++) chain[i] = chain[i] * factor + term;
  }
  double seconds = now() - start;
  volatile float sink = 0;
  for (int i = 0; i < CHAINS; i++) sink += chain[i][0];
  return 2.0 * LANES * CHAINS * (double)rounds / seconds;
}

/* a = b + s c over arrays that no usual cache holds. */
static double bandwidth(float *a, const float *b, const float *c, long n) {
  volatile float seed = 3;
  const float s = seed;
  double start = now();
  for (long i = 0; i < n; i++) a[i] = b[i] + s * c[i];
  return 12.0 * (double)n / (now() - start);
}

int main(void) {
  const long n = 32l << 20;
  float *a = malloc(n * 4), *b = malloc(n * 4), *c = malloc(n * 4);
  if (!a || !b || !c) return 1;
  for (long i = 0; i < n; i++) a[i] = b[i] = c[i] = 1;
  double most_flops = 0, most_bytes = 0;
  for (int i = 0; i < TRIES; i++) {
    double f = flops(), w = bandwidth(a, b, c, n);
    if (f > most_flops) most_flops = f;
    if (w > most_bytes) most_bytes = w;
  }
  printf("{\"gflops\": %.1f, \"gbs\": %.2f}\n", most_flops / 1e9, most_bytes / 1e9);
  return a[n / 2] > 1e9f;
}
