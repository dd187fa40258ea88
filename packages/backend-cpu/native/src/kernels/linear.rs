//! BasicLinear, BasicFrozenLinear and their variants.

use super::activation::{Kind, apply};
use super::quantised::{BLOCK, Storage};
use super::support::{Columns, Shared, block, multiply_into, tasks, with_scratch};
use crate::matmul::{Size, row_major, transposed};
use crate::multiversion;

/// Rows and output features of a task.
const ROWS: usize = 256;
const FEATURES: usize = 256;

/// Floats of a decoded weight that a task holds at most.
const DECODED: usize = 1 << 18;

/// What is done to a product before it is written. An empty bias is none.
#[derive(Clone, Copy)]
pub struct Finish<'a> {
    pub bias: &'a [f32],
    pub activation: Kind,
}

/// `y = act(x Wᵀ + b)` with x [R, I], weight [O, I].
pub fn linear(x: &[f32], weight: &[f32], [inputs, outputs]: [usize; 2], finish: Finish, y: &mut [f32]) {
    if outputs == 0 || y.is_empty() {
        return;
    }
    let rows = y.len() / outputs;
    let strips = outputs.div_ceil(FEATURES);
    let y = Shared::new(y);
    tasks(rows.div_ceil(ROWS) * strips, rows * outputs * inputs, |task| {
        let (row, m) = block(task / strips, ROWS, rows);
        let (feature, n) = block(task % strips, FEATURES, outputs);
        let x = (&x[row * inputs..(row + m) * inputs], row_major(inputs));
        let w = (
            &weight[feature * inputs..(feature + n) * inputs],
            transposed(inputs),
        );
        let columns = Columns {
            out: y,
            start: row * outputs + feature,
            width: outputs,
        };
        // SAFETY: tasks own disjoint tiles.
        unsafe {
            multiply_into(Size { m, n, k: inputs }, x, w, columns, 1.0, false);
            finish_tile(columns, [m, n], feature, finish);
        }
    });
}

/// # Safety
/// No other task may use these columns.
unsafe fn finish_tile(c: Columns, [m, n]: [usize; 2], feature: usize, finish: Finish) {
    if finish.bias.is_empty() && finish.activation == Kind::None {
        return;
    }
    for i in 0..m {
        // SAFETY: the caller's promise.
        let row = unsafe { c.out.part(c.start + i * c.width, n) };
        if !finish.bias.is_empty() {
            add(row, &finish.bias[feature..feature + n]);
        }
        apply(finish.activation, row);
    }
}

multiversion! {
    fn add(sum: &mut [f32], values: &[f32]) {
        for (sum, &value) in sum.iter_mut().zip(values) {
            *sum += value;
        }
    }
}

/// A packed weight [outputs, inputs].
#[derive(Clone, Copy)]
pub struct Packed<'a> {
    pub bytes: &'a [u8],
    pub storage: Storage,
    pub inputs: usize,
    pub outputs: usize,
}

/// `y = x Wᵀ + b`, decoding a few rows of W at a time.
pub fn packed_linear(x: &[f32], weight: Packed, bias: &[f32], y: &mut [f32]) {
    let Packed { inputs, outputs, .. } = weight;
    if outputs == 0 || y.is_empty() {
        return;
    }
    let rows = y.len() / outputs;
    let features = (DECODED / inputs.max(1)).clamp(16, FEATURES);
    let y = Shared::new(y);
    let finish = Finish {
        bias,
        activation: Kind::None,
    };
    tasks(
        outputs.div_ceil(features),
        (rows + 4) * outputs * inputs,
        |task| {
            let (feature, n) = block(task, features, outputs);
            with_scratch(n * inputs, |decoded| {
                weight.storage.decode(weight.bytes, feature * inputs, decoded);
                let columns = Columns {
                    out: y,
                    start: feature,
                    width: outputs,
                };
                let w = (&*decoded, transposed(inputs));
                // SAFETY: tasks own disjoint columns.
                unsafe {
                    multiply_into(
                        Size {
                            m: rows,
                            n,
                            k: inputs,
                        },
                        (x, row_major(inputs)),
                        w,
                        columns,
                        1.0,
                        false,
                    );
                    finish_tile(columns, [rows, n], feature, finish);
                }
            });
        },
    );
}

/// `dx = dy W`: a task owns some columns of dx and decodes them from a few rows of W at a time.
pub fn packed_linear_backward(dy: &[f32], weight: Packed, dx: &mut [f32]) {
    let Packed { inputs, outputs, .. } = weight;
    if inputs == 0 || dx.is_empty() {
        return;
    }
    let rows = dx.len() / inputs;
    let width = FEATURES.next_multiple_of(BLOCK);
    let features = DECODED / width;
    let dx = Shared::new(dx);
    tasks(inputs.div_ceil(width), (rows + 4) * outputs * inputs, |task| {
        let (column, n) = block(task, width, inputs);
        let columns = Columns {
            out: dx,
            start: column,
            width: inputs,
        };
        with_scratch(features.min(outputs) * n, |decoded| {
            for i in 0..outputs.div_ceil(features).max(1) {
                let (feature, k) = block(i, features, outputs);
                for (j, row) in decoded[..k * n].chunks_exact_mut(n).enumerate() {
                    weight
                        .storage
                        .decode(weight.bytes, (feature + j) * inputs + column, row);
                }
                let dy = (dy.get(feature..).unwrap_or(&[]), row_major(outputs));
                // SAFETY: tasks own disjoint columns.
                unsafe {
                    multiply_into(
                        Size { m: rows, n, k },
                        dy,
                        (&*decoded, row_major(n)),
                        columns,
                        1.0,
                        i > 0,
                    );
                }
            }
        });
    });
}

/// `dx = dy W` for a float32 weight.
pub fn linear_backward(dy: &[f32], weight: &[f32], [inputs, outputs]: [usize; 2], dx: &mut [f32]) {
    if inputs == 0 || dx.is_empty() {
        return;
    }
    let size = Size {
        m: dx.len() / inputs,
        n: inputs,
        k: outputs,
    };
    if outputs == 0 {
        dx.fill(0.0);
        return;
    }
    let (dy, weight) = ((dy, row_major(outputs)), (weight, row_major(inputs)));
    crate::matmul::gemm(size, dy, weight, (dx, inputs), (0.0, 1.0), true);
}
