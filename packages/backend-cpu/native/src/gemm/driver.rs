//! The loops around a micro-kernel: blocks of columns, of k, of rows; packing; tiles.

use std::ops::Range;

use super::kernel::{Kernel, Rows, SLACK, Strip, Tile};
use super::workspace::with_panels;
use super::{Factor, Product};
use crate::kernels::activation::apply;
use crate::kernels::quantised::Side;
use crate::matmul::{Strides, row_major};

/// Most values of k of a block: a panel of b then about fills the first-level cache. A multiple of a weight's block.
const DEPTH: usize = 384;
/// Most rows of a block: its packed rows then stay in the second-level cache. A multiple of all kernels' rows.
const ROWS: usize = 96;
/// Most columns of a block. A multiple of all kernels' columns.
const COLUMNS: usize = 1024;
/// Up to this many tiles of rows, packing b in rows costs more than reading it where it lies.
const FEW_TILES: usize = 2;
/// Up to this many columns, packing a in rows costs more than reading it where it lies.
const FEW_COLUMNS: usize = 512;

/// Where a product is written: first element and elements from row to row.
#[derive(Clone, Copy)]
pub struct Target {
    pub start: *mut f32,
    pub width: usize,
}

/// Rows of b that are packed at a time.
const CHUNK: usize = 32;

// SAFETY: parts that threads write are disjoint, which is the promise of whoever uses the pointer.
unsafe impl Sync for Target {}
// SAFETY: as above.
unsafe impl Send for Target {}

/// Whether a kernel that can read a where it lies does so.
pub fn a_in_place(p: &Product, columns: usize) -> bool {
    p.a.1.columns == 1 && columns <= FEW_COLUMNS
}

/// Equal pieces of `length`, whole multiples of 32, none above `most`.
fn piece(length: usize, most: usize) -> usize {
    let pieces = length.div_ceil(most).max(1);
    length.div_ceil(pieces).next_multiple_of(32).min(most)
}

/// The tile of c at `rows` x `columns`, on this thread.
///
/// Each element is one chain of additions over k, cut by k alone: how rows and columns are shared out does not matter.
///
/// # Safety
/// Operands and c must be valid for the sizes, no other thread may use the tile of c, and the CPU must have the
/// kernel's instructions.
#[inline(always)]
pub unsafe fn region<K: Kernel>(p: &Product, c: Target, rows: Range<usize>, columns: Range<usize>) {
    let depth = piece(p.size.k, DEPTH);
    let pass = Pass::<K>::new(p, &rows);
    let most_rows = rows.len().min(ROWS).next_multiple_of(K::ROWS);
    let most_columns = columns.len().min(COLUMNS).next_multiple_of(K::COLUMNS);
    let words = [
        if pass.a_in_place(columns.len()) {
            0
        } else {
            most_rows * K::depth(depth) + SLACK
        },
        most_columns * K::depth(depth) + SLACK,
        if matches!(p.b, Factor::Stored(..)) {
            K::COLUMNS * depth
        } else {
            0
        },
    ];
    with_panels(words, |[a_panels, b_panels, decoded]| {
        // SAFETY: the caller's promise.
        unsafe { K::begin() };
        for column in columns.clone().step_by(COLUMNS) {
            let n = COLUMNS.min(columns.end - column);
            for k in (0..p.size.k).step_by(depth) {
                let block = Block {
                    column,
                    n,
                    k,
                    depth: depth.min(p.size.k - k),
                };
                // SAFETY: buffers have room for a block; the rest is the caller's promise.
                unsafe {
                    pass.pack_b(&block, b_panels, decoded);
                    for row in rows.clone().step_by(ROWS) {
                        let m = ROWS.min(rows.end - row);
                        let a = pass.pack_a(&block, row, m, a_panels, columns.len());
                        pass.tiles(&block, (row, m), a, b_panels, c);
                        pass.activate(&block, (row, m), c);
                    }
                }
            }
        }
        // SAFETY: as above.
        unsafe { K::end() };
    });
}

/// `n` columns from `column` on, `depth` values of k from `k` on.
#[derive(Clone, Copy)]
struct Block {
    column: usize,
    n: usize,
    k: usize,
    depth: usize,
}

struct Pass<'p, 'a, K: Kernel> {
    product: &'p Product<'a>,
    /// b where it lies and elements from row to row, where it is not packed.
    b_in_place: Option<(*const f32, usize)>,
    kernel: std::marker::PhantomData<K>,
}

impl<'p, 'a, K: Kernel> Pass<'p, 'a, K> {
    fn new(product: &'p Product<'a>, rows: &Range<usize>) -> Self {
        let few = rows.len() <= FEW_TILES * K::ROWS;
        let b_in_place = match product.b {
            Factor::Floats(b, Strides { rows, columns: 1 }) if K::IN_PLACE && few => Some((b.as_ptr(), rows)),
            _ => None,
        };
        Self {
            product,
            b_in_place,
            kernel: std::marker::PhantomData,
        }
    }

    fn a_in_place(&self, columns: usize) -> bool {
        K::IN_PLACE && a_in_place(self.product, columns)
    }

