//! Eight floats as an array: SSE2, NEON and others by the compiler's own vectorisation.

use super::{Rows, Vector};
use crate::math;
use crate::simd::{BASELINE_FMA, fma};

#[derive(Clone, Copy)]
pub struct Portable(pub(super) [f32; 8]);

impl Portable {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        let mut out = self.0;
        for (a, b) in out.iter_mut().zip(other.0) {
            *a = f(*a, b);
        }
        Self(out)
    }
}

// SAFETY (all blocks): valid pointers are the caller's promise, see the trait.
impl Vector for Portable {
    const LANES: usize = 8;
    const FMA: bool = BASELINE_FMA;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Self([x; 8])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: see above.
        Self(unsafe { from.cast::<[f32; 8]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn load_part(from: *const f32, n: usize) -> Self {
        let mut out = [0f32; 8];
        for (i, lane) in out.iter_mut().enumerate().take(n) {
            // SAFETY: see above.
            *lane = unsafe { *from.add(i) };
        }
        Self(out)
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: see above.
        unsafe { to.cast::<[f32; 8]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, n: usize) {
        for (i, lane) in self.0.into_iter().enumerate().take(n) {
            // SAFETY: see above.
            unsafe { *to.add(i) = lane };
        }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        let mut out = c.0;
        for ((out, a), b) in out.iter_mut().zip(self.0).zip(b.0) {
            *out = fma::<BASELINE_FMA>(a, b, *out);
        }
        Self(out)
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if b > a { b } else { a })
    }

    #[inline(always)]
    unsafe fn exp(self) -> Self {
        Self(self.0.map(math::exp::<BASELINE_FMA>))
    }

    #[inline(always)]
    unsafe fn keep(self, from: usize, to: usize, other: Self) -> Self {
        let mut out = other.0;
        for (i, (out, kept)) in out.iter_mut().zip(self.0).enumerate() {
            *out = if from <= i && i < to { kept } else { *out };
        }
        Self(out)
    }

    #[inline(always)]
    unsafe fn transpose(
        from: Rows<*const f32>,
        [rows, columns]: [usize; 2],
        to: Rows<*mut f32>,
        stored: usize,
    ) {
        for i in 0..columns {
            for j in 0..stored {
                // SAFETY: only rows and columns that exist are read or written.
                unsafe {
                    let value = if j < rows {
                        *from.start.add(j * from.width + i)
                    } else {
                        0.0
                    };
                    *to.start.add(i * to.width + j) = value;
                }
            }
        }
    }
}
