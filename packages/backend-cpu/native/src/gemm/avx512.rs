//! The f32 micro-kernel for AVX-512: tiles of 12 x 32.

use std::arch::x86_64::*;

use super::kernel::{Kernel, Rows, Strip, Tile, pack_neighbours, pack_scalar, pack_transposed};

const ROWS: usize = 12;
const COLUMNS: usize = 32;
const LANES: usize = 16;

/// 24 accumulators, two vectors of b and one broadcast value of a.
pub struct Avx512;

impl Kernel for Avx512 {
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
#[target_feature(enable = "avx512f")]
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

/// Loads `lines` rows of 16 words, `line` apart; writes their 16 columns, `to_row` apart, as vectors of 16.
///
/// # Safety
/// Both must be valid for that.
#[target_feature(enable = "avx512f")]
pub unsafe fn transpose(lines: usize, from: *const f32, line: usize, to: *mut f32, to_row: usize) {
    let mut r = [_mm512_setzero_ps(); 16];
    for (i, r) in r.iter_mut().enumerate() {
        if i < lines {
            // SAFETY: the caller's promise.
            *r = unsafe { _mm512_loadu_ps(from.add(i * line)) };
        }
    }
    let columns = transposed(r);
    for (i, column) in columns.into_iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { _mm512_storeu_ps(to.add(i * to_row), column) };
    }
}

/// Columns of 16 rows of 16 words.
#[inline]
#[target_feature(enable = "avx512f")]
pub fn transposed(mut r: [__m512; 16]) -> [__m512; 16] {
    let mut t = r;
    for i in 0..8 {
        t[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    let pairs = |low: bool, x: __m512, y: __m512| {
        let (x, y) = (_mm512_castps_pd(x), _mm512_castps_pd(y));
        _mm512_castpd_ps(if low {
            _mm512_unpacklo_pd(x, y)
        } else {
            _mm512_unpackhi_pd(x, y)
        })
    };
    for i in 0..4 {
        r[4 * i] = pairs(true, t[4 * i], t[4 * i + 2]);
        r[4 * i + 1] = pairs(false, t[4 * i], t[4 * i + 2]);
        r[4 * i + 2] = pairs(true, t[4 * i + 1], t[4 * i + 3]);
        r[4 * i + 3] = pairs(false, t[4 * i + 1], t[4 * i + 3]);
    }
    for i in 0..4 {
        t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
    }
    for i in 0..8 {
        r[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
    }
    r
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
    dispatch!(12 11 10 9 8 7 6 5 4 3 2 1)
}

/// M rows, V vectors of columns. `row` is the width of a panel, or the distance of rows of a that lie in place.
///
/// # Safety
/// As [`Kernel::tile`].
#[target_feature(enable = "avx512f")]
unsafe fn product<const M: usize, const V: usize, const PACKED: bool>(
    tile: &Tile,
    a: *const f32,
    row: usize,
) {
    let mut sums = [[_mm512_setzero_ps(); V]; M];
    let mut b = tile.b;
    // Four pointers reach twelve rows in place: x86 adds 0, 1 or 2 times the distance by itself.
    let third = if PACKED { 3 } else { 3 * row };
    let mut starts: [*const f32; 4] = [0, 1, 2, 3].map(|i| a.wrapping_add(i * third));
    let (near, next) = if PACKED { (1, row) } else { (row, 1) };
    let mut step = |sums: &mut [[__m512; V]; M]| {
        let mut values = [_mm512_setzero_ps(); V];
        for (v, value) in values.iter_mut().enumerate() {
            // SAFETY: the caller's promise: panels have whole vectors.
            *value = unsafe { _mm512_loadu_ps(b.add(v * LANES)) };
        }
        for (i, sums) in sums.iter_mut().enumerate() {
            // SAFETY: the caller's promise; i is below M.
            let x = unsafe { _mm512_set1_ps(*starts[i / 3].add(i % 3 * near)) };
            for (sum, &value) in sums.iter_mut().zip(&values) {
                *sum = _mm512_fmadd_ps(x, value, *sum);
            }
        }
        b = b.wrapping_add(tile.b_row);
        starts = starts.map(|start| start.wrapping_add(next));
    };
    let first = M.min(tile.k);
    let mut line = tile.c;
    for _ in 0..first {
        for v in 0..V {
            // SAFETY: a hint, for which any address will do; newer compilers know that.
            #[allow(unused_unsafe)]
            unsafe {
                _mm_prefetch::<_MM_HINT_ET0>(line.wrapping_add(v * LANES).cast())
            };
        }
        line = line.wrapping_add(tile.c_row);
        step(&mut sums);
    }
    for _ in first..tile.k {
        step(&mut sums);
    }
    // SAFETY: the caller's promise.
    unsafe { store(tile, sums) }
}

/// Finishes sums and writes them to the tile of c.
///
/// # Safety
/// As [`Kernel::tile`]. Call it from code with AVX-512, into which it must be inlined to keep sums in registers.
#[inline(always)]
#[allow(clippy::needless_range_loop)]
pub unsafe fn store<const M: usize, const V: usize>(tile: &Tile, mut sums: [[__m512; V]; M]) {
    // SAFETY: the caller has AVX-512; masked to the columns that exist.
    unsafe {
        let mut masks = [0; V];
        for v in 0..V {
            let left = tile.columns.saturating_sub(v * LANES).min(LANES);
            masks[v] = ((1u32 << left) - 1) as __mmask16;
        }
        let at = |i: usize, v: usize| tile.c.wrapping_add(i * tile.c_row + v * LANES);
        if tile.scale != 1.0 {
            let scale = _mm512_set1_ps(tile.scale);
            for i in 0..M {
                for v in 0..V {
                    sums[i][v] = _mm512_mul_ps(sums[i][v], scale);
                }
            }
        }
        if tile.add {
            for i in 0..M {
                for v in 0..V {
                    let old = _mm512_maskz_loadu_ps(masks[v], at(i, v));
                    sums[i][v] = _mm512_add_ps(sums[i][v], old);
                }
            }
        }
        if !tile.bias.is_null() {
            for v in 0..V {
                let bias = _mm512_maskz_loadu_ps(masks[v], tile.bias.wrapping_add(v * LANES));
                for i in 0..M {
                    sums[i][v] = _mm512_add_ps(sums[i][v], bias);
                }
            }
        }
        for i in 0..M {
            for v in 0..V {
                _mm512_mask_storeu_ps(at(i, v), masks[v], sums[i][v]);
            }
        }
    }
}
