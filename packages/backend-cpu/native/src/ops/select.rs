//! Choice between two tensors, and conversions between element types.

use napi::Result;
use napi_derive::napi;

use super::CHEAP;
use crate::args::{In, Ints, Out, View, guard, length, outputs, product};
use crate::multiversion;
use crate::threads::par_rows_out;

multiversion! {
    fn choose(condition: &[u8], a: &[f32], b: &[f32], out: &mut [f32]) {
        for (((out, &c), &a), &b) in out.iter_mut().zip(condition).zip(a).zip(b) {
            *out = if c != 0 { a } else { b };
        }
    }
}

/// `out = condition ? a : b`; each condition stands for `inner` elements.
#[napi]
pub fn select(condition: View<u8>, a: In, b: In, out: Out, inner: u32) -> Result<()> {
    guard("select", || {
        let [out] = outputs([out], &[&condition, &a, &b])?;
        let (condition, a, b, inner) = (condition.slice(), a.slice(), b.slice(), inner as usize);
        length("out", out, product(&[condition.len(), inner])?)?;
        length("a", a, out.len())?;
        length("b", b, out.len())?;
        if inner == 1 {
            par_rows_out(out, 1, CHEAP, |r, out| {
                choose(&condition[r.clone()], &a[r.clone()], &b[r], out)
            });
            return Ok(());
        }
        par_rows_out(out, inner, (CHEAP / inner.max(1)).max(1), |rows, out| {
            for (out, row) in out.chunks_exact_mut(inner).zip(rows) {
                let from = if condition[row] != 0 { a } else { b };
                out.copy_from_slice(&from[row * inner..][..inner]);
            }
        });
        Ok(())
    })
}

multiversion! {
    fn widen_integers(x: &[i32], y: &mut [f32]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = x as f32;
        }
    }
}

multiversion! {
    fn widen_booleans(x: &[u8], y: &mut [f32]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = f32::from(x);
        }
    }
}

/// Integers to floats.
#[napi]
pub fn cast_integers(x: Ints, y: Out) -> Result<()> {
    guard("cast_integers", || {
        let [y] = outputs([y], &[&x])?;
        let x = x.slice();
        length("y", y, x.len())?;
        par_rows_out(y, 1, CHEAP, |range, y| widen_integers(&x[range], y));
        Ok(())
    })
}

/// Booleans (bytes) to floats.
#[napi]
pub fn cast_booleans(x: View<u8>, y: Out) -> Result<()> {
    guard("cast_booleans", || {
        let [y] = outputs([y], &[&x])?;
        let x = x.slice();
        length("y", y, x.len())?;
        par_rows_out(y, 1, CHEAP, |range, y| widen_booleans(&x[range], y));
        Ok(())
    })
}

/// To an integer as JavaScript does: towards zero, modulo 2^32, and 0 for what is not finite.
fn to_int32(x: f32) -> i32 {
    const LIMIT: f32 = 9_223_372_036_854_775_808.0;
    if x.abs() < LIMIT { x as i64 as i32 } else { 0 }
}

/// Floats to integers.
#[napi]
pub fn cast_floats(x: In, y: Ints) -> Result<()> {
    guard("cast_floats", || {
        let [y] = outputs([y], &[&x])?;
        let x = x.slice();
        length("y", y, x.len())?;
        par_rows_out(y, 1, CHEAP, |range, y| {
            for (y, &x) in y.iter_mut().zip(&x[range]) {
                *y = to_int32(x);
            }
        });
        Ok(())
    })
}
