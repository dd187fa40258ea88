//! How a product is shared out to threads. Results do not depend on it.

use std::ops::Range;

use super::choice::Method;
use super::{Factor, Product};
use crate::kernels::support::tasks;
use crate::threads::threads;

/// Parts per thread where parts repeat no work: a late thread then costs less.
const PARTS: usize = 2;
/// Columns and rows of a part are multiples of these: whole panels of every kernel, and whole blocks of a weight.
const COLUMNS: usize = 32;
const ROWS: usize = 12;
/// Work per part, in multiply-adds, below which two are not worth it.
const PART: usize = 1 << 20;

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
    let most = if parallel { threads() * PARTS } else { 1 };
    let parts = most.min(work / PART);
    if parts < 2 {
        return body(0..m, 0..n);
    }
    let [down, across] = grid(p, method, parts);
    in_parts(
        p,
        [share(m, down, ROWS), share(n, across, COLUMNS)],
        parallel,
        body,
    );
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

/// Parts down and across: cut where less is packed twice. Columns share the packing of a, rows that of b.
fn grid(p: &Product, method: Method, parts: usize) -> [usize; 2] {
    let (m, n) = (p.size.m, p.size.n);
    if method == Method::Dots {
        return [1, parts];
    }
    let a_in_place = p.a.1.columns == 1 && n <= 512;
    let a_again = if a_in_place { 0 } else { m };
    let b_again = if matches!(p.b, Factor::Stored(..)) {
        4 * n
    } else {
        n
    };
    let by_columns = a_again <= b_again;
    let room = if by_columns {
        n.div_ceil(COLUMNS)
    } else {
        m.div_ceil(ROWS)
    };
    let first = parts.min(room);
    let second = parts / first;
    if by_columns {
        [second, first]
    } else {
        [first, second]
    }
}
