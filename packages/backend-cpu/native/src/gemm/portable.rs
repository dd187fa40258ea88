//! Products by the `gemm` crates: the base where no own kernel runs.

use std::ops::Range;

use super::driver::Target;
use super::workspace::with_panels;
use super::{Factor, Precision, Product, bf16, finish_rows};
use crate::kernels::quantised::Side;
use crate::matmul::{Size, Strides, row_major, transposed};
use crate::portable::{self, Parallelism};

/// Rows of k and columns of an operand that is decoded or rounded.
const DEPTH: usize = 256;
const COLUMNS: usize = 256;

/// The tile of c at `rows` x `columns`, on this thread.
///
/// # Safety
/// Operands and c must be valid for the sizes, and no other thread may use the tile of c.
pub unsafe fn region(p: &Product, c: Target, rows: Range<usize>, columns: Range<usize>) {
    match p.b {
        Factor::Floats(b, strides) if p.precision == Precision::Exact => {
            let size = Size {
                m: rows.len(),
                n: columns.len(),
                k: p.size.k,
            };
            let a = (p.a.0.as_ptr().wrapping_add(rows.start * p.a.1.rows), p.a.1);
            let b = (b.as_ptr().wrapping_add(columns.start * strides.columns), strides);
            // SAFETY: the caller's promise.
            unsafe { multiply(size, a, b, at(c, rows.start, columns.start), p.scale, p.add) };
        }
        // SAFETY: as above.
        _ => unsafe { by_blocks(p, c, &rows, &columns) },
    }
    // SAFETY: as above.
    unsafe { finish_rows(p, c, rows, columns) };
}

fn at(c: Target, row: usize, column: usize) -> Target {
    Target {
        start: c.start.wrapping_add(row * c.width + column),
        width: c.width,
    }
}

/// Decodes or rounds a block of b at a time, and rounds the rows of a that meet it.
///
/// # Safety
/// As [`region`].
unsafe fn by_blocks(p: &Product, c: Target, rows: &Range<usize>, columns: &Range<usize>) {
    let rounds = p.precision == Precision::Bf16;
    let a_words = if rounds { rows.len() * DEPTH } else { 0 };
    with_panels([a_words, DEPTH * COLUMNS, 0], |[a_at, b_at, _]| {
        for column in columns.clone().step_by(COLUMNS) {
            let n = COLUMNS.min(columns.end - column);
            for k in (0..p.size.k).step_by(DEPTH) {
                let depth = DEPTH.min(p.size.k - k);
                // SAFETY: the buffers have room for a block; the rest is the caller's promise.
                unsafe {
                    let block = std::slice::from_raw_parts_mut(b_at, depth * n);
                    let b_strides = copy_b(p.b, (k, depth), (column, n), block);
                    let strides = p.a.1;
                    let mut a = (
                        p.a.0
                            .as_ptr()
                            .wrapping_add(rows.start * strides.rows + k * strides.columns),
                        strides,
                    );
                    if rounds {
                        let copy = std::slice::from_raw_parts_mut(a_at, rows.len() * depth);
                        copy_a(a, copy, depth);
                        bf16::round(copy);
                        bf16::round(block);
                        a = (a_at.cast_const(), row_major(depth));
                    }
                    let size = Size {
                        m: rows.len(),
                        n,
                        k: depth,
                    };
                    multiply(
                        size,
                        a,
                        (b_at, b_strides),
                        at(c, rows.start, column),
                        p.scale,
                        p.add || k > 0,
                    );
                }
            }
        }
    });
}

/// Writes a block of b to `out`; returns where its elements are.
fn copy_b(b: Factor, (k, depth): (usize, usize), (column, n): (usize, usize), out: &mut [f32]) -> Strides {
    match b {
        Factor::Stored(weight, Side::Outputs) => {
            weight.decode_tile((column, n), (k, depth), out);
            transposed(depth)
        }
        Factor::Stored(weight, Side::Inputs) => {
            weight.decode_tile((k, depth), (column, n), out);
            row_major(n)
        }
        Factor::Floats(b, s) => {
            for (i, row) in out.chunks_exact_mut(n).enumerate() {
                for (j, value) in row.iter_mut().enumerate() {
                    *value = b[(k + i) * s.rows + (column + j) * s.columns];
                }
            }
            row_major(n)
        }
    }
}

/// # Safety
/// `a` must be readable for the rows of `out`, which are `depth` long.
unsafe fn copy_a(a: (*const f32, Strides), out: &mut [f32], depth: usize) {
    for (i, row) in out.chunks_exact_mut(depth).enumerate() {
        for (j, value) in row.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            *value = unsafe { *a.0.add(i * a.1.rows + j * a.1.columns) };
        }
    }
}

/// # Safety
/// Operands and c must be valid for the sizes.
unsafe fn multiply(
    Size { m, n, k }: Size,
    a: (*const f32, Strides),
    b: (*const f32, Strides),
    c: Target,
    scale: f32,
    add: bool,
) {
    let stride = |s: usize| s as isize;
    // SAFETY: the caller's promise.
    unsafe {
        portable::gemm(
            m,
            n,
            k,
            c.start,
            1,
            stride(c.width),
            add,
            a.0,
            stride(a.1.columns),
            stride(a.1.rows),
            b.0,
            stride(b.1.columns),
            stride(b.1.rows),
            1.0,
            scale,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
