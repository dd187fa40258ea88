//! Vectorisable elementary functions of 32-bit floats.

use crate::simd::fma;

/// `e^x`.
#[inline(always)]
pub fn exp<const FMA: bool>(x: f32) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    const MAGIC: f32 = 12_582_912.0;
    let clamped = if x > 128.0 { 128.0 } else { x };
    let clamped = if clamped < -110.0 { -110.0 } else { clamped };
    let n = fma::<FMA>(clamped, LOG2_E, MAGIC) - MAGIC;
    let r = fma::<FMA>(n, -LN2_LOW, fma::<FMA>(n, -LN2_HIGH, clamped));
    let mut p = 1.987_569_1e-4;
    p = fma::<FMA>(p, r, 1.398_199_9e-3);
    p = fma::<FMA>(p, r, 8.333_452e-3);
    p = fma::<FMA>(p, r, 4.166_579_6e-2);
    p = fma::<FMA>(p, r, 1.666_666_5e-1);
    p = fma::<FMA>(p, r, 5.0e-1);
    let y = fma::<FMA>(p * r, r, r) + 1.0;
    // Two factors, so that results near the largest and below the smallest normal number are right.
    let i = n as i32;
    let half = i >> 1;
    let power = |e: i32| f32::from_bits(((e + 127) << 23) as u32);
    y * power(half) * power(i - half)
}
