//! Softmax over rows.

use napi::Result;
use napi_derive::napi;

use super::COSTLY;
use crate::args::{In, Out, guard, invalid, length, outputs};
use crate::threads::par_rows_out;
use crate::{math, multiversion, simd};

multiversion! {
    fn softmax_rows(x: &[f32], y: &mut [f32], width: usize) {
        for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
            let max = simd::max(x);
            for (y, &x) in y.iter_mut().zip(x) {
                *y = math::exp::<FMA>(x - max);
            }
            let scale = 1.0 / simd::sum(y);
            for y in y.iter_mut() {
                *y *= scale;
            }
        }
    }
}

/// Softmax of rows of `width` elements.
#[napi]
pub fn softmax(x: In, y: Out, width: u32) -> Result<()> {
    guard("softmax", || {
        let [y] = outputs([y], &[&x])?;
        let (x, width) = (x.slice(), width as usize);
        length("y", y, x.len())?;
        if width == 0 || !x.len().is_multiple_of(width) {
            return Err(invalid(format!("{} elements are no rows of {width}", x.len())));
        }
        par_rows_out(y, width, (COSTLY / width).max(1), |rows, y| {
            softmax_rows(&x[rows.start * width..rows.end * width], y, width);
        });
        Ok(())
    })
}
