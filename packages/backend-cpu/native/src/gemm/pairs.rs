//! The bfloat16 micro-kernel for AVX512_BF16: tiles of 12 x 32, two values of k at a time.
//!
//! The instruction treats subnormal numbers as 0.

use std::arch::x86_64::*;

use super::avx512::{store, transposed};
use super::kernel::{Kernel, Rows, Strip, Tile};

const ROWS: usize = 12;
const COLUMNS: usize = 32;
const LANES: usize = 16;

/// Panels hold pairs of neighbours along k, rounded: one word each.
pub struct Pairs;

impl Kernel for Pairs {
    const ROWS: usize = ROWS;
    const COLUMNS: usize = COLUMNS;
    const IN_PLACE: bool = false;

    fn depth(k: usize) -> usize {
        k.div_ceil(2)
    }

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
        let Rows::Packed(a) = tile.a else {
            unreachable!("pairs are packed");
        };
        macro_rules! dispatch {
            ($($rows:literal)*) => {
                match tile.rows {
                    // SAFETY: the caller's promise.
                    $($rows => unsafe { product::<$rows>(tile, a) },)*
                    _ => unreachable!("a tile has 1 to {ROWS} rows"),
                }
            };
        }
        dispatch!(12 11 10 9 8 7 6 5 4 3 2 1)
    }
}

/// Words of 16 lines' pairs: element i holds pair i of `low` and `high`, 16 values each.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub fn pairs(low: __m512, high: __m512) -> __m512i {
    // SAFETY: both types are 64 bytes of plain data.
    unsafe { std::mem::transmute(_mm512_cvtne2ps_pbh(high, low)) }
}

/// Packs `WIDTH` lines into rows of words, one row per pair of values.
///
/// # Safety
/// As [`Kernel::pack_a`].
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub unsafe fn pack<const WIDTH: usize>(strip: Strip, to: *mut f32) {
    // SAFETY: the caller's promise; masks keep reads within lines that exist and k.
    unsafe {
        for group in (0..WIDTH).step_by(LANES) {
            let lines = strip.lines.saturating_sub(group).min(LANES);
            let from = strip.from.wrapping_add(group.min(strip.lines) * strip.line);
            let width = LANES.min(WIDTH - group);
            if strip.step == 1 {
                along(from, lines, strip, to.add(group), WIDTH, width);
            } else {
                across(from, lines, strip, to.add(group), WIDTH, width);
            }
        }
    }
}

/// Lines whose values lie side by side: 32 values of 16 lines at a time, transposed as words.
///
/// # Safety
/// As [`pack`].
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn along(from: *const f32, lines: usize, strip: Strip, to: *mut f32, row: usize, width: usize) {
    let mask = ((1u32 << width) - 1) as __mmask16;
    for p in (0..strip.k).step_by(2 * LANES) {
        let left = strip.k - p;
        let some = |count: usize| ((1u32 << count.min(LANES)) - 1) as __mmask16;
        let (low, high) = (some(left), some(left.saturating_sub(LANES)));
        let mut words = [_mm512_setzero_ps(); LANES];
        for (i, word) in words.iter_mut().enumerate() {
            if i < lines {
                let at = from.wrapping_add(i * strip.line + p);
                // SAFETY: the caller's promise, masked to k.
                let halves = unsafe {
                    pairs(
                        _mm512_maskz_loadu_ps(low, at),
                        _mm512_maskz_loadu_ps(high, at.wrapping_add(LANES)),
                    )
                };
                *word = _mm512_castsi512_ps(halves);
            }
        }
        let columns = transposed(words);
        for (i, column) in columns.into_iter().enumerate().take(left.div_ceil(2)) {
            // SAFETY: the panel has a row per pair, `width` words of this group.
            unsafe { _mm512_mask_storeu_ps(to.add((p / 2 + i) * row), mask, column) };
        }
    }
}

/// Other lines: pairs of rows of up to 16 lines, interleaved.
///
/// # Safety
/// As [`pack`].
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn across(from: *const f32, lines: usize, strip: Strip, to: *mut f32, row: usize, width: usize) {
    let mask = ((1u32 << width) - 1) as __mmask16;
    for p in (0..strip.k).step_by(2) {
        // SAFETY: the caller's promise.
        let words = unsafe { interleaved(Strip { from, lines, ..strip }, p) };
        // SAFETY: the panel has a row per pair, `width` words of this group.
        unsafe { _mm512_mask_storeu_ps(to.add(p / 2 * row), mask, words) };
    }
}

/// Values `p` and `p + 1` of up to 16 lines: a pair per line. Values past k are 0.
///
/// # Safety
/// The strip must be readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub unsafe fn interleaved(strip: Strip, p: usize) -> __m512 {
    const ORDER: [u16; 32] = {
        let mut order = [0; 32];
        let mut i = 0;
        while i < 32 {
            order[i] = (i / 2 + i % 2 * LANES) as u16;
            i += 1;
        }
        order
    };
    let exists = ((1u32 << strip.lines) - 1) as __mmask16;
    let load = |p: usize| {
        if p >= strip.k {
            return _mm512_setzero_ps();
        }
        let at = strip.from.wrapping_add(p * strip.step);
        if strip.line == 1 {
            // SAFETY: the caller's promise, masked to the lines that exist.
            return unsafe { _mm512_maskz_loadu_ps(exists, at) };
        }
        let mut values = [0.0; LANES];
        for (i, value) in values.iter_mut().enumerate().take(strip.lines) {
            // SAFETY: as above.
            *value = unsafe { *at.add(i * strip.line) };
        }
        // SAFETY: 16 floats.
        unsafe { _mm512_loadu_ps(values.as_ptr()) }
    };
    // SAFETY: 64 bytes of plain data.
    let order = unsafe { _mm512_loadu_si512(ORDER.as_ptr().cast()) };
    _mm512_castsi512_ps(_mm512_permutexvar_epi16(order, pairs(load(p), load(p + 1))))
}

/// # Safety
/// As [`Kernel::tile`].
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn product<const M: usize>(tile: &Tile, a: *const f32) {
    let mut sums = [[_mm512_setzero_ps(); 2]; M];
    let (mut a, mut b) = (a, tile.b);
    for _ in 0..tile.k.div_ceil(2) {
        // SAFETY: the caller's promise: panels have whole vectors.
        let values: [__m512bh; 2] = unsafe {
            [
                std::mem::transmute::<__m512, __m512bh>(_mm512_loadu_ps(b)),
                std::mem::transmute::<__m512, __m512bh>(_mm512_loadu_ps(b.add(LANES))),
            ]
        };
        for (i, sums) in sums.iter_mut().enumerate() {
            // SAFETY: as above; i is below M.
            let x: __m512bh = unsafe { std::mem::transmute(_mm512_set1_ps(*a.add(i))) };
            for (sum, &value) in sums.iter_mut().zip(&values) {
                *sum = _mm512_dpbf16_ps(*sum, x, value);
            }
        }
        a = a.wrapping_add(ROWS);
        b = b.wrapping_add(COLUMNS);
    }
    // SAFETY: the caller's promise.
    unsafe { store(tile, sums) }
}
