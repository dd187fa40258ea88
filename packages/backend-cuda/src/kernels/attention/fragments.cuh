// Operands of tensor cores: mma.sync of sm_80 and later, on tiles of rows in shared memory.
//
// OPERAND says what an operand is. A product of fragments is 16 rows x 8 columns with a depth of DEPTH elements, which are 32 bytes of a row
// whatever they are: so one load serves both. Lane l holds the rows l / 4 and l / 4 + 8 of a result, and its columns 2 (l % 4) and the next
// (PTX manual, "Matrix Fragments for mma.m16n8k8" and "mma.m16n8k16"). Sums are in float32.

#pragma once

#define TF32 1
#define BF16 2

#if OPERAND == TF32
// 10 bits of mantissa: floats that are rounded when a fragment is loaded.
typedef float Element;
#define DEPTH 8
#else
// Bits of bfloat16.
typedef unsigned short Element;
#define DEPTH 16
#endif

#define LANE (threadIdx.x % 32)

__device__ __forceinline__ unsigned shared_address(const void* place) {
  return (unsigned)__cvta_generic_to_shared(place);
}

// 16 bytes of global memory on their way into shared memory; zeros where they are not `inside`.
__device__ __forceinline__ void copy_later(void* place, const void* from, bool inside) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(place)), "l"(from),
               "r"(inside ? 16 : 0)
               : "memory");
}

// Waits for this thread's copies.
__device__ __forceinline__ void wait_for_copies() { asm volatile("cp.async.wait_all;" ::: "memory"); }

// Four tiles of 8 rows of 16 bytes; lane l names row l % 8 of tile l / 8.
__device__ __forceinline__ void load_four(unsigned (&tiles)[4], const Element* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(tiles[0]), "=r"(tiles[1]), "=r"(tiles[2]), "=r"(tiles[3])
               : "r"(shared_address(row)));
}

#if OPERAND == TF32

__device__ __forceinline__ unsigned rounded(float value) {
  unsigned bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
  return bits;
}

__device__ __forceinline__ void round_all(unsigned (&words)[4]) {
#pragma unroll
  for (int i = 0; i < 4; i++) words[i] = rounded(__uint_as_float(words[i]));
}

__device__ __forceinline__ void put_four(Element* place, float4 four) { *(float4*)place = four; }

// sums [16 x 8] += a [16 x DEPTH] b [DEPTH x 8].
__device__ __forceinline__ void multiply_add(float (&sums)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Two operands b [DEPTH x 8] side by side, whose depth goes down the rows of a tile. Depth t is row 2 t and depth t + 4 the row after it: as in
// `Weights`, so that what a lane has of a result is what it needs of an operand.
__device__ __forceinline__ void load_across(unsigned (&b)[4], const Element* tile, int stride) {
  const Element* own = tile + LANE % 4 * 2 * stride + LANE / 4;
  b[0] = rounded(own[0]);
  b[1] = rounded(own[stride]);
  b[2] = rounded(own[8]);
  b[3] = rounded(own[stride + 8]);
}

#else

__device__ __forceinline__ unsigned rounded_pair(float first, float second) {
  unsigned bits;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(second), "f"(first));
  return bits;
}

__device__ __forceinline__ void round_all(unsigned (&)[4]) {}

__device__ __forceinline__ void put_four(Element* place, float4 four) {
  *(uint2*)place = make_uint2(rounded_pair(four.x, four.y), rounded_pair(four.z, four.w));
}

// sums [16 x 8] += a [16 x DEPTH] b [DEPTH x 8].
__device__ __forceinline__ void multiply_add(float (&sums)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Two operands b [DEPTH x 8] side by side, whose depth goes down the rows of a tile.
__device__ __forceinline__ void load_across(unsigned (&b)[4], const Element* tile, int stride) {
  const Element* row = tile + LANE % 16 * stride + LANE / 16 * 8;
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(b[0]), "=r"(b[1]), "=r"(b[2]), "=r"(b[3])
               : "r"(shared_address(row)));
}

#endif

// The operand a [16 x DEPTH] whose rows are those of a tile.
__device__ __forceinline__ void load_rows(unsigned (&a)[4], const Element* tile, int stride) {
  load_four(a, tile + LANE % 16 * stride + LANE / 16 * (DEPTH / 2));
  round_all(a);
}

// Two operands b [DEPTH x 8] side by side, whose columns are the rows of a tile.
__device__ __forceinline__ void load_columns(unsigned (&b)[4], const Element* tile, int stride) {
  load_four(b, tile + (LANE % 8 + LANE / 16 * 8) * stride + LANE / 8 % 2 * (DEPTH / 2));
  round_all(b);
}

// Results [16 x COLUMNS] as the operand of the next product, whose depth they are.
struct Weights {
  unsigned a[COLUMNS / DEPTH][4];

  __device__ __forceinline__ explicit Weights(const float (&results)[COLUMNS / 8][4]) {
#pragma unroll
    for (int i = 0; i < COLUMNS / DEPTH; i++) {
#if OPERAND == TF32
      a[i][0] = rounded(results[i][0]);
      a[i][1] = rounded(results[i][2]);
      a[i][2] = rounded(results[i][1]);
      a[i][3] = rounded(results[i][3]);
#else
#pragma unroll
      for (int j = 0; j < 4; j++) {
        const float(&own)[4] = results[2 * i + j / 2];
        a[i][j] = rounded_pair(own[j % 2 * 2], own[j % 2 * 2 + 1]);
      }
#endif
    }
  }
};
