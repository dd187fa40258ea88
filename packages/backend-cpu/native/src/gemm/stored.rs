//! Products of few rows with a packed weight: a block is decoded in registers, for all of the rows at once.

use std::ops::Range;

use super::driver::Target;
use super::{Factor, Precision, Product, finish_rows};
use crate::kernels::quantised::{BLOCK, Packed, Side, Storage};
use crate::kernels::vector::Blocks;
use crate::with_vectors;

/// Up to this many rows, decoding in registers is faster than packing panels.
pub const MOST_ROWS: usize = 8;
/// Rows at a time: their sums stay in registers.
const ROWS: usize = 4;
/// Sums of a row and column, so that additions need not wait for each other.
const SUMS: usize = 2;
/// Bytes that memory is asked for ahead.
const AHEAD: usize = 1024;

/// Whether [`region`] can compute this product.
pub fn suits(p: &Product) -> bool {
    matches!(p.b, Factor::Stored(_, Side::Outputs))
        && p.size.m <= MOST_ROWS
        && p.a.1.columns == 1
        && p.precision == Precision::Exact
}

/// Columns of c, on this thread.
///
/// # Safety
/// As [`super::driver::region`].
pub unsafe fn region(p: &Product, c: Target, columns: Range<usize>) {
    let Factor::Stored(weight, _) = p.b else {
        unreachable!("the weight is not packed");
    };
    let part = Part {
        weight,
        columns: columns.clone(),
        a: p.a.0.as_ptr(),
        a_row: p.a.1.rows,
        c,
        scale: p.scale,
        add: p.add,
    };
    for first in (0..p.size.m).step_by(ROWS) {
        // SAFETY: the caller's promise.
        unsafe { multiply(&part, first, ROWS.min(p.size.m - first)) };
    }
    // SAFETY: the caller's promise.
    unsafe { finish_rows(p, c, 0..p.size.m, columns) };
}

/// Columns of a product with all rows.
struct Part<'a> {
    weight: Packed<'a>,
    columns: Range<usize>,
    a: *const f32,
    a_row: usize,
    c: Target,
    scale: f32,
    add: bool,
}

with_vectors! {
    /// `count` rows from `first` on.
    unsafe fn multiply(part: &Part, first: usize, count: usize) = rows[avx512: ; avx2: ; portable: ]
}

#[inline(always)]
unsafe fn rows<V: Blocks>(part: &Part, first: usize, count: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        match count {
            1 => stored::<V, 1>(part, first),
            2 => stored::<V, 2>(part, first),
            3 => stored::<V, 3>(part, first),
            _ => stored::<V, 4>(part, first),
        }
    }
}

#[inline(always)]
unsafe fn stored<V: Blocks, const M: usize>(part: &Part, first: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        match part.weight.storage {
            Storage::Bf16 => each_column::<V, Bf16, M>(part, first),
            Storage::F16 => each_column::<V, F16, M>(part, first),
            Storage::Q8 => each_column::<V, Q8, M>(part, first),
            Storage::Q4 => each_column::<V, Q4, M>(part, first),
            Storage::Q4WithMinimum => each_column::<V, Q4WithMinimum, M>(part, first),
        }
    }
}

#[inline(always)]
unsafe fn each_column<V: Blocks, F: Format, const M: usize>(part: &Part, first: usize) {
    let k = part.weight.inputs;
    let bytes = k * F::BYTES / BLOCK;
    let x: [*const f32; M] = std::array::from_fn(|i| part.a.wrapping_add((first + i) * part.a_row));
    for column in part.columns.clone() {
        let weight = part.weight.bytes.as_ptr().wrapping_add(column * bytes);
        // SAFETY: a row of the weight has these bytes, and rows of a have k values; the rest is the caller's promise.
        unsafe {
            for (i, sum) in dots::<V, F, M>(x, weight, k).into_iter().enumerate() {
                let to = &mut *part.c.start.add((first + i) * part.c.width + column);
                *to = part.scale * sum + if part.add { *to } else { 0.0 };
            }
        }
    }
}

