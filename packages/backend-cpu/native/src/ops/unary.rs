//! Element-wise functions of one tensor.

use napi::Result;
use napi_derive::napi;

use super::{CHEAP, COSTLY};
use crate::args::{In, Out, guard, invalid, length, outputs};
use crate::threads::par_rows_out;
use crate::{math, multiversion};

/// A function of one number and two parameters of the call.
trait Unary: 'static {
    const GRAIN: usize = CHEAP;
    fn apply<const FMA: bool>(x: f32, parameters: [f32; 2]) -> f32;
}

macro_rules! unary {
    ($($name:ident, $grain:expr, |$x:ident, $p:pat_param| $value:expr;)*) => {$(
        struct $name;
        impl Unary for $name {
            const GRAIN: usize = $grain;
            #[inline(always)]
            fn apply<const FMA: bool>($x: f32, $p: [f32; 2]) -> f32 {
                $value
            }
        }
    )*};
}

unary! {
    Relu, CHEAP, |x, _| if x < 0.0 { 0.0 } else { x };
    Sigmoid, COSTLY, |x, _| math::sigmoid::<FMA>(x);
    Tanh, COSTLY, |x, _| math::tanh::<FMA>(x);
    Erf, COSTLY, |x, _| math::erf::<FMA>(x);
    Exp, COSTLY, |x, _| math::exp::<FMA>(x);
    Log, COSTLY, |x, _| math::log::<FMA>(x);
    Sqrt, CHEAP, |x, _| x.sqrt();
    Rsqrt, CHEAP, |x, _| 1.0 / x.sqrt();
    Square, CHEAP, |x, _| x * x;
    Neg, CHEAP, |x, _| -x;
    Abs, CHEAP, |x, _| x.abs();
    Reciprocal, CHEAP, |x, _| 1.0 / x;
    Clip, CHEAP, |x, [low, high]| if x > high { high } else if x < low { low } else { x };
    Step, CHEAP, |x, [slope, _]| if x.is_nan() { x } else if x > 0.0 { 1.0 } else { slope };
}

multiversion! {
    fn map[O: Unary](x: &[f32], y: &mut [f32], parameters: [f32; 2]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = O::apply::<FMA>(x, parameters);
        }
    }
}

fn run<O: Unary>(x: &[f32], y: &mut [f32], parameters: [f32; 2]) {
    par_rows_out(y, 1, O::GRAIN, |range, y| map::<O>(&x[range], y, parameters));
}

/// `y = f(x)` for the function with number `code`: the order above, as in src/operations/codes.ts.
#[napi]
pub fn unary(code: u32, x: In, y: Out, p0: f64, p1: f64) -> Result<()> {
    guard("unary", || {
        let [y] = outputs([y], &[&x])?;
        let x = x.slice();
        length("y", y, x.len())?;
        let run = match code {
            0 => run::<Relu>,
            1 => run::<Sigmoid>,
            2 => run::<Tanh>,
            3 => run::<Erf>,
            4 => run::<Exp>,
            5 => run::<Log>,
            6 => run::<Sqrt>,
            7 => run::<Rsqrt>,
            8 => run::<Square>,
            9 => run::<Neg>,
            10 => run::<Abs>,
            11 => run::<Reciprocal>,
            12 => run::<Clip>,
            13 => run::<Step>,
            _ => return Err(invalid(format!("no function has the number {code}"))),
        };
        run(x, y, [p0 as f32, p1 as f32]);
        Ok(())
    })
}

multiversion! {
    fn add_to(x: &[f32], y: &mut [f32]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y += x;
        }
    }
}

/// `y += x`.
#[napi]
pub fn accumulate(x: In, y: Out) -> Result<()> {
    guard("accumulate", || {
        let [y] = outputs([y], &[&x])?;
        let x = x.slice();
        length("y", y, x.len())?;
        par_rows_out(y, 1, CHEAP, |range, y| add_to(&x[range], y));
        Ok(())
    })
}
