//! Sixteen floats.

use std::arch::x86_64::*;

use super::{Rows, Vector};
use crate::math::{EXP_COEFFICIENTS, LN2_HIGH, LN2_LOW};

#[derive(Clone, Copy)]
pub struct Avx512(pub(super) __m512);

/// The first `n` lanes.
#[inline(always)]
fn first(n: usize) -> __mmask16 {
    ((1u32 << n) - 1) as u16
}

// SAFETY (all blocks): AVX-512 and valid pointers are the caller's promise, see the trait.
impl Vector for Avx512 {
    const LANES: usize = 16;
    const FMA: bool = true;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_set1_ps(x) })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn load_part(from: *const f32, n: usize) -> Self {
        // SAFETY: masked lanes are not read.
        Self(unsafe { _mm512_maskz_loadu_ps(first(n), from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: see above.
        unsafe { _mm512_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, n: usize) {
        // SAFETY: masked lanes are not written.
        unsafe { _mm512_mask_storeu_ps(to, first(n), self.0) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_sub_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_mul_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_fmadd_ps(self.0, b.0, c.0) })
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // The instruction returns its second operand where one is NaN.
        // SAFETY: see above.
        Self(unsafe { _mm512_max_ps(other.0, self.0) })
    }

    #[inline(always)]
    unsafe fn exp(self) -> Self {
        // SAFETY: see above.
        unsafe {
            // Operands in this order let NaN through.
            let x = _mm512_max_ps(_mm512_set1_ps(-110.0), self.0);
            let x = _mm512_min_ps(_mm512_set1_ps(128.0), x);
            let n = _mm512_roundscale_ps::<0>(_mm512_mul_ps(x, _mm512_set1_ps(std::f32::consts::LOG2_E)));
            let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(LN2_HIGH), x);
            let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(LN2_LOW), r);
            let mut p = _mm512_set1_ps(EXP_COEFFICIENTS[0]);
            for c in &EXP_COEFFICIENTS[1..] {
                p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(*c));
            }
            let y = _mm512_fmadd_ps(_mm512_mul_ps(p, r), r, r);
            Self(_mm512_scalef_ps(_mm512_add_ps(y, _mm512_set1_ps(1.0)), n))
        }
    }

    #[inline(always)]
    unsafe fn keep(self, from: usize, to: usize, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_mask_mov_ps(other.0, first(to) & !first(from), self.0) })
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
            let mut block = [_mm512_setzero_ps(); 16];
            if rows == 16 && columns == 16 {
                for (i, row) in block.iter_mut().enumerate() {
                    *row = _mm512_loadu_ps(from.start.add(i * from.width));
                }
            } else {
                for (i, row) in block.iter_mut().enumerate().take(rows) {
                    *row = _mm512_maskz_loadu_ps(first(columns), from.start.add(i * from.width));
                }
            }
            let block = transpose(block);
            if columns == 16 && stored == 16 {
                for (i, row) in block.into_iter().enumerate() {
                    _mm512_storeu_ps(to.start.add(i * to.width), row);
                }
            } else {
                for (i, row) in block.into_iter().enumerate().take(columns) {
                    _mm512_mask_storeu_ps(to.start.add(i * to.width), first(stored), row);
                }
            }
        }
    }
}

/// Pairs of rows, then pairs of pairs within quarters, then quarters.
#[inline(always)]
unsafe fn transpose(a: [__m512; 16]) -> [__m512; 16] {
    // SAFETY: AVX-512 is the caller's promise.
    unsafe {
        let zero = _mm512_setzero_ps();
        let (mut b, mut c, mut d, mut e) = ([zero; 16], [zero; 16], [zero; 16], [zero; 16]);
        for i in 0..8 {
            b[2 * i] = _mm512_unpacklo_ps(a[2 * i], a[2 * i + 1]);
            b[2 * i + 1] = _mm512_unpackhi_ps(a[2 * i], a[2 * i + 1]);
        }
        for i in 0..4 {
            for j in 0..2 {
                let x = _mm512_castps_pd(b[4 * i + j]);
                let y = _mm512_castps_pd(b[4 * i + j + 2]);
                c[4 * i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(x, y));
                c[4 * i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(x, y));
            }
        }
        for i in 0..4 {
            d[i] = _mm512_shuffle_f32x4::<0x88>(c[i], c[i + 4]);
            d[i + 4] = _mm512_shuffle_f32x4::<0xdd>(c[i], c[i + 4]);
            d[i + 8] = _mm512_shuffle_f32x4::<0x88>(c[i + 8], c[i + 12]);
            d[i + 12] = _mm512_shuffle_f32x4::<0xdd>(c[i + 8], c[i + 12]);
        }
        for i in 0..4 {
            e[i] = _mm512_shuffle_f32x4::<0x88>(d[i], d[i + 8]);
            e[i + 4] = _mm512_shuffle_f32x4::<0x88>(d[i + 4], d[i + 12]);
            e[i + 8] = _mm512_shuffle_f32x4::<0xdd>(d[i], d[i + 8]);
            e[i + 12] = _mm512_shuffle_f32x4::<0xdd>(d[i + 4], d[i + 12]);
        }
        e
    }
}
