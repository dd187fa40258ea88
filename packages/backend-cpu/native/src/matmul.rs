//! Matrix products.

use napi::Result;
use napi_derive::napi;

use crate::args::{In, Out, guard, length, outputs, product};
use crate::gemm::{Factor, Product};
use crate::kernels::support::{Columns, Shared};
use crate::threads::par_rows_out;

/// Fewer multiply-adds than this are done on the caller's thread.
const MIN_PARALLEL: usize = 64 * 64 * 64;
/// Matrices of a batch that are smaller than this go to threads whole.
const MIN_SPLIT: usize = 256 * 256 * 256;

/// A matrix in a slice: element (i, j) is at `i * rows + j * columns`.
#[derive(Clone, Copy)]
pub struct Strides {
    pub rows: usize,
    pub columns: usize,
}

/// Row-major matrix with `width` elements a row.
pub const fn row_major(width: usize) -> Strides {
    Strides {
        rows: width,
        columns: 1,
    }
}

/// The transpose of a row-major matrix with `width` elements a row.
pub const fn transposed(width: usize) -> Strides {
    Strides {
        rows: 1,
        columns: width,
    }
}

/// Sizes of a product: c `[m, n]`, a `[m, k]`, b `[k, n]`.
#[derive(Clone, Copy)]
pub struct Size {
    pub m: usize,
    pub n: usize,
    pub k: usize,
}

/// `c = alpha * c + beta * a b`; c is row-major with `c_width` elements a row. Uses all threads if `parallel`.
///
/// With `alpha` 0, c is not read. Panics when a slice is too short.
pub fn gemm(
    size: Size,
    a: (&[f32], Strides),
    b: (&[f32], Strides),
    c: (&mut [f32], usize),
    scale: (f32, f32),
    parallel: bool,
) {
    let (alpha, beta) = scale;
    let (c, width) = c;
    if alpha != 0.0 && alpha != 1.0 {
        for row in c.chunks_mut(width.max(1)).take(size.m) {
            row.iter_mut().take(size.n).for_each(|value| *value *= alpha);
        }
    }
    let product = Product {
        scale: beta,
        add: alpha != 0.0,
        ..Product::new(size, a, Factor::Floats(b.0, b.1))
    };
    let columns = Columns {
        out: Shared::new(c),
        start: 0,
        width,
    };
    // SAFETY: this call owns c.
    unsafe { product.write(columns, parallel) };
}

/// `c = a b` for `batch` matrices. `batches` of a and b is 1 (shared) or `batch`.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn matmul(
    a: In,
    b: In,
    c: Out,
    a_batch: u32,
    b_batch: u32,
    m: u32,
    n: u32,
    k: u32,
    transpose_a: bool,
    transpose_b: bool,
) -> Result<()> {
    guard("matmul", || {
        let [c] = outputs([c], &[&a, &b])?;
        let (a, b) = (a.slice(), b.slice());
        let [a_batch, b_batch, m, n, k] = [a_batch, b_batch, m, n, k].map(|v| v as usize);
        length("a", a, product(&[a_batch, m, k])?)?;
        length("b", b, product(&[b_batch, k, n])?)?;
        let batch = a_batch.max(b_batch);
        length("c", c, product(&[batch, m, n])?)?;
        if !(a_batch == batch || a_batch == 1) || !(b_batch == batch || b_batch == 1) {
            return Err(crate::args::invalid(
                "batch sizes must be equal, or one of them 1",
            ));
        }
        let a_strides = if transpose_a { transposed(m) } else { row_major(k) };
        let b_strides = if transpose_b { transposed(k) } else { row_major(n) };
        let one = |i: usize, c: &mut [f32], parallel: bool| {
            let a = &a[(i % a_batch) * m * k..][..m * k];
            let b = &b[(i % b_batch) * k * n..][..k * n];
            gemm(
                Size { m, n, k },
                (a, a_strides),
                (b, b_strides),
                (c, n),
                (0.0, 1.0),
                parallel,
            );
        };
        let work = (m * n * k).max(1);
        if work < MIN_SPLIT && batch > 1 {
            par_rows_out(c, m * n, (MIN_PARALLEL / work).max(1), |range, c| {
                range
                    .zip(c.chunks_exact_mut(m * n))
                    .for_each(|(i, c)| one(i, c, false));
            });
        } else if m * n > 0 {
            c.chunks_exact_mut(m * n)
                .enumerate()
                .for_each(|(i, c)| one(i, c, true));
        }
        Ok(())
    })
}
