//! Vectors of one instruction set, for kernels that hold a tile of results in registers.
//!
//! Generic code over [`Vector`] is `#[inline(always)]` all the way, and [`with_vectors!`](crate::with_vectors)
//! calls it from a function that has the features: one source, every instruction set.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod blocks;
mod portable;

#[cfg(target_arch = "x86_64")]
pub use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub use avx512::Avx512;
pub use blocks::Blocks;
pub use portable::Portable;

/// Several 32-bit floats in a register.
///
/// # Safety
/// Every function needs a CPU with the instruction set of the type. Pointers must be valid for what is read or
/// written: `LANES` floats, or the first `n` of a partial access (`n <= LANES`).
pub trait Vector: Copy {
    const LANES: usize;
    /// Whether `fma` rounds once.
    const FMA: bool;

    unsafe fn splat(x: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    /// The first `n` lanes; the others are 0.
    unsafe fn load_part(from: *const f32, n: usize) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn store_part(self, to: *mut f32, n: usize);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    /// `self * b + c`.
    unsafe fn fma(self, b: Self, c: Self) -> Self;
    /// The larger one; `self` where `other` is NaN, NaN where `self` is.
    unsafe fn max(self, other: Self) -> Self;
    /// `e^x`, as accurate as [`crate::math::exp`].
    unsafe fn exp(self) -> Self;
    /// Lanes `from .. to` of `self`, those of `other` elsewhere.
    unsafe fn keep(self, from: usize, to: usize, other: Self) -> Self;
    /// Transposes at most `LANES` rows and columns: row i of `from` (`from_width` apart) becomes column i of `to`.
    ///
    /// Of each row of `to`, `stored` elements are written, with 0 for rows that `from` does not have.
    unsafe fn transpose(from: Rows<*const f32>, size: [usize; 2], to: Rows<*mut f32>, stored: usize);
}

/// The first `n` lanes from memory, which may be all; the others are 0.
///
/// # Safety
/// As [`Vector`].
#[inline(always)]
pub unsafe fn load_some<V: Vector>(from: *const f32, n: usize) -> V {
    // SAFETY: the caller's promise.
    unsafe {
        if n == V::LANES {
            V::load(from)
        } else {
            V::load_part(from, n)
        }
    }
}

/// The inverse of [`load_some`].
///
/// # Safety
/// As [`Vector`].
#[inline(always)]
pub unsafe fn store_some<V: Vector>(vector: V, to: *mut f32, n: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        if n == V::LANES {
            vector.store(to);
        } else {
            vector.store_part(to, n);
        }
    }
}

/// First element of a matrix, and the distance between its rows.
#[derive(Clone, Copy)]
pub struct Rows<P> {
    pub start: P,
    pub width: usize,
}

impl Rows<*const f32> {
    /// The rows from `row` on.
    pub fn from(self, row: usize) -> Self {
        Self {
            start: self.start.wrapping_add(row * self.width),
            ..self
        }
    }
}

impl Rows<*mut f32> {
    /// The rows from `row` on.
    pub fn from(self, row: usize) -> Self {
        Self {
            start: self.start.wrapping_add(row * self.width),
            ..self
        }
    }
}

