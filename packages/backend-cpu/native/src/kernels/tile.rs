//! Products of a block of rows, which stand side by side in the lanes of vectors, with many other rows.
//!
//! Attention calls the rows in lanes queries and the others keys; the losses over a vocabulary call those words.
//! A softmax over keys then needs no sums within a vector, keys are read as they are, and only queries are turned.

use super::vector::{Rows, Vector};

/// Most lanes of a block, over all instruction sets.
pub const MOST_LANES: usize = 32;

/// Keys whose weights are multiplied at once: they stay in the first-level cache.
pub const CHUNK: usize = 128;

/// Columns that are multiplied before the next ones: their lanes stay in the first-level cache.
const DEPTH: usize = 256;

/// Rows that tiles may read beyond the last key of a chunk.
pub const SPARE: usize = 16;

/// Floats that must be asked for to get `length` from [`aligned`].
pub const fn with_padding(length: usize) -> usize {
    length + 16
}

/// The part of a buffer that starts at a cache line.
pub fn aligned(buffer: &mut [f32]) -> &mut [f32] {
    let skipped = buffer.as_ptr().align_offset(64).min(15);
    &mut buffer[skipped..]
}

/// Lanes of some vectors in memory.
///
/// # Safety
/// As [`Vector`].
#[inline(always)]
pub unsafe fn spread<V: Vector, const COLUMNS: usize>(vectors: [V; COLUMNS]) -> [f32; MOST_LANES] {
    let mut out = [0f32; MOST_LANES];
    for (j, vector) in vectors.into_iter().enumerate() {
        // SAFETY: COLUMNS vectors are at most MOST_LANES floats.
        unsafe { vector.store(out.as_mut_ptr().add(j * V::LANES)) };
    }
    out
}

/// The inverse of [`spread`].
///
/// # Safety
/// As [`Vector`].
#[inline(always)]
pub unsafe fn gather<V: Vector, const COLUMNS: usize>(lanes: &[f32; MOST_LANES]) -> [V; COLUMNS] {
    // SAFETY: COLUMNS vectors are at most MOST_LANES floats.
    std::array::from_fn(|j| unsafe { V::load(lanes.as_ptr().add(j * V::LANES)) })
}

/// A matrix of which single elements are read: element (i, k) is at `i * row + k * step`.
#[derive(Clone, Copy)]
pub struct Elements {
    pub start: *const f32,
    pub row: usize,
    pub step: usize,
}

/// `sum over k of a(i, k) b[k]` for ROWS rows and COLUMNS vectors; the last `part` lanes alone with PART.
///
/// # Safety
/// As [`Vector`]; all `k` elements and rows must be readable.
#[inline(always)]
pub unsafe fn tile<V: Vector, const ROWS: usize, const COLUMNS: usize, const PART: bool>(
    k: usize,
    a: Elements,
    b: Rows<*const f32>,
    part: usize,
) -> [[V; COLUMNS]; ROWS] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [[V::splat(0.0); COLUMNS]; ROWS];
        let (mut from, mut row) = (a.start, b.start);
        for _ in 0..k {
            let mut vectors = [V::splat(0.0); COLUMNS];
            for (j, vector) in vectors.iter_mut().enumerate() {
                *vector = if PART {
                    V::load_part(row.add(j * V::LANES), part)
                } else {
                    V::load(row.add(j * V::LANES))
                };
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                let factor = V::splat(*from.add(i * a.row));
                for (sum, vector) in sums.iter_mut().zip(vectors) {
                    *sum = factor.fma(vector, *sum);
                }
            }
            from = from.wrapping_add(a.step);
            row = row.wrapping_add(b.width);
        }
        sums
    }
}

/// Turns `count` rows of `width` elements into lanes: `[width, COLUMNS * LANES]`, 0 in lanes without a row.
///
/// # Safety
/// As [`Vector`].
#[inline(always)]
pub unsafe fn to_lanes<V: Vector, const COLUMNS: usize>(
    from: Rows<*const f32>,
    count: usize,
    width: usize,
    to: *mut f32,
) {
    for j in 0..COLUMNS {
        let rows = count.saturating_sub(j * V::LANES).min(V::LANES);
        for d in (0..width).step_by(V::LANES) {
            // SAFETY: the caller's promise; rows and columns that exist.
            unsafe {
                let source = Rows {
                    start: from.start.wrapping_add(j * V::LANES * from.width + d),
                    width: from.width,
                };
                let target = Rows {
                    start: to.add(d * COLUMNS * V::LANES + j * V::LANES),
                    width: COLUMNS * V::LANES,
                };
                V::transpose(source, [rows, (width - d).min(V::LANES)], target, V::LANES);
            }
        }
    }
}

