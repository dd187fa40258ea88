// mma.sync and its fragments, laid out as the PTX manual draws them.
namespace ptx {

struct F16 {
  static constexpr u32 PER_REGISTER = 2;
  static float value(u32 bits, u32 index) { return (float)f16_value((u16)(bits >> (16 * index))); }
};
struct Bf16 {
  static constexpr u32 PER_REGISTER = 2;
  static float value(u32 bits, u32 index) { return float_of(bits >> (16 * index) << 16); }
};
// The multiplier reads 10 bits of mantissa.
struct Tf32 {
  static constexpr u32 PER_REGISTER = 1;
  static float value(u32 bits, u32) { return float_of(bits & ~0x1fffu); }
};

// d[16 x 8] = a[16 x K] b[K x 8] + d. A half is what one register of B covers: 4 lanes x PER_REGISTER of the depth.
template <class Element, u32 HALVES>
static void multiply_tile(Thread* t, float* d, const u32* a, const u32* b) {
  constexpr u32 EACH = Element::PER_REGISTER, DEPTH = 4 * EACH;
  struct Part {
    float a[HALVES][2][EACH], b[HALVES][EACH];
  } own;
  for (u32 half = 0; half < HALVES; half++)
    for (u32 index = 0; index < EACH; index++) {
      own.a[half][0][index] = Element::value(a[2 * half], index);
      own.a[half][1][index] = Element::value(a[2 * half + 1], index);
      own.b[half][index] = Element::value(b[half], index);
    }
  const Part* parts = (const Part*)t->runtime->meet(t, Meeting::multiply, ~0u, &own, sizeof(Part));
  u32 group = t->lane >> 2, column = (t->lane & 3) * 2;
  for (u32 element = 0; element < 4; element++) {
    float sum = 0;
    for (u32 half = 0; half < HALVES; half++)
      for (u32 depth = 0; depth < DEPTH; depth++) {
        u32 holder = depth / EACH, index = depth % EACH;
        const Part& left = parts[group * 4 + holder];
        const Part& right = parts[(column + (element & 1)) * 4 + holder];
        sum += left.a[half][element >> 1][index] * right.b[half][index];
      }
    d[element] += sum;
  }
}

// Lane 8 m + r names row r of tile m; each lane gets two neighbours of row lane / 4, or of the column where transposed.
template <u32 COUNT, bool TRANSPOSED>
static void load_tiles(Thread* t, u32* tiles, u64 address) {
  const u64* rows = (const u64*)t->runtime->meet(t, Meeting::tiles, ~0u, &address, 8);
  for (u32 tile = 0; tile < COUNT; tile++) {
    u32 word = 0;
    for (u32 half = 0; half < 2; half++) {
      u32 row = t->lane >> 2, column = (t->lane & 3) * 2 + half;
      u64 from = rows[tile * 8 + (TRANSPOSED ? column : row)] + (TRANSPOSED ? row : column) * 2;
      word |= (u32)read<u16>(reading_shared<2>(t, from)) << (16 * half);
    }
    tiles[tile] = word;
  }
}

template <u32 COUNT, bool TRANSPOSED>
static void store_tiles(Thread* t, const u32* tiles, u64 address) {
  const u64* rows = (const u64*)t->runtime->meet(t, Meeting::tiles, ~0u, &address, 8);
  for (u32 tile = 0; tile < COUNT; tile++)
    for (u32 half = 0; half < 2; half++) {
      u32 row = t->lane >> 2, column = (t->lane & 3) * 2 + half;
      u64 to = rows[tile * 8 + (TRANSPOSED ? column : row)] + (TRANSPOSED ? row : column) * 2;
      write<u16>(writing_shared<2>(t, to), (u16)(tiles[tile] >> (16 * half)));
    }
}

}  // namespace ptx