/// Dot products of rows with one row of the weight.
#[inline(always)]
unsafe fn dots<V: Blocks, F: Format, const M: usize>(
    x: [*const f32; M],
    weight: *const u8,
    k: usize,
) -> [f32; M] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [[V::splat(0.0); SUMS]; M];
        for block in 0..k / BLOCK {
            let from = weight.add(block * F::BYTES);
            V::fetch(from.wrapping_add(AHEAD));
            F::decode::<V>(from, |at, values| {
                for (x, sums) in x.iter().zip(&mut sums) {
                    let sum = &mut sums[at / V::LANES % SUMS];
                    *sum = values.fma(V::load(x.add(block * BLOCK + at)), *sum);
                }
            });
        }
        let rest = k % BLOCK;
        let mut totals = sums.map(|[a, b]| a.add(b).total());
        if rest > 0 {
            let mut values = [0f32; BLOCK];
            F::decode_some(weight.add((k - rest) * F::BYTES / BLOCK), &mut values[..rest]);
            for (x, total) in x.iter().zip(&mut totals) {
                for (i, value) in values[..rest].iter().enumerate() {
                    *total += value * *x.add(k - rest + i);
                }
            }
        }
        totals
    }
}

/// How 32 values of a row are stored.
trait Format {
    /// Bytes of 32 values.
    const BYTES: usize;

    /// Calls `each(i, values)` for all 32 values: those from i on.
    ///
    /// # Safety
    /// The bytes must be readable, and the CPU must have the vector's instructions.
    unsafe fn decode<V: Blocks>(from: *const u8, each: impl FnMut(usize, V));

    /// Fewer values than a block has: only formats of two bytes a value may end so.
    ///
    /// # Safety
    /// The bytes must be readable.
    unsafe fn decode_some(_from: *const u8, _to: &mut [f32]) {
        unreachable!("rows are whole blocks");
    }
}

struct Bf16;
struct F16;
struct Q8;
struct Q4;
struct Q4WithMinimum;

impl Format for Bf16 {
    const BYTES: usize = 2 * BLOCK;

    #[inline(always)]
    unsafe fn decode<V: Blocks>(from: *const u8, mut each: impl FnMut(usize, V)) {
        for i in (0..BLOCK).step_by(V::LANES) {
            // SAFETY: the caller's promise.
            each(i, unsafe { V::bfloats(from.add(2 * i)) });
        }
    }

    #[inline(always)]
    unsafe fn decode_some(from: *const u8, to: &mut [f32]) {
        // SAFETY: the caller's promise.
        let bytes = unsafe { std::slice::from_raw_parts(from, 2 * to.len()) };
        Storage::Bf16.decode(bytes, 0, to);
    }
}

impl Format for F16 {
    const BYTES: usize = 2 * BLOCK;

    #[inline(always)]
    unsafe fn decode<V: Blocks>(from: *const u8, mut each: impl FnMut(usize, V)) {
        for i in (0..BLOCK).step_by(V::LANES) {
            // SAFETY: the caller's promise.
            each(i, unsafe { V::half_floats(from.add(2 * i)) });
        }
    }

    #[inline(always)]
    unsafe fn decode_some(from: *const u8, to: &mut [f32]) {
        // SAFETY: the caller's promise.
        let bytes = unsafe { std::slice::from_raw_parts(from, 2 * to.len()) };
        Storage::F16.decode(bytes, 0, to);
    }
}

impl Format for Q8 {
    const BYTES: usize = 34;

    #[inline(always)]
    unsafe fn decode<V: Blocks>(from: *const u8, mut each: impl FnMut(usize, V)) {
        // SAFETY: the caller's promise.
        unsafe {
            let [scale, _] = V::halves(from);
            for i in (0..BLOCK).step_by(V::LANES) {
                each(i, V::signed_bytes(from.add(2 + i)).mul(scale));
            }
        }
    }
}

impl Format for Q4 {
    const BYTES: usize = 18;

    #[inline(always)]
    unsafe fn decode<V: Blocks>(from: *const u8, each: impl FnMut(usize, V)) {
        // SAFETY: the caller's promise.
        unsafe {
            let [scale, _] = V::halves(from);
            V::nibbles(from.add(2), scale, scale.mul(V::splat(-8.0)), each);
        }
    }
}

impl Format for Q4WithMinimum {
    const BYTES: usize = 20;

    #[inline(always)]
    unsafe fn decode<V: Blocks>(from: *const u8, each: impl FnMut(usize, V)) {
        // SAFETY: the caller's promise.
        unsafe {
            let [scale, minimum] = V::halves(from);
            V::nibbles(from.add(4), scale, minimum, each);
        }
    }
}
