//! One source, several instruction sets: [`multiversion!`](crate::multiversion) picks at run time.

use std::sync::atomic::{AtomicU8, Ordering};

use napi::Result;
use napi_derive::napi;

use crate::args::{guard, invalid};
use crate::portable::supports;

/// Instruction sets that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What the target guarantees: SSE2, NEON or SIMD128.
    Baseline,
    /// AVX2, FMA and F16C.
    Avx2,
    /// AVX-512 F, BW, DQ, VL, with FMA and F16C.
    Avx512,
}

/// Best first.
const LEVELS: [Level; 3] = [Level::Avx512, Level::Avx2, Level::Baseline];

/// Fused multiply-add in the baseline: NEON has it, SSE2 and SIMD128 have not.
pub const BASELINE_FMA: bool = cfg!(target_arch = "aarch64");

const UNSET: u8 = u8::MAX;
static LEVEL: AtomicU8 = AtomicU8::new(UNSET);

/// The level in use: what [`set_instruction_set`] says, else `BASIC_MLLM_SIMD`, else the best of this CPU.
#[inline]
pub fn level() -> Level {
    match LEVEL.load(Ordering::Relaxed) {
        0 => Level::Baseline,
        1 => Level::Avx2,
        2 => Level::Avx512,
        _ => initial_level(),
    }
}

#[cold]
fn initial_level() -> Level {
    let level = match std::env::var("BASIC_MLLM_SIMD") {
        Ok(name) if !name.is_empty() => {
            find(&name).unwrap_or_else(|| panic!("BASIC_MLLM_SIMD is {name:?}: {}", choice()))
        }
        _ => available().next().unwrap_or(Level::Baseline),
    };
    LEVEL.store(level as u8, Ordering::Relaxed);
    level
}

fn name(level: Level) -> &'static str {
    match level {
        Level::Avx512 => "avx512",
        Level::Avx2 => "avx2",
        Level::Baseline if cfg!(target_arch = "aarch64") => "neon",
        Level::Baseline if cfg!(target_arch = "wasm32") => "simd128",
        Level::Baseline => "baseline",
    }
}

fn available() -> impl Iterator<Item = Level> {
    LEVELS.into_iter().filter(|&level| has(level) && supports(level))
}

fn find(wanted: &str) -> Option<Level> {
    available().find(|&level| name(level) == wanted)
}

fn choice() -> String {
    let names: Vec<_> = available().map(name).collect();
    format!("this CPU has {}", names.join(", "))
}

/// Name of the instruction set in use: `avx512`, `avx2` or `baseline`; `neon` on ARM, `simd128` in WebAssembly.
#[napi]
pub fn instruction_set() -> Result<&'static str> {
    guard("instruction_set", || Ok(name(level())))
}

/// Names of the instruction sets that this CPU has, best first.
#[napi]
pub fn instruction_sets() -> Vec<&'static str> {
    available().map(name).collect()
}

/// Sets the instruction set of all kernels from now on. Call it between kernels.
#[napi]
pub fn set_instruction_set(wanted: String) -> Result<()> {
    guard("set_instruction_set", || {
        let level =
            find(&wanted).ok_or_else(|| invalid(format!("no instruction set {wanted:?}: {}", choice())))?;
        LEVEL.store(level as u8, Ordering::Relaxed);
        Ok(())
    })
}

