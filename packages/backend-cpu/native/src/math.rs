//! Elementary functions of 32-bit floats that the compiler can vectorise, accurate to about 1e-7 relative.
//!
//! Call them from a [`multiversion!`](crate::multiversion) body with its `FMA`. NaN gives NaN, and infinities
//! give the limits. Polynomials for `exp`, `log` and `tanh` are those of the Cephes library (single
//! precision); the one for `erf` is by N. Juffa.

use crate::simd::fma;

pub const LN2_HIGH: f32 = 0.693_359_4;
pub const LN2_LOW: f32 = -2.121_944_4e-4;

/// `(e^r - 1 - r) / r^2` for `|r| <= ln(2) / 2`, from the highest power down.
pub const EXP_COEFFICIENTS: [f32; 6] = [
    1.987_569_1e-4,
    1.398_199_9e-3,
    8.333_452e-3,
    4.166_579_6e-2,
    1.666_666_5e-1,
    0.5,
];

/// Evaluates a polynomial; coefficients from the highest power down.
#[inline(always)]
fn polynomial<const FMA: bool, const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = coefficients[0];
    for &c in &coefficients[1..] {
        sum = fma::<FMA>(sum, x, c);
    }
    sum
}

/// `2^e` for `-126 <= e <= 127`.
#[inline(always)]
fn power_of_two(e: i32) -> f32 {
    f32::from_bits((e.wrapping_add(127) as u32) << 23)
}

/// `e^x`.
#[inline(always)]
pub fn exp<const FMA: bool>(x: f32) -> f32 {
    // Adding it rounds to an integer, which then stands in the low bits.
    const MAGIC: f32 = 12_582_912.0;
    let x = if x > 128.0 { 128.0 } else { x };
    let x = if x < -110.0 { -110.0 } else { x };
    let shifted = fma::<FMA>(x, std::f32::consts::LOG2_E, MAGIC);
    let n = shifted - MAGIC;
    let r = fma::<FMA>(n, -LN2_LOW, fma::<FMA>(n, -LN2_HIGH, x));
    let p = polynomial::<FMA, 6>(r, EXP_COEFFICIENTS);
    let y = fma::<FMA>(p * r, r, r) + 1.0;
    let e = shifted.to_bits().wrapping_sub(MAGIC.to_bits()) as i32;
    // Two factors, for results near the largest and below the smallest normal number.
    let half = e >> 1;
    y * power_of_two(half) * power_of_two(e.wrapping_sub(half))
}

/// Natural logarithm; `-inf` at 0 and NaN below.
#[inline(always)]
pub fn log<const FMA: bool>(x: f32) -> f32 {
    const SQRT_HALF_BITS: u32 = 0x3f35_04f3;
    let tiny = x < f32::MIN_POSITIVE;
    let scaled = if tiny { x * 8_388_608.0 } else { x };
    // Exponent such that the rest lies between sqrt(1/2) and sqrt(2).
    let bits = scaled.to_bits().wrapping_sub(SQRT_HALF_BITS);
    let e = ((bits as i32) >> 23) as f32 - if tiny { 23.0 } else { 0.0 };
    let m = f32::from_bits((bits & 0x007f_ffff).wrapping_add(SQRT_HALF_BITS)) - 1.0;
    let z = m * m;
    let p = polynomial::<FMA, 9>(
        m,
        [
            7.037_683_6e-2,
            -1.151_461e-1,
            1.167_699_9e-1,
            -1.242_014_1e-1,
            1.424_932_3e-1,
            -1.666_805_8e-1,
            2.000_071_5e-1,
            -2.499_999_4e-1,
            3.333_333e-1,
        ],
    );
    let y = fma::<FMA>(e, LN2_LOW, p * m * z);
    let y = fma::<FMA>(z, -0.5, y);
    let y = fma::<FMA>(e, LN2_HIGH, m + y);
    let y = if x == f32::INFINITY { x } else { y };
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    if x < 0.0 || x.is_nan() { f32::NAN } else { y }
}

/// Hyperbolic tangent.
#[inline(always)]
pub fn tanh<const FMA: bool>(x: f32) -> f32 {
    let a = x.abs();
    let large = fma::<FMA>(-2.0, reciprocal::<FMA>(exp::<FMA>(2.0 * a) + 1.0), 1.0);
    let z = x * x;
    let p = polynomial::<FMA, 5>(
        z,
        [
            -5.704_988_7e-3,
            2.063_908_8e-2,
            -5.373_971_6e-2,
            1.333_144_2e-1,
            -3.333_328e-1,
        ],
    );
    let small = fma::<FMA>(p * z, x, x);
    if a < 0.625 { small } else { large.copysign(x) }
}

