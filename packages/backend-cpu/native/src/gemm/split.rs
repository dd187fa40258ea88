//! How a product is shared out to threads. Results do not depend on it.

use std::ops::Range;

use super::choice::Method;
use super::driver::a_in_place;
use super::{Factor, Product};
use crate::kernels::support::tasks;
use crate::matmul::Size;
use crate::threads::{on_all, threads};

/// Most parts per thread.
const PARTS: usize = 2;
/// Columns and rows of a part are multiples of these: whole panels of every kernel, and whole blocks of a weight.
const COLUMNS: usize = 32;
const ROWS: usize = 12;
/// Work per part, in multiply-adds, below which two are not worth it.
const PART: usize = 1 << 20;
/// The same for packed weights and few rows, where a multiply-add takes longer: some ten microseconds.
const BLOCKS_PART: usize = 1 << 17;

/// Rows and columns of a part for the `gemm` crate, whose order of additions depends on the sizes that it is given:
/// the same for any number of threads.
const CRATE_PART: [usize; 2] = [384, 512];

/// Calls `body` with ranges of rows and columns that cover the product once.
pub fn for_each_part(
    p: &Product,
    method: Method,
    parallel: bool,
    body: impl Fn(Range<usize>, Range<usize>) + Send + Sync,
) {
    let (m, n) = (p.size.m, p.size.n);
    let work = m * n * p.size.k;
    if method == Method::Crate {
        return in_parts(p, CRATE_PART, parallel, body);
    }
    if method == Method::Blocks && parallel {
        return for_columns_of_all(&[p.size], |_, columns| body(0..m, columns));
    }
    let threads = if parallel { threads() } else { 1 };
    let parts = (threads * PARTS).min(work / PART);
    if threads < 2 || parts < 2 {
        return body(0..m, 0..n);
    }
    in_parts(p, grid(p, method, threads, parts), parallel, body);
}

/// Calls `body(i, columns)` with ranges that cover the columns of each product i once.
pub fn for_columns_of_all(sizes: &[Size], body: impl Fn(usize, Range<usize>) + Send + Sync) {
    let work: usize = sizes.iter().map(|size| size.m * size.n * size.k).sum();
    let parts = (threads() * PARTS).min(work / BLOCKS_PART).max(1);
    // Parts of about the same work, each of one product alone.
    let each = work.div_ceil(parts).max(1);
    let ranges: Vec<(usize, Range<usize>)> = sizes
        .iter()
        .enumerate()
        .flat_map(|(i, size)| {
            let columns = share(size.n, (size.m * size.n * size.k).div_ceil(each).max(1), COLUMNS);
            let starts = (0..size.n).step_by(columns);
            starts.map(move |start| (i, start..(start + columns).min(size.n)))
        })
        .collect();
    let run = |part: usize| body(ranges[part].0, ranges[part].1.clone());
    if threads() < 2 || parts < 2 {
        (0..ranges.len()).for_each(run);
    } else {
        on_all(ranges.len(), run);
    }
}

/// Calls `body` with parts of `rows` x `columns`.
fn in_parts(
    p: &Product,
    [rows, columns]: [usize; 2],
    parallel: bool,
    body: impl Fn(Range<usize>, Range<usize>) + Send + Sync,
) {
    let (m, n) = (p.size.m, p.size.n);
    let across = n.div_ceil(columns);
    let count = m.div_ceil(rows) * across;
    let part = |part: usize| {
        let (row, column) = (part / across * rows, part % across * columns);
        body(row..(row + rows).min(m), column..(column + columns).min(n));
    };
    if parallel {
        tasks(count, m * n * p.size.k, part);
    } else {
        (0..count).for_each(part);
    }
}

/// Rows or columns of a part.
fn share(length: usize, parts: usize, unit: usize) -> usize {
    length.div_ceil(parts).next_multiple_of(unit)
}

/// Nanoseconds of a multiply-add, of packing an element, and of reading one of a where it lies: what matters is their
/// proportion. A stored weight is decoded while it is packed.
const MULTIPLY: f64 = 0.0125;
const PACK: f64 = 0.6;
const DECODE: f64 = 2.4;
const READ: f64 = 0.15;

/// Rows and columns of a part: at most `parts` parts, of which the threads have done all the soonest.
fn grid(p: &Product, method: Method, threads: usize, parts: usize) -> [usize; 2] {
    let (m, n) = (p.size.m, p.size.n);
    if method == Method::Dots {
        return [m, share(n, parts, COLUMNS)];
    }
    // One part per thread, or as many as there may be.
    let shapes = (1..=parts).flat_map(|down| {
        [threads.min(parts), parts]
            .map(|count| [share(m, down, ROWS), share(n, (count / down).max(1), COLUMNS)])
    });
    let time = |shape: &[usize; 2]| duration(p, *shape, threads);
    // At least one shape: a single part.
    shapes
        .min_by(|a, b| time(a).total_cmp(&time(b)))
        .unwrap_or([m, n])
}

/// Estimated time of the product in parts of this shape, for each value of k.
fn duration(p: &Product, [rows, columns]: [usize; 2], threads: usize) -> f64 {
    let count = p.size.m.div_ceil(rows) * p.size.n.div_ceil(columns);
    let (rows, columns) = (rows.min(p.size.m) as f64, columns.min(p.size.n) as f64);
    let a = if a_in_place(p, columns as usize) {
        READ
    } else {
        PACK
    };
    let b = if matches!(p.b, Factor::Stored(..)) {
        DECODE
    } else {
        PACK
    };
    let part = rows * columns * MULTIPLY + rows * a + columns * b;
    part * count.div_ceil(threads) as f64
}
