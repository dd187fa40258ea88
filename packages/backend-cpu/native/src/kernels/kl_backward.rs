//! BasicLinearKlBackward: recomputes the logits of a chunk from the log-sum-exps.

use super::kl::Inputs;
use super::support::{Columns, Shared, block, multiply_into, tasks};
use crate::math::exp;
use crate::matmul::{Size, row_major, transposed};
use crate::multiversion;

/// Most columns of a chunk, and rows of a task's tile of gradients.
const CHUNK_COLUMNS: usize = 4096;
const GRADIENT_ROWS: usize = 64;

/// What the forward pass saved, and the gradient of the loss.
#[derive(Clone, Copy)]
pub struct Saved<'a> {
    pub dloss: &'a [f32],
    pub kl: &'a [f32],
    pub lse_v: &'a [f32],
    pub lse_r: &'a [f32],
}

/// Gradients of v and, where `dr` is not empty, of r.
pub fn linear_kl_backward(inputs: Inputs, saved: Saved, dv: &mut [f32], dr: &mut [f32]) {
    dv.fill(0.0);
    dr.fill(0.0);
    let [_, vocabulary] = inputs.sizes;
    let all = inputs.a.len();
    let floats = (inputs.chunk_bytes / size_of::<f32>() / 2).max(1);
    let columns = vocabulary.min(CHUNK_COLUMNS).min(floats).max(1);
    let rows = (floats / columns).min(all).max(1);
    let mut gradients = [vec![0f32; rows * columns], vec![0f32; rows * columns]];
    let backward = Backward {
        inputs,
        saved,
        needs_refined: !dr.is_empty(),
    };
    let out = [dv, dr].map(Shared::new);
    for i in 0..all.div_ceil(rows) {
        for j in 0..vocabulary.div_ceil(columns) {
            let chunk = Chunk {
                rows: block(i, rows, all),
                columns: block(j, columns, vocabulary),
            };
            backward.logit_gradients(chunk, &mut gradients);
            for (out, gradient) in out
                .iter()
                .zip(&gradients)
                .take(1 + usize::from(backward.needs_refined))
            {
                backward.add_product(chunk, gradient, *out);
            }
        }
    }
}

struct Backward<'a> {
    inputs: Inputs<'a>,
    saved: Saved<'a>,
    needs_refined: bool,
}

/// Some rows and columns of the gradients of the logits.
#[derive(Clone, Copy)]
struct Chunk {
    rows: (usize, usize),
    columns: (usize, usize),
}

impl Backward<'_> {
    /// Gradients of both logits of a chunk, `chunk.columns` wide.
    fn logit_gradients(&self, chunk: Chunk, gradients: &mut [Vec<f32>; 2]) {
        let Self { inputs, saved, .. } = self;
        let tile = inputs.tiling().tile;
        let ((first, count), (column, columns)) = (chunk.rows, chunk.columns);
        let k = inputs.sizes[0];
        let strips = columns.div_ceil(tile[1]);
        let out = gradients.each_mut().map(|gradient| Shared::new(gradient));
        tasks(
            count.div_ceil(tile[0]) * strips,
            2 * count * columns * k,
            |task| {
                let (start, m) = block(task / strips, tile[0], count);
                let (offset, n) = block(task % strips, tile[1], columns);
                let vocabulary = &inputs.vocabulary[(column + offset) * k..(column + offset + n) * k];
                for (out, x) in out.into_iter().zip([inputs.v, inputs.r]) {
                    let x = &x[(first + start) * k..(first + start + m) * k];
                    let tile = Columns {
                        out,
                        start: start * columns + offset,
                        width: columns,
                    };
                    let (x, vocabulary) = ((x, row_major(k)), (vocabulary, transposed(k)));
                    // SAFETY: tasks own disjoint tiles.
                    unsafe { multiply_into(Size { m, n, k }, x, vocabulary, tile, 1.0, false) };
                }
                for i in 0..m {
                    let row = first + start + i;
                    let scale = saved.dloss[row] * inputs.a[row];
                    let scales = [scale, saved.kl[row], saved.lse_v[row], saved.lse_r[row]];
                    // SAFETY: as above.
                    let [v, r] = out.map(|out| unsafe { out.part((start + i) * columns + offset, n) });
                    row_gradients(v, r, scales, self.needs_refined);
                }
            },
        );
    }

    /// Adds a chunk to the gradient of its rows.
    fn add_product(&self, chunk: Chunk, gradient: &[f32], out: Shared) {
        let width = self.inputs.sizes[0];
        let ((first, count), (column, columns)) = (chunk.rows, chunk.columns);
        tasks(count.div_ceil(GRADIENT_ROWS), count * columns * width, |task| {
            let (start, m) = block(task, GRADIENT_ROWS, count);
            let gradient = (&gradient[start * columns..], row_major(columns));
            let vocabulary = (&self.inputs.vocabulary[column * width..], row_major(width));
            let rows = Columns {
                out,
                start: (first + start) * width,
                width,
            };
            // SAFETY: tasks own disjoint rows.
            unsafe {
                multiply_into(
                    Size {
                        m,
                        n: width,
                        k: columns,
                    },
                    gradient,
                    vocabulary,
                    rows,
                    1.0,
                    true,
                )
            };
        });
    }
}

multiversion! {
    /// Logits of one row to their gradients, in place.
    fn row_gradients(v: &mut [f32], r: &mut [f32], saved: [f32; 4], needs_refined: bool) {
        let [scale, kl, lse_v, lse_r] = saved;
        for (v, r) in v.iter_mut().zip(r.iter_mut()) {
            let (log_v, log_r) = (*v - lse_v, *r - lse_r);
            let target = exp::<FMA>(log_r);
            *v = scale * (exp::<FMA>(log_v) - target);
            if needs_refined {
                *r = scale * target * (log_r - log_v - kl);
            }
        }
    }
}