/// `1 / x` for `x >= 1`; 0 from 2^125 on. Multiplications only: a vector division takes longer than an exponential.
#[inline(always)]
fn reciprocal<const FMA: bool>(x: f32) -> f32 {
    const LIMIT: f32 = 4.253_529_6e37;
    // A first guess within 12 %, whose error each step squares.
    let mut y = f32::from_bits(0x7ef3_11c3u32.wrapping_sub(x.to_bits()));
    for _ in 0..3 {
        y = fma::<FMA>(y, fma::<FMA>(-x, y, 1.0), y);
    }
    if x > LIMIT { 0.0 } else { y }
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub fn sigmoid<const FMA: bool>(x: f32) -> f32 {
    reciprocal::<FMA>(1.0 + exp::<FMA>(-x))
}

/// Error function.
#[inline(always)]
pub fn erf<const FMA: bool>(x: f32) -> f32 {
    let a = x.abs();
    let t = if a > 10.0 { 10.0 } else { a };
    let s = t * t;
    let high = fma::<FMA>(-1.728_534_7e-5, t, 3.831_972e-4);
    let low = fma::<FMA>(-3.883_964_4e-3, t, 2.425_462_2e-2);
    let tail = fma::<FMA>(high, s, low);
    let tail = fma::<FMA>(tail, t, -1.067_778_8e-1);
    let tail = fma::<FMA>(tail, t, -6.348_467e-1);
    let tail = fma::<FMA>(tail, t, -1.287_175_1e-1);
    let large = 1.0 - exp::<FMA>(fma::<FMA>(tail, t, -t));
    let p = polynomial::<FMA, 6>(
        s,
        [
            -5.967_617e-4,
            4.991_194_2e-3,
            -2.676_813_5e-2,
            1.128_199_3e-1,
            -3.761_253_4e-1,
            1.283_791_7e-1,
        ],
    );
    let small = fma::<FMA>(p, x, x);
    if a > 0.927_734_4 { large.copysign(x) } else { small }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values on a fine grid over `low..high`, and a few of every size.
    fn grid(low: f32, high: f32) -> Vec<f32> {
        let steps = 200_000;
        (0..=steps)
            .map(|i| low + (high - low) * i as f32 / steps as f32)
            .collect()
    }

    fn sizes() -> Vec<f32> {
        (-120..=120)
            .flat_map(|e| [1.0f32, 1.37, 1.99].map(|m| m * (e as f32).exp2()))
            .collect()
    }

    /// Largest relative error against a 64-bit evaluation.
    fn worst(points: &[f32], ours: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64) -> f64 {
        points.iter().fold(0.0f64, |worst, &x| {
            let want = exact(f64::from(x));
            worst.max(((f64::from(ours(x)) - want) / want.abs().max(1e-37)).abs())
        })
    }

    /// By its Taylor series, or near 1 by the continued fraction of the complement.
    fn exact_erf(x: f64) -> f64 {
        let a = x.abs();
        if a < 3.0 {
            let (mut term, mut sum) = (a, a);
            for n in 1..200 {
                let n = f64::from(n);
                term *= -a * a / n;
                sum += term / (2.0 * n + 1.0);
            }
            return (sum * std::f64::consts::FRAC_2_SQRT_PI).copysign(x);
        }
        let fraction = (1..200).rev().fold(0.0, |f, n| f64::from(n) / 2.0 / (a + f));
        let complement = (-a * a).exp() / ((a + fraction) * std::f64::consts::PI.sqrt());
        (1.0 - complement).copysign(x)
    }

    fn exact_sigmoid(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    fn check<const FMA: bool>(limit: f64) {
        assert!(worst(&grid(-87.0, 88.7), exp::<FMA>, f64::exp) < limit);
        assert!(worst(&grid(0.01, 1000.0), log::<FMA>, f64::ln) < limit);
        assert!(worst(&sizes(), log::<FMA>, f64::ln) < limit);
        assert!(worst(&grid(-12.0, 12.0), tanh::<FMA>, f64::tanh) < limit);
        assert!(worst(&grid(-80.0, 80.0), sigmoid::<FMA>, exact_sigmoid) < limit);
        assert!(worst(&grid(-6.0, 6.0), erf::<FMA>, exact_erf) < limit);
    }

    #[test]
    fn functions_are_accurate_with_fused_multiply_add() {
        check::<true>(2.5e-7);
    }

    #[test]
    fn functions_are_accurate_without_fused_multiply_add() {
        check::<false>(3e-7);
    }

    #[test]
    fn functions_of_special_values_are_their_limits() {
        let inf = f32::INFINITY;
        assert_eq!(
            [exp::<true>(-inf), exp::<true>(0.0), exp::<true>(inf)],
            [0.0, 1.0, inf]
        );
        assert_eq!(
            [log::<true>(0.0), log::<true>(1.0), log::<true>(inf)],
            [-inf, 0.0, inf]
        );
        assert_eq!(
            [tanh::<true>(-inf), tanh::<true>(0.0), tanh::<true>(inf)],
            [-1.0, 0.0, 1.0]
        );
        assert_eq!(
            [sigmoid::<true>(-inf), sigmoid::<true>(0.0), sigmoid::<true>(inf)],
            [0.0, 0.5, 1.0]
        );
        assert_eq!(
            [erf::<true>(-inf), erf::<true>(0.0), erf::<true>(inf)],
            [-1.0, 0.0, 1.0]
        );
        for f in [
            exp::<true>,
            log::<true>,
            tanh::<true>,
            sigmoid::<true>,
            erf::<true>,
        ] {
            assert!(f(f32::NAN).is_nan());
        }
        assert!(log::<true>(-1.0).is_nan());
    }

    #[test]
    fn exp_reaches_below_the_smallest_normal_number() {
        let (ours, want) = (exp::<true>(-100.0), (-100f64).exp());
        assert!((f64::from(ours) / want - 1.0).abs() < 0.03);
        assert_eq!(exp::<true>(-105.0), 0.0);
    }
}
