//! Operations that only move elements: strided copies, gathers, scatters and fills.

use napi::Result;
use napi_derive::napi;

use super::CHEAP;
use super::layout::Loops;
use crate::args::{In, Ints, Out, guard, invalid, length, outputs, product};
use crate::multiversion;
use crate::threads::{SharedOut, par_rows, par_rows_out};

/// Side of a square that is transposed at once.
const TILE: usize = 16;

/// Sets all elements to `value`.
#[napi]
pub fn fill(out: Out, value: f64) -> Result<()> {
    guard("fill", || {
        let [out] = outputs([out], &[])?;
        par_rows_out(out, 1, CHEAP, |_, out| out.fill(value as f32));
        Ok(())
    })
}

/// Innermost loops in turns of a row: contiguous on both sides, one value, or with strides.
fn copy_rows(x: &[f32], out: &SharedOut, loops: &Loops) {
    let (width, from, to) = loops.inner();
    let outer = loops.without(loops.sizes.len() - 1);
    let whole = loops.sizes.len() == 1 && from == 1 && to == 1;
    if whole {
        // SAFETY: ranges are disjoint.
        par_rows(width, CHEAP, |r| {
            unsafe { out.part(r.clone()) }.copy_from_slice(&x[r])
        });
        return;
    }
    par_rows(outer.count(), (CHEAP / width.max(1)).max(1), |rows| {
        for (i, j) in outer.offsets(rows.start).take(rows.len()) {
            if to == 1 {
                // SAFETY: the second operand is injective, so rows are disjoint.
                let out = unsafe { out.part(j..j + width) };
                match from {
                    0 => out.fill(x[i]),
                    1 => out.copy_from_slice(&x[i..i + width]),
                    _ => out
                        .iter_mut()
                        .enumerate()
                        .for_each(|(k, out)| *out = x[i + k * from]),
                }
            } else {
                for k in 0..width {
                    // SAFETY: as above.
                    let out = unsafe { out.part(j + k * to..j + k * to + 1) };
                    out[0] = x[i + k * from];
                }
            }
        }
    });
}

/// A matrix whose rows are contiguous in the input and whose columns are contiguous in the output.
#[derive(Clone, Copy)]
struct Flip {
    rows: usize,
    columns: usize,
    from: usize,
    to: usize,
}

multiversion! {
    #[allow(clippy::needless_range_loop)] // The row of the input is the column of the tile.
    fn flip(x: &[f32], out: &SharedOut, at: (usize, usize), shape: Flip) {
        let mut tile = [[0.0f32; TILE]; TILE];
        for row in (0..shape.rows).step_by(TILE) {
            let height = TILE.min(shape.rows - row);
            for column in (0..shape.columns).step_by(TILE) {
                let width = TILE.min(shape.columns - column);
                for i in 0..height {
                    let start = at.0 + (row + i) * shape.from + column;
                    for (j, &value) in x[start..start + width].iter().enumerate() {
                        tile[j][i] = value;
                    }
                }
                for (j, line) in tile.iter().enumerate().take(width) {
                    let start = at.1 + (column + j) * shape.to + row;
                    // SAFETY: the second operand is injective, and each caller has its own rows or batch.
                    unsafe { out.part(start..start + height) }.copy_from_slice(&line[..height]);
                }
            }
        }
    }
}

/// The loop over the output's contiguous axis is `inner`, that over the input's is `other`.
fn transpose(x: &[f32], out: &SharedOut, loops: &Loops, other: usize) {
    let last = loops.sizes.len() - 1;
    let (rows, from, _) = loops.inner();
    let shape = Flip {
        rows,
        columns: loops.sizes[other],
        from,
        to: loops.second[other],
    };
    let outer = loops.without(last).without(other);
    let batch = outer.count();
    // Strips of rows, so that one large matrix is shared out too.
    let strips = rows.div_ceil(TILE);
    let work = TILE * shape.columns;
    par_rows(batch * strips, (CHEAP / 2 / work.max(1)).max(1), |range| {
        let mut at = range.start;
        while at < range.end {
            let (group, strip) = (at / strips, at % strips);
            let end = strips.min(strip + (range.end - at));
            let (i, j) = outer.offsets(group).next().unwrap_or((0, 0));
            let first = strip * TILE;
            let part = Flip {
                rows: rows.min(end * TILE) - first,
                ..shape
            };
            flip(x, out, (i + first * from, j + first), part);
            at += end - strip;
        }
    });
}

