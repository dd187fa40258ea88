//! BasicEmbedding, BasicSplice, BasicRowGather and BasicScatterAddRows.

use crate::multiversion;
use crate::threads::par_rows_out;

/// Rows of a task at least.
const ROWS: usize = 64;

/// Row i of `out` is row `ids[i]` of `table`, or of `visual` where the id is negative (-1 - row).
pub fn splice(table: &[f32], visual: &[f32], ids: &[i32], width: usize, out: &mut [f32]) {
    par_rows_out(out, width, ROWS, |range, out| {
        for (&id, out) in ids[range].iter().zip(out.chunks_exact_mut(width)) {
            let (source, row) = if id < 0 {
                (visual, (-1 - id) as usize)
            } else {
                (table, id as usize)
            };
            out.copy_from_slice(&source[row * width..(row + 1) * width]);
        }
    });
}

/// Adds row i of `dy` to row `rows[i]` of `out`, in order; negative rows are left out.
pub fn scatter_add_rows(dy: &[f32], rows: &[i32], width: usize, out: &mut [f32]) {
    out.fill(0.0);
    if width == 0 {
        return;
    }
    for (&row, dy) in rows.iter().zip(dy.chunks_exact(width)) {
        if row >= 0 {
            let row = row as usize;
            add(&mut out[row * width..(row + 1) * width], dy);
        }
    }
}

multiversion! {
    fn add(sum: &mut [f32], values: &[f32]) {
        for (sum, &value) in sum.iter_mut().zip(values) {
            *sum += value;
        }
    }
}
