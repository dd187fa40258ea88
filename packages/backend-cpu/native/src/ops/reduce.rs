//! Reductions of the middle axis of `[outer, n, inner]`.

use napi::Result;
use napi_derive::napi;

use super::CHEAP;
use crate::args::{In, Ints, Out, guard, invalid, length, outputs, product};
use crate::threads::{par_rows, par_rows_out};
use crate::{multiversion, simd};

/// Elements of a long row that one thread adds.
const BLOCK: usize = 4096;
/// Columns that are reduced together.
const COLUMNS: usize = 256;

multiversion! {
    fn sum_block(x: &[f32]) -> f64 {
        simd::sum_wide(x)
    }
}

multiversion! {
    fn max_block(x: &[f32]) -> f32 {
        simd::max(x)
    }
}

/// Sum of a long row. The blocks are fixed, so the result does not depend on the number of threads.
fn sum_long(x: &[f32]) -> f64 {
    if x.len() <= CHEAP {
        return x.chunks(BLOCK).map(sum_block).sum();
    }
    let mut parts = vec![0.0f64; x.len().div_ceil(BLOCK)];
    par_rows_out(&mut parts, 1, CHEAP / BLOCK, |range, parts| {
        for (part, i) in parts.iter_mut().zip(range) {
            *part = sum_block(&x[i * BLOCK..x.len().min((i + 1) * BLOCK)]);
        }
    });
    parts.iter().sum()
}

fn sum_rows(x: &[f32], out: &mut [f32], n: usize, scale: f64) {
    if out.len() == 1 {
        out[0] = (sum_long(x) * scale) as f32;
        return;
    }
    par_rows_out(out, 1, (CHEAP / n.max(1)).max(1), |rows, out| {
        for (out, row) in out.iter_mut().zip(rows) {
            let x = &x[row * n..(row + 1) * n];
            *out = (x.chunks(BLOCK).map(sum_block).sum::<f64>() * scale) as f32;
        }
    });
}

fn max_rows(x: &[f32], out: &mut [f32], n: usize) {
    par_rows_out(out, 1, (CHEAP / n.max(1)).max(1), |rows, out| {
        for (out, row) in out.iter_mut().zip(rows) {
            *out = max_block(&x[row * n..(row + 1) * n]);
        }
    });
}

multiversion! {
    /// Sums of the columns `x[.., at..at + out.len()]` of an `[n, stride]` matrix.
    fn sum_columns(x: &[f32], stride: usize, at: usize, out: &mut [f32], scale: f64) {
        let mut sums = [0.0f64; COLUMNS];
        let sums = &mut sums[..out.len()];
        for row in x.chunks_exact(stride) {
            for (sum, &x) in sums.iter_mut().zip(&row[at..]) {
                *sum += f64::from(x);
            }
        }
        for (out, &sum) in out.iter_mut().zip(sums.iter()) {
            *out = (sum * scale) as f32;
        }
    }
}

multiversion! {
    fn max_columns(x: &[f32], stride: usize, at: usize, out: &mut [f32], _scale: f64) {
        out.fill(f32::NEG_INFINITY);
        for row in x.chunks_exact(stride) {
            for (out, &x) in out.iter_mut().zip(&row[at..]) {
                *out = simd::larger(*out, x);
            }
        }
    }
}

type Columns = fn(&[f32], usize, usize, &mut [f32], f64);

fn reduce_columns(x: &[f32], out: &mut [f32], sizes: [usize; 3], scale: f64, body: Columns) {
    let [outer, n, inner] = sizes;
    let blocks = inner.div_ceil(COLUMNS);
    let shared = crate::threads::SharedOut::new(out);
    let work = n * inner.min(COLUMNS);
    par_rows(outer * blocks, (CHEAP / work.max(1)).max(1), |range| {
        for i in range {
            let (group, at) = (i / blocks, (i % blocks) * COLUMNS);
            let end = inner.min(at + COLUMNS);
            // SAFETY: each group and block of columns is one number of the range.
            let out = unsafe { shared.part(group * inner + at..group * inner + end) };
            body(
                &x[group * n * inner..(group + 1) * n * inner],
                inner,
                at,
                out,
                scale,
            );
        }
    });
}

fn sizes_of(outer: u32, n: u32, inner: u32, x: usize) -> Result<[usize; 3]> {
    let sizes = [outer, n, inner].map(|size| size as usize);
    if product(&sizes)? == x && sizes.iter().all(|&size| size > 0) {
        return Ok(sizes);
    }
    Err(invalid(format!(
        "`x` has {x} elements, expected {sizes:?}, none of them 0"
    )))
}

/// Sum (0), mean (1) or maximum (2) of the middle axis.
#[napi]
pub fn reduce(code: u32, x: In, out: Out, outer: u32, n: u32, inner: u32) -> Result<()> {
    guard("reduce", || {
        let [out] = outputs([out], &[&x])?;
        let x = x.slice();
        let sizes = sizes_of(outer, n, inner, x.len())?;
        let [outer, n, inner] = sizes;
        length("out", out, outer * inner)?;
        let scale = if code == 1 { 1.0 / n as f64 } else { 1.0 };
        match (code, inner) {
            (0 | 1, 1) => sum_rows(x, out, n, scale),
            (0 | 1, _) => reduce_columns(x, out, sizes, scale, sum_columns),
            (2, 1) => max_rows(x, out, n),
            (2, _) => reduce_columns(x, out, sizes, 1.0, max_columns),
            _ => return Err(invalid(format!("no reduction has the number {code}"))),
        }
        Ok(())
    })
}

/// Index of the first largest element of the middle axis.
#[napi]
pub fn arg_max(x: In, out: Ints, outer: u32, n: u32, inner: u32) -> Result<()> {
    guard("arg_max", || {
        let [out] = outputs([out], &[&x])?;
        let x = x.slice();
        let [outer, n, inner] = sizes_of(outer, n, inner, x.len())?;
        length("out", out, outer * inner)?;
        par_rows_out(out, 1, (CHEAP / n).max(1), |range, out| {
            for (out, i) in out.iter_mut().zip(range) {
                let start = (i / inner) * n * inner + i % inner;
                let (mut best, mut at) = (x[start], 0);
                for j in 1..n {
                    let value = x[start + j * inner];
                    if value > best {
                        (best, at) = (value, j);
                    }
                }
                *out = at as i32;
            }
        });
        Ok(())
    })
}
