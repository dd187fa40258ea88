//! BasicLinearCrossEntropyBackward: recomputes the logits of a chunk from the log-sum-exp.

use super::cross_entropy::{Inputs, Supervised};
use super::support::{Columns, Shared, block, multiply_into, tasks};
use super::vocabulary::cap;
use crate::math::exp;
use crate::matmul::{Size, row_major, transposed};
use crate::multiversion;

/// Most columns of a chunk, and rows or columns of a task's tile of gradients.
const CHUNK_COLUMNS: usize = 4096;
const GRADIENT_TILE: usize = 128;

/// Gradients of x and, where `dweight` is not empty, of the weight.
pub fn cross_entropy_backward(
    inputs: Inputs,
    [dloss, log_sum_exp]: [&[f32]; 2],
    dx: &mut [f32],
    dweight: &mut [f32],
) {
    let Supervised { rows, x } = inputs.supervised();
    dx.fill(0.0);
    dweight.fill(0.0);
    let width = inputs.width;
    let all = rows.len() == inputs.labels.len();
    let mut compact = vec![0f32; if all { 0 } else { rows.len() * width }];
    let backward = Backward {
        inputs,
        rows: &rows,
        x: &x,
        dloss,
        log_sum_exp,
        dx: Shared::new(if all { &mut *dx } else { &mut compact }),
        dweight: Shared::new(dweight),
    };
    backward.run();
    if !all {
        for (&row, source) in rows.iter().zip(compact.chunks_exact(width.max(1))) {
            dx[row * width..(row + 1) * width].copy_from_slice(source);
        }
    }
}

struct Backward<'a> {
    inputs: Inputs<'a>,
    rows: &'a [usize],
    x: &'a [f32],
    dloss: &'a [f32],
    log_sum_exp: &'a [f32],
    dx: Shared<'a>,
    dweight: Shared<'a>,
}

/// Some rows and columns of the gradient of the logits.
#[derive(Clone, Copy)]
struct Chunk {
    rows: (usize, usize),
    columns: (usize, usize),
}

impl Backward<'_> {
    fn run(&self) {
        let floats = (self.inputs.chunk_bytes / size_of::<f32>()).max(1);
        let vocabulary = self.inputs.vocabulary;
        let columns = vocabulary.min(CHUNK_COLUMNS).min(floats).max(1);
        let rows = (floats / columns).min(self.rows.len()).max(1);
        let mut gradient = vec![0f32; rows * columns];
        for i in 0..self.rows.len().div_ceil(rows) {
            for j in 0..vocabulary.div_ceil(columns) {
                let chunk = Chunk {
                    rows: block(i, rows, self.rows.len()),
                    columns: block(j, columns, vocabulary),
                };
                self.logit_gradient(chunk, &mut gradient);
                self.add_products(chunk, &gradient);
            }
        }
    }

    /// Gradient of the logits of a chunk, `chunk.columns` wide.
    fn logit_gradient(&self, chunk: Chunk, gradient: &mut [f32]) {
        let inputs = &self.inputs;
        let tiling = inputs.tiling(self.rows.len());
        let ((first, count), (column, columns)) = (chunk.rows, chunk.columns);
        let strips = columns.div_ceil(tiling.tile[1]);
        let out = Shared::new(gradient);
        tasks(
            count.div_ceil(tiling.tile[0]) * strips,
            count * columns * inputs.width,
            |task| {
                let (start, m) = block(task / strips, tiling.tile[0], count);
                let (offset, n) = block(task % strips, tiling.tile[1], columns);
                let k = inputs.width;
                let x = &self.x[(first + start) * k..(first + start + m) * k];
                let weight = &inputs.weight[(column + offset) * k..(column + offset + n) * k];
                let tile = Columns {
                    out,
                    start: start * columns + offset,
                    width: columns,
                };
                // SAFETY: tasks own disjoint tiles.
                unsafe {
                    multiply_into(
                        Size { m, n, k },
                        (x, row_major(k)),
                        (weight, transposed(k)),
                        tile,
                        1.0,
                        false,
                    );
                }
                for i in 0..m {
                    let row = self.rows[first + start + i];
                    // SAFETY: as above.
                    let logits = unsafe { out.part(tile.start + i * columns, n) };
                    let label = (inputs.labels[row] as usize)
                        .checked_sub(column + offset)
                        .filter(|&label| label < n);
                    let scales = [self.dloss[row], self.log_sum_exp[row], inputs.softcap];
                    row_gradient(logits, scales, label);
                }
            },
        );
    }

    /// Adds the chunk to the gradients of its rows and of its part of the vocabulary.
    fn add_products(&self, chunk: Chunk, gradient: &[f32]) {
        let width = self.inputs.width;
        let ((first, count), (column, columns)) = (chunk.rows, chunk.columns);
        let row_tiles = count.div_ceil(GRADIENT_TILE);
        let weight_tiles = if self.dweight.length() == 0 {
            0
        } else {
            columns.div_ceil(GRADIENT_TILE)
        };
        tasks(row_tiles + weight_tiles, count * columns * width, |task| {
            if task < row_tiles {
                let (start, m) = block(task, GRADIENT_TILE, count);
                let g = (&gradient[start * columns..], row_major(columns));
                let weight = (&self.inputs.weight[column * width..], row_major(width));
                let tile = Columns {
                    out: self.dx,
                    start: (first + start) * width,
                    width,
                };
                // SAFETY: tasks own disjoint rows of dx.
                unsafe {
                    multiply_into(
                        Size {
                            m,
                            n: width,
                            k: columns,
                        },
                        g,
                        weight,
                        tile,
                        1.0,
                        true,
                    )
                };
            } else {
                let (start, m) = block(task - row_tiles, GRADIENT_TILE, columns);
                let g = (&gradient[start..], transposed(columns));
                let x = (&self.x[first * width..], row_major(width));
                let tile = Columns {
                    out: self.dweight,
                    start: (column + start) * width,
                    width,
                };
                // SAFETY: tasks own disjoint rows of dweight.
                unsafe {
                    multiply_into(
                        Size {
                            m,
                            n: width,
                            k: count,
                        },
                        g,
                        x,
                        tile,
                        1.0,
                        true,
                    )
                };
            }
        });
    }
}

multiversion! {
    /// Logits to their gradient: `dloss * (p - onehot) * slope of the softcap`.
    fn row_gradient(logits: &mut [f32], scales: [f32; 3], label: Option<usize>) {
        let [dloss, log_sum_exp, softcap] = scales;
        if softcap > 0.0 {
            cap(logits, softcap);
        }
        let target = label.map(|label| logits[label]);
        if softcap > 0.0 {
            for logit in logits.iter_mut() {
                let bounded = *logit / softcap;
                *logit = dloss * exp::<FMA>(*logit - log_sum_exp) * (1.0 - bounded * bounded);
            }
        } else {
            for logit in logits.iter_mut() {
                *logit = dloss * exp::<FMA>(*logit - log_sum_exp);
            }
        }
        if let (Some(label), Some(target)) = (label, target) {
            let bounded = if softcap > 0.0 { target / softcap } else { 0.0 };
            logits[label] = dloss * (exp::<FMA>(target - log_sum_exp) - 1.0) * (1.0 - bounded * bounded);
        }
    }
}