/// The inverse of [`to_lanes`].
///
/// # Safety
/// As [`Vector`].
#[inline(always)]
pub unsafe fn from_lanes<V: Vector, const COLUMNS: usize>(
    from: *const f32,
    count: usize,
    width: usize,
    to: Rows<*mut f32>,
) {
    for j in 0..COLUMNS {
        let rows = count.saturating_sub(j * V::LANES).min(V::LANES);
        for d in (0..width).step_by(V::LANES) {
            let columns = (width - d).min(V::LANES);
            // SAFETY: the caller's promise; rows and columns that exist.
            unsafe {
                let source = Rows {
                    start: from.add(d * COLUMNS * V::LANES + j * V::LANES),
                    width: COLUMNS * V::LANES,
                };
                let target = Rows {
                    start: to.start.wrapping_add(j * V::LANES * to.width + d),
                    width: to.width,
                };
                V::transpose(source, [columns, rows], target, columns);
            }
        }
    }
}

/// `out[key] = scale * key . query` for every lane: `[keys, COLUMNS * LANES]`.
///
/// # Safety
/// As [`Vector`]: `keys` rows of `width`, lanes of `width`, and room for the result.
#[inline(always)]
pub unsafe fn products<V: Vector, const ROWS: usize, const COLUMNS: usize>(
    rows: Rows<*const f32>,
    [keys, width]: [usize; 2],
    lanes: *const f32,
    scale: f32,
    out: *mut f32,
) {
    let step = COLUMNS * V::LANES;
    for k in (0..width).step_by(DEPTH) {
        let depth = DEPTH.min(width - k);
        let lanes = Rows {
            start: lanes.wrapping_add(k * step),
            width: step,
        };
        let from = |key: usize| Elements {
            start: rows.start.wrapping_add(key * rows.width + k),
            row: rows.width,
            step: 1,
        };
        // SAFETY: the caller's promise.
        unsafe {
            let scale = V::splat(scale);
            let store = |key: usize, sums: &[V]| {
                for (j, sum) in sums.iter().enumerate() {
                    let to = out.add(key * step + j * V::LANES);
                    let before = if k > 0 { V::load(to) } else { V::splat(0.0) };
                    sum.fma(scale, before).store(to);
                }
            };
            if keys < ROWS {
                for key in 0..keys {
                    let [sums] = tile::<V, 1, COLUMNS, false>(depth, from(key), lanes, 0);
                    store(key, &sums);
                }
                continue;
            }
            for key in (0..keys).step_by(ROWS) {
                // The last tile starts earlier, at rows that are stored already.
                let start = key.min(keys - ROWS);
                let sums = tile::<V, ROWS, COLUMNS, false>(depth, from(start), lanes, 0);
                for (i, sums) in sums.iter().enumerate().skip(key - start) {
                    store(start + i, sums);
                }
            }
        }
    }
}

/// `out[d] += sum over keys of row[key][d] * weights[key]` for every lane: `[width, COLUMNS * LANES]`.
///
/// # Safety
/// As [`Vector`].
#[inline(always)]
pub unsafe fn add_weighted<V: Vector, const ROWS: usize, const COLUMNS: usize>(
    rows: Rows<*const f32>,
    [keys, width]: [usize; 2],
    weights: *const f32,
    out: *mut f32,
) {
    let step = COLUMNS * V::LANES;
    let weights = Rows {
        start: weights,
        width: step,
    };
    let from = |d: usize| Elements {
        start: rows.start.wrapping_add(d),
        row: 1,
        step: rows.width,
    };
    // SAFETY: the caller's promise.
    unsafe {
        let add = |d: usize, sums: &[V]| {
            for (j, sum) in sums.iter().enumerate() {
                let to = out.add(d * step + j * V::LANES);
                sum.add(V::load(to)).store(to);
            }
        };
        let whole = width / ROWS * ROWS;
        for d in (0..whole).step_by(ROWS) {
            let sums = tile::<V, ROWS, COLUMNS, false>(keys, from(d), weights, 0);
            for (i, sums) in sums.iter().enumerate() {
                add(d + i, sums);
            }
        }
        for d in whole..width {
            let [sums] = tile::<V, 1, COLUMNS, false>(keys, from(d), weights, 0);
            add(d, &sums);
        }
    }
}