    /// Packs the block of b; of a b that is used in place only the panel that is not full.
    #[inline(always)]
    unsafe fn pack_b(&self, block: &Block, to: *mut f32, decoded: *mut f32) {
        // Rows of b are read from end to end, a few at a time: prefetching then works.
        let rows = match self.product.b {
            Factor::Floats(_, Strides { columns: 1, .. }) => CHUNK,
            _ => block.depth,
        };
        for k in (0..block.depth).step_by(rows) {
            let part = Block {
                k: block.k + k,
                depth: rows.min(block.depth - k),
                ..*block
            };
            for column in (0..block.n).step_by(K::COLUMNS) {
                let lines = K::COLUMNS.min(block.n - column);
                if self.b_in_place.is_some() && lines == K::COLUMNS {
                    continue;
                }
                let offset = column * K::depth(block.depth) + K::COLUMNS * K::depth(k);
                // SAFETY: the caller's promise.
                unsafe {
                    let strip = self.b_strip(&part, block.column + column, lines, decoded);
                    K::pack_b(strip, to.add(offset));
                }
            }
        }
    }

    /// `lines` columns of b from `column` on; a stored weight is decoded first.
    #[inline(always)]
    unsafe fn b_strip(&self, block: &Block, column: usize, lines: usize, decoded: *mut f32) -> Strip {
        let (from, strides) = match self.product.b {
            Factor::Floats(b, s) => (b.as_ptr().wrapping_add(block.k * s.rows + column * s.columns), s),
            Factor::Stored(weight, side) => {
                // SAFETY: the buffer has room for a panel.
                let out = unsafe { std::slice::from_raw_parts_mut(decoded, lines * block.depth) };
                match side {
                    Side::Outputs => weight.decode_tile((column, lines), (block.k, block.depth), out),
                    Side::Inputs => weight.decode_tile((block.k, block.depth), (column, lines), out),
                }
                let strides = match side {
                    Side::Outputs => Strides {
                        rows: 1,
                        columns: block.depth,
                    },
                    Side::Inputs => row_major(lines),
                };
                (decoded.cast_const(), strides)
            }
        };
        Strip {
            from,
            lines,
            line: strides.columns,
            step: strides.rows,
            k: block.depth,
        }
    }

    #[inline(always)]
    unsafe fn pack_a(&self, block: &Block, row: usize, m: usize, to: *mut f32, columns: usize) -> Rows {
        let (a, strides) = self.product.a;
        let first = a
            .as_ptr()
            .wrapping_add(row * strides.rows + block.k * strides.columns);
        if self.a_in_place(columns) {
            return Rows::InPlace {
                first,
                distance: strides.rows,
            };
        }
        for i in (0..m).step_by(K::ROWS) {
            let strip = Strip {
                from: first.wrapping_add(i * strides.rows),
                lines: K::ROWS.min(m - i),
                line: strides.rows,
                step: strides.columns,
                k: block.depth,
            };
            // SAFETY: the caller's promise.
            unsafe { K::pack_a(strip, to.add(i * K::depth(block.depth))) };
        }
        Rows::Packed(to)
    }

    #[inline(always)]
    unsafe fn tiles(&self, block: &Block, (row, m): (usize, usize), a: Rows, b: *const f32, c: Target) {
        let last = block.k + block.depth == self.product.size.k;
        let bias = self.product.finish.bias;
        for column in (0..block.n).step_by(K::COLUMNS) {
            let columns = K::COLUMNS.min(block.n - column);
            let (b, b_row) = match self.b_in_place {
                Some((b, width)) if columns == K::COLUMNS => {
                    (b.wrapping_add(block.k * width + block.column + column), width)
                }
                _ => (b.wrapping_add(column * K::depth(block.depth)), K::COLUMNS),
            };
            for i in (0..m).step_by(K::ROWS) {
                let tile = Tile {
                    k: block.depth,
                    a: match a {
                        Rows::Packed(a) => Rows::Packed(a.wrapping_add(i * K::depth(block.depth))),
                        Rows::InPlace { first, distance } => Rows::InPlace {
                            first: first.wrapping_add(i * distance),
                            distance,
                        },
                    },
                    b,
                    b_row,
                    c: c.start.wrapping_add((row + i) * c.width + block.column + column),
                    c_row: c.width,
                    rows: K::ROWS.min(m - i),
                    columns,
                    scale: self.product.scale,
                    add: self.product.add || block.k > 0,
                    bias: if last && !bias.is_empty() {
                        bias[block.column + column..].as_ptr()
                    } else {
                        std::ptr::null()
                    },
                };
                // SAFETY: the caller's promise.
                unsafe { K::tile(&tile) };
            }
        }
    }

    /// Applies the activation to rows of the block that are complete.
    #[inline(always)]
    unsafe fn activate(&self, block: &Block, (row, m): (usize, usize), c: Target) {
        let kind = self.product.finish.activation;
        if block.k + block.depth < self.product.size.k {
            return;
        }
        for i in row..row + m {
            // SAFETY: the caller's promise.
            let values =
                unsafe { std::slice::from_raw_parts_mut(c.start.add(i * c.width + block.column), block.n) };
            apply(kind, values);
        }
    }
}