/// Defines a function that calls `$body::<V, ..>` with the vectors of this CPU. `$body` is `#[inline(always)]`.
///
/// Each instruction set gives its type and the constants that follow it in the generics of the body.
#[macro_export]
macro_rules! with_vectors {
    ($(#[$meta:meta])* $vis:vis unsafe fn $name:ident($($arg:ident : $type:ty),* $(,)?) = $body:ident[
        avx512: $($wide:expr),*; avx2: $($middle:expr),*; portable: $($narrow:expr),*
    ]) => {
        $(#[$meta])*
        $vis unsafe fn $name($($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi1,bmi2")]
                unsafe fn avx512($($arg: $type),*) {
                    // SAFETY: this function has the features; the rest is the caller's promise.
                    unsafe { $body::<$crate::kernels::vector::Avx512, $($wide),*>($($arg),*) }
                }
                #[target_feature(enable = "avx2,fma,f16c")]
                unsafe fn avx2($($arg: $type),*) {
                    // SAFETY: as above.
                    unsafe { $body::<$crate::kernels::vector::Avx2, $($middle),*>($($arg),*) }
                }
                match $crate::simd::level() {
                    // SAFETY: `level` has checked that this CPU has the features.
                    $crate::simd::Level::Avx512 => return unsafe { avx512($($arg),*) },
                    // SAFETY: as above.
                    $crate::simd::Level::Avx2 => return unsafe { avx2($($arg),*) },
                    $crate::simd::Level::Baseline => {}
                }
            }
            // SAFETY: needs no features; the rest is the caller's promise.
            unsafe { $body::<$crate::kernels::vector::Portable, $($narrow),*>($($arg),*) }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[inline(always)]
    unsafe fn round_trip<V: Vector, const N: usize>(worst: &mut f64) {
        let lanes = V::LANES;
        let from: Vec<f32> = (0..lanes * (lanes + 3)).map(|i| i as f32).collect();
        for (rows, columns) in [(lanes, lanes), (lanes - 1, 3), (1, lanes), (2, 1)] {
            let mut to = vec![-1f32; lanes * (lanes + 1)];
            let source = Rows {
                start: from.as_ptr(),
                width: lanes + 3,
            };
            let target = Rows {
                start: to.as_mut_ptr(),
                width: lanes + 1,
            };
            // SAFETY: both matrices hold a whole block; the caller has checked the features.
            unsafe { V::transpose(source, [rows, columns], target, lanes) };
            for i in 0..columns {
                for j in 0..lanes {
                    let want = if j < rows { from[j * (lanes + 3) + i] } else { 0.0 };
                    assert_eq!(to[i * (lanes + 1) + j], want, "{rows} x {columns} at {i}, {j}");
                }
                assert_eq!(to[i * (lanes + 1) + lanes], -1.0);
            }
        }
        let mut out = vec![0f32; lanes];
        for i in 0..20_000 {
            let x = -100.0 + 0.0094 * i as f32;
            // SAFETY: `out` has all lanes.
            unsafe { V::splat(x).exp().store(out.as_mut_ptr()) };
            let want = f64::from(x).exp();
            if want > 1e-37 {
                *worst = worst.max((f64::from(out[0]) / want - 1.0).abs());
            }
        }
        // SAFETY: as above.
        unsafe {
            for (x, want) in [
                (f32::NEG_INFINITY, 0.0),
                (0.0, 1.0),
                (f32::INFINITY, f32::INFINITY),
            ] {
                V::splat(x).exp().store(out.as_mut_ptr());
                assert_eq!(out[N], want);
            }
            V::splat(f32::NAN).exp().store(out.as_mut_ptr());
            assert!(out[0].is_nan());
            V::splat(1.0).keep(1, 3, V::splat(2.0)).store(out.as_mut_ptr());
        }
        let kept: Vec<f32> = (0..lanes)
            .map(|i| if (1..3).contains(&i) { 1.0 } else { 2.0 })
            .collect();
        assert_eq!(out, kept);
    }

    with_vectors! {
        unsafe fn check(worst: &mut f64) = round_trip[avx512: 0; avx2: 0; portable: 0]
    }

    #[test]
    fn vectors_transpose_choose_lanes_and_exponentiate() {
        let mut worst = 0.0;
        // SAFETY: dispatched by level.
        unsafe { check(&mut worst) };
        assert!(worst < 3e-7, "{worst}");
        // SAFETY: the portable type needs no features.
        unsafe { round_trip::<Portable, 0>(&mut worst) };
        assert!(worst < 3e-7, "{worst}");
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn avx2_does_the_same() {
        #[target_feature(enable = "avx2,fma")]
        unsafe fn avx2(worst: &mut f64) {
            // SAFETY: this function has the features.
            unsafe { round_trip::<Avx2, 0>(worst) }
        }
        let mut worst = 0.0;
        if crate::simd::level() >= crate::simd::Level::Avx2 {
            // SAFETY: checked above.
            unsafe { avx2(&mut worst) };
        }
        assert!(worst < 3e-7, "{worst}");
    }
}
