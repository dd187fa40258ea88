//! Element-wise functions of two tensors, with broadcasting.

use napi::Result;
use napi_derive::napi;

use super::CHEAP;
use super::layout::Loops;
use crate::args::{Element, In, Ints, Out, View, guard, invalid, length, outputs};
use crate::multiversion;
use crate::simd::{larger, smaller};
use crate::threads::par_rows_out;

/// A function of two numbers.
trait Binary: 'static {
    type Value: Element;
    fn apply(a: f32, b: f32) -> Self::Value;
}

macro_rules! binary {
    ($($name:ident -> $value:ty, |$a:ident, $b:ident| $body:expr;)*) => {$(
        struct $name;
        impl Binary for $name {
            type Value = $value;
            #[inline(always)]
            fn apply($a: f32, $b: f32) -> $value {
                $body
            }
        }
    )*};
}

binary! {
    Add -> f32, |a, b| a + b;
    Sub -> f32, |a, b| a - b;
    Multiply -> f32, |a, b| a * b;
    RealDiv -> f32, |a, b| a / b;
    Maximum -> f32, |a, b| larger(a, b);
    Minimum -> f32, |a, b| smaller(a, b);
    SquaredDifference -> f32, |a, b| (a - b) * (a - b);
    Greater -> u8, |a, b| u8::from(a > b);
    GreaterEqual -> u8, |a, b| u8::from(a >= b);
    Less -> u8, |a, b| u8::from(a < b);
    LessEqual -> u8, |a, b| u8::from(a <= b);
    Equal -> u8, |a, b| u8::from(a == b);
    NotEqual -> u8, |a, b| u8::from(a != b);
}

multiversion! {
    fn same[O: Binary](a: &[f32], b: &[f32], out: &mut [O::Value]) {
        for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
            *out = O::apply(a, b);
        }
    }
}

multiversion! {
    /// Rows of a broadcast: `loops` are the outer loops, `inner` the strides of the innermost (0 or 1).
    fn broadcast[O: Binary](loops: &Loops, inner: [usize; 3], start: usize, a: &[f32], b: &[f32], out: &mut [O::Value]) {
        let [width, a_stride, b_stride] = inner;
        for (out, (i, j)) in out.chunks_exact_mut(width).zip(loops.offsets(start)) {
            match (a_stride, b_stride) {
                (0, 0) => out.fill(O::apply(a[i], b[j])),
                (0, _) => {
                    let a = a[i];
                    for (out, &b) in out.iter_mut().zip(&b[j..j + width]) {
                        *out = O::apply(a, b);
                    }
                }
                (_, 0) => {
                    let b = b[j];
                    for (out, &a) in out.iter_mut().zip(&a[i..i + width]) {
                        *out = O::apply(a, b);
                    }
                }
                _ => {
                    for ((out, &a), &b) in out.iter_mut().zip(&a[i..i + width]).zip(&b[j..j + width]) {
                        *out = O::apply(a, b);
                    }
                }
            }
        }
    }
}

fn run<O: Binary>(a: &[f32], b: &[f32], out: &mut [O::Value], loops: &Loops) {
    if out.is_empty() {
        return;
    }
    let (width, a_stride, b_stride) = loops.inner();
    if loops.sizes.len() == 1 && a_stride == 1 && b_stride == 1 {
        par_rows_out(out, 1, CHEAP, |range, out| {
            same::<O>(&a[range.clone()], &b[range], out)
        });
    } else if loops.sizes.len() == 1 {
        // One row: cut it into shorter ones that start anywhere.
        par_rows_out(out, 1, CHEAP, |range, out| {
            let (a, b) = (&a[range.start * a_stride..], &b[range.start * b_stride..]);
            broadcast::<O>(&loops.without(0), [out.len(), a_stride, b_stride], 0, a, b, out);
        });
    } else {
        let outer = loops.without(loops.sizes.len() - 1);
        par_rows_out(out, width, (CHEAP / width).max(1), |range, out| {
            broadcast::<O>(&outer, [width, a_stride, b_stride], range.start, a, b, out);
        });
    }
}

fn check<T>(a: &[f32], b: &[f32], out: &[T], loops: &Loops) -> Result<()> {
    length("out", out, loops.count())?;
    let (_, a_stride, b_stride) = loops.inner();
    if a_stride > 1 || b_stride > 1 {
        return Err(invalid("innermost strides must be 0 or 1"));
    }
    if a.len() < loops.reach(&loops.first)? || b.len() < loops.reach(&loops.second)? {
        return Err(invalid(format!(
            "{} and {} elements are too few",
            a.len(),
            b.len()
        )));
    }
    Ok(())
}

/// `out = f(a, b)`; `dimensions` has `[size, stride in a, stride in b]` for each axis of the output.
#[napi]
pub fn binary(code: u32, a: In, b: In, out: Out, dimensions: Ints) -> Result<()> {
    guard("binary", || {
        let [out] = outputs([out], &[&a, &b, &dimensions])?;
        let (a, b, loops) = (a.slice(), b.slice(), Loops::parse(dimensions.slice())?);
        check(a, b, out, &loops)?;
        let run = match code {
            0 => run::<Add>,
            1 => run::<Sub>,
            2 => run::<Multiply>,
            3 => run::<RealDiv>,
            4 => run::<Maximum>,
            5 => run::<Minimum>,
            6 => run::<SquaredDifference>,
            _ => return Err(invalid(format!("no function has the number {code}"))),
        };
        run(a, b, out, &loops);
        Ok(())
    })
}

/// As [`binary`], for comparisons: 1 where true, else 0.
#[napi]
pub fn compare(code: u32, a: In, b: In, out: View<u8>, dimensions: Ints) -> Result<()> {
    guard("compare", || {
        let [out] = outputs([out], &[&a, &b, &dimensions])?;
        let (a, b, loops) = (a.slice(), b.slice(), Loops::parse(dimensions.slice())?);
        check(a, b, out, &loops)?;
        let run = match code {
            0 => run::<Greater>,
            1 => run::<GreaterEqual>,
            2 => run::<Less>,
            3 => run::<LessEqual>,
            4 => run::<Equal>,
            5 => run::<NotEqual>,
            _ => return Err(invalid(format!("no comparison has the number {code}"))),
        };
        run(a, b, out, &loops);
        Ok(())
    })
}