#[cfg(target_arch = "x86_64")]
fn has(level: Level) -> bool {
    let avx2 = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c");
    match level {
        Level::Baseline => true,
        Level::Avx2 => avx2,
        Level::Avx512 => {
            avx2 && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn has(level: Level) -> bool {
    level == Level::Baseline
}

/// Compiles a function once per instruction set and dispatches at run time.
///
/// Write loops over slices that the compiler can vectorise. Inside the body the constant `FMA: bool` says
/// whether multiply-add is fused; pass it on to the functions of [`crate::math`]. One generic type is
/// allowed, written `fn name[T: Trait](...)`. Helpers that it calls must be `#[inline(always)]`.
///
/// ```text
/// multiversion! {
///     fn scale(x: &[f32], s: f32, y: &mut [f32]) {
///         for (y, &x) in y.iter_mut().zip(x) { *y = math::exp::<FMA>(x) * s; }
///     }
/// }
/// ```
#[macro_export]
macro_rules! multiversion {
    ($(#[$meta:meta])* $vis:vis fn $name:ident $([$t:ident : $bound:path])? ($($arg:ident : $type:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name $(<$t: $bound>)? ($($arg: $type),*) $(-> $ret)? {
            #[inline(always)]
            #[allow(clippy::extra_unused_type_parameters)]
            fn body<const FMA: bool $(, $t: $bound)?>($($arg: $type),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi1,bmi2")]
                fn avx512 $(<$t: $bound>)? ($($arg: $type),*) $(-> $ret)? {
                    body::<true $(, $t)?>($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2 $(<$t: $bound>)? ($($arg: $type),*) $(-> $ret)? {
                    body::<true $(, $t)?>($($arg),*)
                }
                match $crate::simd::level() {
                    // SAFETY: `level` has checked that this CPU has the features.
                    $crate::simd::Level::Avx512 => return unsafe { avx512 $(::<$t>)? ($($arg),*) },
                    // SAFETY: as above.
                    $crate::simd::Level::Avx2 => return unsafe { avx2 $(::<$t>)? ($($arg),*) },
                    $crate::simd::Level::Baseline => {}
                }
            }
            body::<{ $crate::simd::BASELINE_FMA } $(, $t)?>($($arg),*)
        }
    };
}

/// `a * b + c`, fused where the instruction set has it. Never a library call.
#[inline(always)]
pub fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// Partial sums of a reduction. Fixed, so that the order of additions is the same for every instruction set.
pub const LANES: usize = 64;

/// Adds up the lanes pairwise.
#[inline(always)]
pub fn fold_lanes(mut lanes: [f32; LANES], combine: impl Fn(f32, f32) -> f32) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] = combine(lanes[i], lanes[i + width]);
        }
        width /= 2;
    }
    lanes[0]
}

/// Sum of `x` in a fixed order. Call it from a [`multiversion!`](crate::multiversion) body.
#[inline(always)]
pub fn sum(x: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let (blocks, rest) = x.as_chunks::<LANES>();
    for block in blocks {
        for i in 0..LANES {
            lanes[i] += block[i];
        }
    }
    for (lane, &value) in lanes.iter_mut().zip(rest) {
        *lane += value;
    }
    fold_lanes(lanes, |a, b| a + b)
}

/// Sum of `x` in 64 bits, in a fixed order. Call it from a [`multiversion!`](crate::multiversion) body.
#[inline(always)]
pub fn sum_wide(x: &[f32]) -> f64 {
    const WIDE: usize = LANES / 2;
    let mut lanes = [0.0f64; WIDE];
    let (blocks, rest) = x.as_chunks::<WIDE>();
    for block in blocks {
        for i in 0..WIDE {
            lanes[i] += f64::from(block[i]);
        }
    }
    for (lane, &value) in lanes.iter_mut().zip(rest) {
        *lane += f64::from(value);
    }
    let mut width = WIDE / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// Dot product in a fixed order. Call it from a [`multiversion!`](crate::multiversion) body.
#[inline(always)]
pub fn dot<const FMA: bool>(x: &[f32], y: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let n = x.len().min(y.len());
    let (xs, x_rest) = x[..n].as_chunks::<LANES>();
    let (ys, y_rest) = y[..n].as_chunks::<LANES>();
    for (a, b) in xs.iter().zip(ys) {
        for i in 0..LANES {
            lanes[i] = fma::<FMA>(a[i], b[i], lanes[i]);
        }
    }
    for (lane, (&a, &b)) in lanes.iter_mut().zip(x_rest.iter().zip(y_rest)) {
        *lane = fma::<FMA>(a, b, *lane);
    }
    fold_lanes(lanes, |a, b| a + b)
}

/// Largest element, `-inf` for none, NaN if any is NaN. Call it from a [`multiversion!`](crate::multiversion) body.
#[inline(always)]
pub fn max(x: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (blocks, rest) = x.as_chunks::<LANES>();
    for block in blocks {
        for i in 0..LANES {
            lanes[i] = larger(lanes[i], block[i]);
        }
    }
    for (lane, &value) in lanes.iter_mut().zip(rest) {
        *lane = larger(*lane, value);
    }
    fold_lanes(lanes, larger)
}

/// The larger of two; NaN if either is NaN.
#[inline(always)]
pub fn larger(a: f32, b: f32) -> f32 {
    if a > b || a.is_nan() { a } else { b }
}

/// The smaller of two; NaN if either is NaN.
#[inline(always)]
pub fn smaller(a: f32, b: f32) -> f32 {
    if a < b || a.is_nan() { a } else { b }
}
