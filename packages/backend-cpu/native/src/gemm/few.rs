//! Products of few rows with a weight whose rows lie along k: dot products, without packing.

use std::ops::Range;

use super::driver::Target;
use super::workspace::with_panels;
use super::{Factor, Precision, Product, bf16, finish_rows};
use crate::kernels::quantised::Side;
use crate::matmul::Strides;
use crate::multiversion;
use crate::simd::dot;

/// Up to this many rows, a dot product per element is faster than packing b: 20 against 11 GF/s at 1 x 576 x 576,
/// but 22 against 35 at 4 rows.
pub const FEW: usize = 2;

/// Whether [`region`] can compute this product and is the fastest way.
pub fn suits(p: &Product) -> bool {
    let along_k = match p.b {
        Factor::Floats(_, Strides { rows, .. }) => rows == 1,
        Factor::Stored(_, side) => side == Side::Outputs,
    };
    p.size.m <= FEW && along_k && p.a.1.columns == 1
}

/// Columns of c, on this thread.
///
/// # Safety
/// As [`super::driver::region`].
pub unsafe fn region(p: &Product, c: Target, columns: Range<usize>) {
    let (m, k) = (p.size.m, p.size.k);
    let rounds = p.precision == Precision::Bf16;
    let copies = if rounds { m * k } else { 0 };
    let row = if rounds || matches!(p.b, Factor::Stored(..)) {
        k
    } else {
        0
    };
    with_panels([copies, row, 0], |[copies_at, row_at, _]| {
        // SAFETY: the buffers have these lengths.
        let (copied, decoded) = unsafe {
            (
                std::slice::from_raw_parts_mut(copies_at, copies),
                std::slice::from_raw_parts_mut(row_at, row),
            )
        };
        let (a, width) = if rounds {
            for (i, row) in copied.chunks_exact_mut(k.max(1)).enumerate() {
                row.copy_from_slice(&p.a.0[i * p.a.1.rows..][..k]);
            }
            bf16::round(copied);
            (&*copied, k)
        } else {
            (p.a.0, p.a.1.rows)
        };
        let rows: [&[f32]; FEW] = std::array::from_fn(|i| &a[i.min(m - 1) * width..][..k]);
        for column in columns.clone() {
            let sums = match p.b {
                Factor::Floats(b, strides) if !rounds => {
                    dots(&rows[..m], &b[column * strides.columns..][..k])
                }
                Factor::Floats(b, strides) => {
                    decoded.copy_from_slice(&b[column * strides.columns..][..k]);
                    bf16::round(decoded);
                    dots(&rows[..m], decoded)
                }
                Factor::Stored(weight, _) => {
                    weight.decode_tile((column, 1), (0, k), decoded);
                    if rounds {
                        bf16::round(decoded);
                    }
                    dots(&rows[..m], decoded)
                }
            };
            for (i, sum) in sums[..m].iter().enumerate() {
                // SAFETY: the caller's promise.
                let to = unsafe { &mut *c.start.add(i * c.width + column) };
                *to = p.scale * sum + if p.add { *to } else { 0.0 };
            }
        }
    });
    // SAFETY: the caller's promise.
    unsafe { finish_rows(p, c, 0..m, columns) };
}

multiversion! {
    /// Dot products of up to [`FEW`] rows with one.
    fn dots(rows: &[&[f32]], b: &[f32]) -> [f32; FEW] {
        let mut sums = [0.0; FEW];
        for (sum, row) in sums.iter_mut().zip(rows) {
            *sum = dot::<FMA>(row, b);
        }
        sums
    }
}
