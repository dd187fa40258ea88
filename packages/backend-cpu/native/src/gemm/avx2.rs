//! The f32 micro-kernel for AVX2 with FMA: tiles of 6 x 16.

use std::arch::x86_64::*;

use super::kernel::{Kernel, Rows, Strip, Tile, pack_neighbours, pack_scalar, pack_transposed};

const ROWS: usize = 6;
const COLUMNS: usize = 16;
const LANES: usize = 8;

/// 12 accumulators, two vectors of b and one broadcast value of a.
pub struct Avx2;

impl Kernel for Avx2 {
    const ROWS: usize = ROWS;
    const COLUMNS: usize = COLUMNS;
    const IN_PLACE: bool = true;

    #[inline(always)]
    unsafe fn pack_a(strip: Strip, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { pack::<ROWS>(strip, to) }
    }

    #[inline(always)]
    unsafe fn pack_b(strip: Strip, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { pack::<COLUMNS>(strip, to) }
    }

    #[inline(always)]
    unsafe fn tile(tile: &Tile) {
        // SAFETY: the caller's promise.
        unsafe {
            match (tile.columns > LANES, tile.a) {
                (true, Rows::Packed(a)) => by_rows::<2, true>(tile, a, ROWS),
                (true, Rows::InPlace { first, distance }) => by_rows::<2, false>(tile, first, distance),
                (false, Rows::Packed(a)) => by_rows::<1, true>(tile, a, ROWS),
                (false, Rows::InPlace { first, distance }) => by_rows::<1, false>(tile, first, distance),
            }
        }
    }
}

/// # Safety
/// As [`Kernel::pack_a`].
#[target_feature(enable = "avx2,fma")]
unsafe fn pack<const WIDTH: usize>(strip: Strip, to: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        if strip.line == 1 {
            pack_neighbours(strip, WIDTH, to);
        } else if strip.step == 1 {
            pack_transposed::<LANES>(strip, WIDTH, to, transpose);
        } else {
            pack_scalar(strip, 0, WIDTH, to);
        }
    }
}

/// Loads `lines` rows of 8 floats, `line` apart; writes their 8 columns, `to_row` apart, as vectors of 8.
///
/// # Safety
/// Both must be valid for that.
#[target_feature(enable = "avx2,fma")]
unsafe fn transpose(lines: usize, from: *const f32, line: usize, to: *mut f32, to_row: usize) {
    let mut r = [_mm256_setzero_ps(); 8];
    for (i, r) in r.iter_mut().enumerate() {
        if i < lines {
            // SAFETY: the caller's promise.
            *r = unsafe { _mm256_loadu_ps(from.add(i * line)) };
        }
    }
    let mut t = r;
    for i in 0..4 {
        t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    for i in 0..2 {
        r[4 * i] = _mm256_shuffle_ps::<0x44>(t[4 * i], t[4 * i + 2]);
        r[4 * i + 1] = _mm256_shuffle_ps::<0xee>(t[4 * i], t[4 * i + 2]);
        r[4 * i + 2] = _mm256_shuffle_ps::<0x44>(t[4 * i + 1], t[4 * i + 3]);
        r[4 * i + 3] = _mm256_shuffle_ps::<0xee>(t[4 * i + 1], t[4 * i + 3]);
    }
    for i in 0..4 {
        let low = _mm256_permute2f128_ps::<0x20>(r[i], r[i + 4]);
        let high = _mm256_permute2f128_ps::<0x31>(r[i], r[i + 4]);
        // SAFETY: the caller's promise.
        unsafe { _mm256_storeu_ps(to.add(i * to_row), low) };
        t[i] = high;
    }
    for (i, &high) in t[..4].iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { _mm256_storeu_ps(to.add((i + 4) * to_row), high) };
    }
}