/// [`add_weighted`] for any number of keys, in chunks.
///
/// # Safety
/// As [`Vector`].
#[inline(always)]
pub unsafe fn add_all_weighted<V: Vector, const ROWS: usize, const COLUMNS: usize>(
    rows: Rows<*const f32>,
    [keys, width]: [usize; 2],
    weights: &[f32],
    out: *mut f32,
) {
    for start in (0..keys).step_by(CHUNK) {
        let chunk = Rows {
            start: rows.start.wrapping_add(start * rows.width),
            ..rows
        };
        let size = [(keys - start).min(CHUNK), width];
        let weights = weights[start * COLUMNS * V::LANES..].as_ptr();
        // SAFETY: the caller's promise.
        unsafe { add_weighted::<V, ROWS, COLUMNS>(chunk, size, weights, out) };
    }
}

/// Multiplies every row of lanes by its lane's factor.
///
/// # Safety
/// As [`Vector`]; `rows` holds whole rows of lanes.
#[inline(always)]
pub unsafe fn scale_lanes<V: Vector, const COLUMNS: usize>(rows: &mut [f32], factors: [V; COLUMNS]) {
    for row in rows.chunks_exact_mut(COLUMNS * V::LANES) {
        for (j, factor) in factors.into_iter().enumerate() {
            // SAFETY: a whole row of lanes.
            unsafe {
                let cell = row.as_mut_ptr().add(j * V::LANES);
                V::load(cell).mul(factor).store(cell);
            }
        }
    }
}

/// `out[key] += scale * sum over lanes of weights[key][lane] * row[lane]`: `[keys, width]`.
///
/// # Safety
/// As [`Vector`]; `weights` must be readable for ROWS - 1 more keys.
#[inline(always)]
pub unsafe fn add_outer<V: Vector, const ROWS: usize>(
    weights: Rows<*const f32>,
    [keys, lanes, width]: [usize; 3],
    rows: Rows<*const f32>,
    scale: f32,
    out: Rows<*mut f32>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let pairs = width / (2 * V::LANES) * 2 * V::LANES;
        let whole = width / V::LANES * V::LANES;
        let size = [keys, lanes, V::LANES];
        for d in (0..pairs).step_by(2 * V::LANES) {
            add_columns::<V, ROWS, 2, false>(weights, size, rows, scale, out, d);
        }
        for d in (pairs..whole).step_by(V::LANES) {
            add_columns::<V, ROWS, 1, false>(weights, size, rows, scale, out, d);
        }
        if whole < width {
            add_columns::<V, ROWS, 1, true>(weights, [keys, lanes, width - whole], rows, scale, out, whole);
        }
    }
}

/// Some columns of [`add_outer`], from `d` on.
#[inline(always)]
unsafe fn add_columns<V: Vector, const ROWS: usize, const COLUMNS: usize, const PART: bool>(
    weights: Rows<*const f32>,
    [keys, lanes, part]: [usize; 3],
    rows: Rows<*const f32>,
    scale: f32,
    out: Rows<*mut f32>,
    d: usize,
) {
    let rows = Rows {
        start: rows.start.wrapping_add(d),
        ..rows
    };
    // SAFETY: the caller's promise.
    unsafe {
        let scale = V::splat(scale);
        for key in (0..keys).step_by(ROWS) {
            let from = Elements {
                start: weights.start.add(key * weights.width),
                row: weights.width,
                step: 1,
            };
            let sums = tile::<V, ROWS, COLUMNS, PART>(lanes, from, rows, part);
            for (i, sums) in sums.into_iter().enumerate().take(keys - key) {
                let to = out.start.add((key + i) * out.width + d);
                for (j, sum) in sums.into_iter().enumerate() {
                    let to = to.add(j * V::LANES);
                    if PART {
                        sum.fma(scale, V::load_part(to, part)).store_part(to, part);
                    } else {
                        sum.fma(scale, V::load(to)).store(to);
                    }
                }
            }
        }
    }
}
