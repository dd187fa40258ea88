//! Eight floats.

use std::arch::x86_64::*;

use super::{Rows, Vector};
use crate::math::{EXP_COEFFICIENTS, LN2_HIGH, LN2_LOW};

#[derive(Clone, Copy)]
pub struct Avx2(pub(super) __m256);

/// Ones, then zeros: eight of them from `8 - n` on mark the first `n` lanes.
static MASKS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

#[inline(always)]
unsafe fn first(n: usize) -> __m256i {
    // SAFETY: AVX2 is the caller's promise; the table is long enough for n <= 8.
    unsafe { _mm256_loadu_si256(MASKS.as_ptr().add(8 - n).cast()) }
}

/// `2^e` for `-126 <= e <= 127`.
#[inline(always)]
unsafe fn power_of_two(e: __m256i) -> __m256 {
    // SAFETY: AVX2 is the caller's promise.
    unsafe {
        let biased = _mm256_add_epi32(e, _mm256_set1_epi32(127));
        _mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased))
    }
}

// SAFETY (all blocks): AVX2, FMA and valid pointers are the caller's promise, see the trait.
impl Vector for Avx2 {
    const LANES: usize = 8;
    const FMA: bool = true;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_set1_ps(x) })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn load_part(from: *const f32, n: usize) -> Self {
        // SAFETY: masked lanes are not read.
        Self(unsafe { _mm256_maskload_ps(from, first(n)) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: see above.
        unsafe { _mm256_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, n: usize) {
        // SAFETY: masked lanes are not written.
        unsafe { _mm256_maskstore_ps(to, first(n), self.0) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_sub_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_mul_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_fmadd_ps(self.0, b.0, c.0) })
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // The instruction returns its second operand where one is NaN.
        // SAFETY: see above.
        Self(unsafe { _mm256_max_ps(other.0, self.0) })
    }

    #[inline(always)]
    unsafe fn exp(self) -> Self {
        // SAFETY: see above.
        unsafe {
            // Operands in this order let NaN through.
            let x = _mm256_max_ps(_mm256_set1_ps(-110.0), self.0);
            let x = _mm256_min_ps(_mm256_set1_ps(128.0), x);
            let n = _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(_mm256_mul_ps(
                x,
                _mm256_set1_ps(std::f32::consts::LOG2_E),
            ));
            let r = _mm256_fnmadd_ps(n, _mm256_set1_ps(LN2_HIGH), x);
            let r = _mm256_fnmadd_ps(n, _mm256_set1_ps(LN2_LOW), r);
            let mut p = _mm256_set1_ps(EXP_COEFFICIENTS[0]);
            for c in &EXP_COEFFICIENTS[1..] {
                p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(*c));
            }
            let y = _mm256_fmadd_ps(_mm256_mul_ps(p, r), r, r);
            let y = _mm256_add_ps(y, _mm256_set1_ps(1.0));
            // Two factors, for results near the largest and below the smallest normal number.
            let e = _mm256_cvtps_epi32(n);
            let half = _mm256_srai_epi32::<1>(e);
            let y = _mm256_mul_ps(y, power_of_two(half));
            Self(_mm256_mul_ps(y, power_of_two(_mm256_sub_epi32(e, half))))
        }
    }

    #[inline(always)]
    unsafe fn keep(self, from: usize, to: usize, other: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            let mask = _mm256_andnot_si256(first(from), first(to));
            Self(_mm256_blendv_ps(other.0, self.0, _mm256_castsi256_ps(mask)))
        }
    }

    #[inline(always)]
    unsafe fn transpose(
        from: Rows<*const f32>,
        [rows, columns]: [usize; 2],
        to: Rows<*mut f32>,
        stored: usize,
    ) {
        // SAFETY: only rows and columns that exist are read or written.
        unsafe {
            let mut block = [_mm256_setzero_ps(); 8];
            for (i, row) in block.iter_mut().enumerate().take(rows) {
                *row = Self::load_part(from.start.add(i * from.width), columns).0;
            }
            for (i, row) in transpose(block).into_iter().enumerate().take(columns) {
                Self(row).store_part(to.start.add(i * to.width), stored);
            }
        }
    }
}

/// Pairs of rows, then pairs of pairs within halves, then halves.
#[inline(always)]
unsafe fn transpose(a: [__m256; 8]) -> [__m256; 8] {
    // SAFETY: AVX2 is the caller's promise.
    unsafe {
        let zero = _mm256_setzero_ps();
        let (mut b, mut c, mut d) = ([zero; 8], [zero; 8], [zero; 8]);
        for i in 0..4 {
            b[2 * i] = _mm256_unpacklo_ps(a[2 * i], a[2 * i + 1]);
            b[2 * i + 1] = _mm256_unpackhi_ps(a[2 * i], a[2 * i + 1]);
        }
        for i in 0..2 {
            for j in 0..2 {
                let (x, y) = (b[4 * i + j], b[4 * i + j + 2]);
                c[4 * i + 2 * j] = _mm256_shuffle_ps::<0x44>(x, y);
                c[4 * i + 2 * j + 1] = _mm256_shuffle_ps::<0xee>(x, y);
            }
        }
        for i in 0..4 {
            d[i] = _mm256_permute2f128_ps::<0x20>(c[i], c[i + 4]);
            d[i + 4] = _mm256_permute2f128_ps::<0x31>(c[i], c[i + 4]);
        }
        d
    }
}