/// Copies elements between strided places. `dimensions` has `[size, stride in x, stride in out]` for each loop.
///
/// Strides of `x` may be 0 (repeat); places in `out` must be distinct. What is not reached stays as it is.
#[napi]
pub fn copy_strided(x: In, x_offset: u32, out: Out, out_offset: u32, dimensions: Ints) -> Result<()> {
    guard("copy_strided", || {
        let [out] = outputs([out], &[&x, &dimensions])?;
        let loops = Loops::parse(dimensions.slice())?;
        if loops.count() == 0 {
            return Ok(());
        }
        let x = x
            .slice()
            .get(x_offset as usize..)
            .ok_or_else(|| invalid("`x_offset` is past the end"))?;
        let out = out
            .get_mut(out_offset as usize..)
            .ok_or_else(|| invalid("`out_offset` is past the end"))?;
        if x.len() < loops.reach(&loops.first)? || out.len() < loops.reach(&loops.second)? {
            return Err(invalid(format!(
                "{} and {} elements are too few",
                x.len(),
                out.len()
            )));
        }
        if !loops.second_is_injective() {
            return Err(invalid("places in `out` must be distinct"));
        }
        let (_, from, to) = loops.inner();
        let last = loops.sizes.len() - 1;
        let other = (0..last).find(|&i| loops.first[i] == 1);
        let shared = SharedOut::new(out);
        match other {
            Some(other) if to == 1 && from > 1 => transpose(x, &shared, &loops, other),
            _ => copy_rows(x, &shared, &loops),
        }
        Ok(())
    })
}

/// `out[o, i, :] = x[o, ids[i], :]` with `inner` elements each.
#[napi]
pub fn gather(x: In, ids: Ints, out: Out, outer: u32, height: u32, inner: u32) -> Result<()> {
    guard("gather", || {
        let [out] = outputs([out], &[&x, &ids])?;
        let (x, ids) = (x.slice(), ids.slice());
        let [outer, height, inner] = [outer, height, inner].map(|size| size as usize);
        length("x", x, product(&[outer, height, inner])?)?;
        length("out", out, product(&[outer, ids.len(), inner])?)?;
        if let Some(id) = ids.iter().find(|&&id| id < 0 || id as usize >= height) {
            return Err(invalid(format!(
                "index {id} is not in 0 to {}",
                height as i64 - 1
            )));
        }
        par_rows_out(out, inner, (CHEAP / inner.max(1)).max(1), |rows, out| {
            for (out, row) in out.chunks_exact_mut(inner).zip(rows) {
                let from = (row / ids.len()) * height + ids[row % ids.len()] as usize;
                out.copy_from_slice(&x[from * inner..(from + 1) * inner]);
            }
        });
        Ok(())
    })
}

multiversion! {
    fn add_row(x: &[f32], out: &mut [f32]) {
        for (out, &x) in out.iter_mut().zip(x) {
            *out += x;
        }
    }
}

/// `out[ids[i], :] += x[i, :]` from zero, in the order of i. Ids outside of `out` are skipped.
#[napi]
pub fn segment_sum(x: In, ids: Ints, out: Out, inner: u32) -> Result<()> {
    guard("segment_sum", || {
        let [out] = outputs([out], &[&x, &ids])?;
        let (x, ids, inner) = (x.slice(), ids.slice(), inner as usize);
        length("x", x, product(&[ids.len(), inner])?)?;
        if inner == 0 || !out.len().is_multiple_of(inner) {
            return Err(invalid(format!("{} elements are no rows of {inner}", out.len())));
        }
        par_rows_out(out, inner, (CHEAP / inner).max(1), |rows, out| {
            out.fill(0.0);
            for (x, &id) in x.chunks_exact(inner).zip(ids) {
                if id >= 0 && rows.contains(&(id as usize)) {
                    let at = (id as usize - rows.start) * inner;
                    add_row(x, &mut out[at..at + inner]);
                }
            }
        });
        Ok(())
    })
}
