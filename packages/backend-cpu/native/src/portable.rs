//! The float32 products of the `gemm` crates, on the instruction set in use.
//!
//! The crate's own entry picks by what the CPU has; this one obeys [`crate::simd::level`], so that every
//! instruction set can be forced and tested.

pub use gemm_common::Parallelism;
use gemm_common::gemm::gemm_basic_generic;
use gemm_common::simd::MixedSimd;

use crate::simd::{Level, level};

type Product = unsafe fn(
    usize,
    usize,
    usize,
    *mut f32,
    isize,
    isize,
    bool,
    *const f32,
    isize,
    isize,
    *const f32,
    isize,
    isize,
    f32,
    f32,
    bool,
    bool,
    bool,
    Parallelism,
);

/// One instance per instruction set: its module of micro-kernels, its token, and floats in a register.
macro_rules! product {
    ($name:ident, $kernels:ident, $simd:ident, $lanes:literal) => {
        #[inline(never)]
        #[allow(clippy::too_many_arguments)]
        unsafe fn $name(
            m: usize,
            n: usize,
            k: usize,
            dst: *mut f32,
            dst_cs: isize,
            dst_rs: isize,
            read_dst: bool,
            lhs: *const f32,
            lhs_cs: isize,
            lhs_rs: isize,
            rhs: *const f32,
            rhs_cs: isize,
            rhs_rs: isize,
            alpha: f32,
            beta: f32,
            conj_dst: bool,
            conj_lhs: bool,
            conj_rhs: bool,
            parallelism: Parallelism,
        ) {
            use gemm_f32::microkernel::$kernels::f32::{H_M, H_N, H_UKR, MR_DIV_N, NR, UKR};
            type Simd = gemm_common::simd::$simd;
            let simd = <Simd as MixedSimd<f32, f32, f32, f32>>::try_new()
                .expect("the instruction set was checked when it was set");
            // SAFETY: the caller's promise about the pointers; `simd` shows that the CPU has the instructions.
            unsafe {
                gemm_basic_generic::<_, f32, $lanes, { MR_DIV_N * $lanes }, NR, MR_DIV_N, H_M, H_N>(
                    simd,
                    m,
                    n,
                    k,
                    dst,
                    dst_cs,
                    dst_rs,
                    read_dst,
                    lhs,
                    lhs_cs,
                    lhs_rs,
                    rhs,
                    rhs_cs,
                    rhs_rs,
                    alpha,
                    beta,
                    conj_dst,
                    conj_lhs,
                    conj_rhs,
                    |a, b, c| a * b + c,
                    &UKR,
                    &H_UKR,
                    false,
                    parallelism,
                );
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
product!(avx512, avx512f, V4, 16);
#[cfg(target_arch = "x86_64")]
product!(avx2, fma, V3, 8);
#[cfg(target_arch = "aarch64")]
product!(baseline, neon, Scalar, 4);
#[cfg(target_arch = "wasm32")]
product!(baseline, simd128, Scalar, 4);
#[cfg(not(any(target_arch = "aarch64", target_arch = "wasm32")))]
product!(baseline, scalar, Scalar, 1);

/// Whether the crate's kernels for `level` can run on this CPU. They ask for a few more features than ours do.
pub fn supports(level: Level) -> bool {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => <gemm_common::simd::V4 as MixedSimd<f32, f32, f32, f32>>::try_new().is_some(),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => <gemm_common::simd::V3 as MixedSimd<f32, f32, f32, f32>>::try_new().is_some(),
        Level::Baseline => true,
        #[cfg(not(target_arch = "x86_64"))]
        _ => false,
    }
}

/// `dst = alpha dst + beta lhs rhs`: the arguments of `gemm::gemm` for f32. Strides must not be negative.
///
/// # Safety
/// The pointers must be valid for the sizes and strides, `dst` for writing and apart from the others.
#[allow(clippy::too_many_arguments)]
pub unsafe fn gemm(
    m: usize,
    n: usize,
    k: usize,
    dst: *mut f32,
    dst_cs: isize,
    dst_rs: isize,
    read_dst: bool,
    lhs: *const f32,
    lhs_cs: isize,
    lhs_rs: isize,
    rhs: *const f32,
    rhs_cs: isize,
    rhs_rs: isize,
    alpha: f32,
    beta: f32,
    conj_dst: bool,
    conj_lhs: bool,
    conj_rhs: bool,
    parallelism: Parallelism,
) {
    let product: Product = match level() {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => avx512,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => avx2,
        _ => baseline,
    };
    // The micro-kernels write columns: of a row-major output they compute the transpose.
    // SAFETY: the caller's promise.
    unsafe {
        if dst_cs < dst_rs {
            product(
                n,
                m,
                k,
                dst,
                dst_rs,
                dst_cs,
                read_dst,
                rhs,
                rhs_rs,
                rhs_cs,
                lhs,
                lhs_rs,
                lhs_cs,
                alpha,
                beta,
                conj_dst,
                conj_rhs,
                conj_lhs,
                parallelism,
            );
        } else {
            product(
                m,
                n,
                k,
                dst,
                dst_cs,
                dst_rs,
                read_dst,
                lhs,
                lhs_cs,
                lhs_rs,
                rhs,
                rhs_cs,
                rhs_rs,
                alpha,
                beta,
                conj_dst,
                conj_lhs,
                conj_rhs,
                parallelism,
            );
        }
    }
}