/// One copy of the kernel per number of rows: a remainder costs its share only.
///
/// # Safety
/// As [`Kernel::tile`].
#[inline(always)]
unsafe fn by_rows<const V: usize, const PACKED: bool>(tile: &Tile, a: *const f32, row: usize) {
    macro_rules! dispatch {
        ($($rows:literal)*) => {
            match tile.rows {
                // SAFETY: the caller's promise.
                $($rows => unsafe { product::<$rows, V, PACKED>(tile, a, row) },)*
                _ => unreachable!("a tile has 1 to {ROWS} rows"),
            }
        };
    }
    dispatch!(6 5 4 3 2 1)
}

/// M rows, V vectors of columns. `row` is the width of a panel, or the distance of rows of a that lie in place.
///
/// # Safety
/// As [`Kernel::tile`].
#[target_feature(enable = "avx2,fma")]
unsafe fn product<const M: usize, const V: usize, const PACKED: bool>(
    tile: &Tile,
    a: *const f32,
    row: usize,
) {
    let mut sums = [[_mm256_setzero_ps(); V]; M];
    let mut b = tile.b;
    // Two pointers reach six rows in place: x86 adds 0, 1 or 2 times the distance by itself.
    let third = if PACKED { 3 } else { 3 * row };
    let mut starts: [*const f32; 2] = [0, 1].map(|i| a.wrapping_add(i * third));
    let (near, next) = if PACKED { (1, row) } else { (row, 1) };
    for _ in 0..tile.k {
        let mut values = [_mm256_setzero_ps(); V];
        for (v, value) in values.iter_mut().enumerate() {
            // SAFETY: the caller's promise: panels have whole vectors.
            *value = unsafe { _mm256_loadu_ps(b.add(v * LANES)) };
        }
        for (i, sums) in sums.iter_mut().enumerate() {
            // SAFETY: the caller's promise; i is below M.
            let x = unsafe { _mm256_broadcast_ss(&*starts[i / 3].add(i % 3 * near)) };
            for (sum, &value) in sums.iter_mut().zip(&values) {
                *sum = _mm256_fmadd_ps(x, value, *sum);
            }
        }
        b = b.wrapping_add(tile.b_row);
        starts = starts.map(|start| start.wrapping_add(next));
    }
    // SAFETY: the caller's promise.
    unsafe { store(tile, sums) }
}

/// Finishes sums and writes them to the tile of c.
///
/// # Safety
/// As [`Kernel::tile`]. Call it from code with AVX2, into which it must be inlined to keep sums in registers.
#[inline(always)]
#[allow(clippy::needless_range_loop)]
unsafe fn store<const M: usize, const V: usize>(tile: &Tile, mut sums: [[__m256; V]; M]) {
    // SAFETY: the caller has AVX2; masked to the columns that exist.
    unsafe {
        let mut masks = [_mm256_setzero_si256(); V];
        for v in 0..V {
            let left = tile.columns.saturating_sub(v * LANES).min(LANES) as i32;
            let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            masks[v] = _mm256_cmpgt_epi32(_mm256_set1_epi32(left), lanes);
        }
        let at = |i: usize, v: usize| tile.c.wrapping_add(i * tile.c_row + v * LANES);
        let scale = _mm256_set1_ps(tile.scale);
        for i in 0..M {
            for v in 0..V {
                sums[i][v] = _mm256_mul_ps(sums[i][v], scale);
            }
        }
        if tile.add {
            for i in 0..M {
                for v in 0..V {
                    sums[i][v] = _mm256_add_ps(sums[i][v], _mm256_maskload_ps(at(i, v), masks[v]));
                }
            }
        }
        if !tile.bias.is_null() {
            for v in 0..V {
                let bias = _mm256_maskload_ps(tile.bias.wrapping_add(v * LANES), masks[v]);
                for i in 0..M {
                    sums[i][v] = _mm256_add_ps(sums[i][v], bias);
                }
            }
        }
        for i in 0..M {
            for v in 0..V {
                _mm256_maskstore_ps(at(i, v), masks[v], sums[i][v]);
            }
        }
    }
}
