//! BasicRmsNorm, BasicLayerNorm and their backward kernels.

use super::support::{Shared, block, tasks};
use super::vector::Vector;
use crate::multiversion;
use crate::simd::{LANES, dot, fma, fold_lanes, sum};
use crate::with_vectors;

/// Rows of a task. Weight gradients are summed per task in float32, then over tasks in float64.
const ROWS: usize = 32;

/// What a statistic is multiplied by: `weight`, or `1 + weight` (Gemma).
#[derive(Clone, Copy)]
pub struct Weight<'a> {
    pub values: &'a [f32],
    pub add_one: bool,
}

impl Weight<'_> {
    fn offset(self) -> f32 {
        if self.add_one { 1.0 } else { 0.0 }
    }
}

/// `y = x / sqrt(mean(x^2) + epsilon) * weight` per row; `inverse` is the reciprocal root of each row.
pub fn rms_norm(x: &[f32], weight: Weight, epsilon: f32, y: &mut [f32], inverse: &mut [f32]) {
    let width = weight.values.len();
    let (y, inverse) = (Shared::new(y), Shared::new(inverse));
    let rows = inverse.length();
    tasks(rows.div_ceil(ROWS), x.len() * 8, |task| {
        let (start, count) = block(task, ROWS, rows);
        // SAFETY: tasks own disjoint rows.
        let (y, inverse) = unsafe { (y.part(start * width, count * width), inverse.part(start, count)) };
        let rows = RmsRows {
            x: &x[start * width..(start + count) * width],
            weight,
            epsilon,
            y,
            inverse,
        };
        // SAFETY: the body checks its slices.
        unsafe { rms_rows(rows) };
    });
}

/// Some rows of the root-mean-square norm.
struct RmsRows<'a> {
    x: &'a [f32],
    weight: Weight<'a>,
    epsilon: f32,
    y: &'a mut [f32],
    inverse: &'a mut [f32],
}

with_vectors! {
    /// # Safety
    /// None beyond the slices' own checks.
    unsafe fn rms_rows(rows: RmsRows) = rms[avx512: ; avx2: ; portable: ]
}

#[inline(always)]
unsafe fn rms<V: Vector>(rows: RmsRows) {
    let width = rows.weight.values.len();
    let whole = width / V::LANES * V::LANES;
    let pairs = rows.x.chunks_exact(width).zip(rows.y.chunks_exact_mut(width));
    for ((x, y), root) in pairs.zip(rows.inverse) {
        // SAFETY: columns in range; the caller of this body has checked the features.
        unsafe {
            let mut sums = [V::splat(0.0); 4];
            for (i, d) in (0..whole).step_by(V::LANES).enumerate() {
                let x = V::load(x.as_ptr().add(d));
                sums[i % 4] = x.fma(x, sums[i % 4]);
            }
            if whole < width {
                let x = V::load_part(x.as_ptr().add(whole), width - whole);
                sums[0] = x.fma(x, sums[0]);
            }
            let mut lanes = [0f32; 32];
            sums[0]
                .add(sums[1])
                .add(sums[2].add(sums[3]))
                .store(lanes.as_mut_ptr());
            let square: f32 = lanes.iter().sum();
            let scale = 1.0 / (square / width as f32 + rows.epsilon).sqrt();
            *root = scale;
            let offset = rows.weight.offset();
            let (factor, plus) = (V::splat(scale), V::splat(offset));
            for d in (0..whole).step_by(V::LANES) {
                let w = V::load(rows.weight.values.as_ptr().add(d)).add(plus);
                V::load(x.as_ptr().add(d))
                    .mul(factor)
                    .mul(w)
                    .store(y.as_mut_ptr().add(d));
            }
            for d in whole..width {
                y[d] = x[d] * scale * (rows.weight.values[d] + offset);
            }
        }
    }
}

/// Inputs of a norm's backward kernel. `mean` is empty for the root-mean-square norm.
#[derive(Clone, Copy)]
pub struct Saved<'a> {
    pub dy: &'a [f32],
    pub x: &'a [f32],
    pub weight: Weight<'a>,
    pub mean: &'a [f32],
    pub inverse: &'a [f32],
}

/// Gradients of weight and bias; empty where they are not wanted.
pub struct WeightGradients<'a> {
    pub weight: &'a mut [f32],
    pub bias: &'a mut [f32],
}

/// Gradients of a norm. With `saved.mean` it is the layer norm, else the root-mean-square norm.
pub fn norm_backward(saved: Saved, dx: &mut [f32], out: WeightGradients) {
    let width = saved.weight.values.len();
    let rows = saved.inverse.len();
    let blocks = rows.div_ceil(ROWS);
    let sums_of = |wanted: &[f32]| vec![0f32; if wanted.is_empty() { 0 } else { blocks * width }];
    let (mut weight_sums, mut bias_sums) = (sums_of(out.weight), sums_of(out.bias));
    let dx = Shared::new(dx);
    let sums = [&mut weight_sums, &mut bias_sums].map(|sums| Shared::new(sums));
    tasks(blocks, saved.x.len() * 20, |task| {
        let (start, count) = block(task, ROWS, rows);
        let [weight, bias] = sums.map(|sums| {
            let length = if sums.length() == 0 { 0 } else { width };
            // SAFETY: tasks own disjoint rows of sums.
            unsafe { sums.part(task * length, length) }
        });
        // SAFETY: tasks own disjoint rows.
        let dx = unsafe { dx.part(start * width, count * width) };
        let rows = Saved {
            dy: &saved.dy[start * width..(start + count) * width],
            x: &saved.x[start * width..(start + count) * width],
            mean: saved.mean.get(start..start + count).unwrap_or(&[]),
            inverse: &saved.inverse[start..start + count],
            ..saved
        };
        gradients(rows, dx, weight, bias);
    });
    add_blocks(&weight_sums, out.weight);
    add_blocks(&bias_sums, out.bias);
}

multiversion! {
    /// Gradients of some rows; adds to those of weight and bias.
    fn gradients(saved: Saved, dx: &mut [f32], weight: &mut [f32], bias: &mut [f32]) {
        let width = saved.weight.values.len();
        for (row, dx) in dx.chunks_exact_mut(width).enumerate() {
            let cells = row * width..(row + 1) * width;
            let (dy, x) = (&saved.dy[cells.clone()], &saved.x[cells]);
            let (mean, inverse) = (saved.mean.get(row).copied(), saved.inverse[row]);
            row_gradient::<FMA>(dy, x, saved.weight, mean, inverse, dx);
            let centre = mean.unwrap_or(0.0);
            for ((sum, &dy), &x) in weight.iter_mut().zip(dy).zip(x) {
                *sum = fma::<FMA>(dy, (x - centre) * inverse, *sum);
            }
            for (sum, &dy) in bias.iter_mut().zip(dy) {
                *sum += dy;
            }
        }
    }
}

#[inline(always)]
fn row_gradient<const FMA: bool>(
    dy: &[f32],
    x: &[f32],
    weight: Weight,
    mean: Option<f32>,
    inverse: f32,
    dx: &mut [f32],
) {
    let width = x.len() as f32;
    let offset = weight.offset();
    for ((dx, &dy), &w) in dx.iter_mut().zip(dy).zip(weight.values) {
        *dx = dy * (w + offset);
    }
    let centre = mean.unwrap_or(0.0);
    let along = inverse * dot_centred::<FMA>(dx, x, centre) / width;
    let g_mean = if mean.is_some() { sum(dx) / width } else { 0.0 };
    let slope = inverse * along;
    for (dx, &x) in dx.iter_mut().zip(x) {
        *dx = inverse * (*dx - g_mean - (x - centre) * slope);
    }
}

/// Sum of `g * (x - centre)`: centred first, since a large mean would cancel.
#[inline(always)]
fn dot_centred<const FMA: bool>(g: &[f32], x: &[f32], centre: f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let (gs, g_rest) = g.as_chunks::<LANES>();
    let (xs, x_rest) = x.as_chunks::<LANES>();
    for (g, x) in gs.iter().zip(xs) {
        for i in 0..LANES {
            lanes[i] = fma::<FMA>(g[i], x[i] - centre, lanes[i]);
        }
    }
    for (lane, (&g, &x)) in lanes.iter_mut().zip(g_rest.iter().zip(x_rest)) {
        *lane = fma::<FMA>(g, x - centre, *lane);
    }
    fold_lanes(lanes, |a, b| a + b)
}

fn add_blocks(blocks: &[f32], out: &mut [f32]) {
    let width = out.len();
    for (i, out) in out.iter_mut().enumerate() {
        let column = blocks.iter().skip(i).step_by(width);
        *out = column.map(|&value| f64::from(value)).sum::<f64>() as f32;
    }
}

/// `y = (x - mean) / sqrt(variance + epsilon) * weight + bias` per row, with the statistics of each row.
pub fn layer_norm(x: &[f32], [weight, bias]: [&[f32]; 2], epsilon: f32, [y, mean, inverse]: [&mut [f32]; 3]) {
    let width = weight.len();
    let (y, mean, inverse) = (Shared::new(y), Shared::new(mean), Shared::new(inverse));
    let rows = inverse.length();
    tasks(rows.div_ceil(ROWS), x.len() * 16, |task| {
        let (start, count) = block(task, ROWS, rows);
        // SAFETY: tasks own disjoint rows.
        let (y, mean, inverse) = unsafe {
            (
                y.part(start * width, count * width),
                mean.part(start, count),
                inverse.part(start, count),
            )
        };
        let x = &x[start * width..(start + count) * width];
        layer_rows(x, [weight, bias], epsilon, y, mean, inverse);
    });
}

multiversion! {
    fn layer_rows(x: &[f32], weights: [&[f32]; 2], epsilon: f32, y: &mut [f32], mean: &mut [f32], inverse: &mut [f32]) {
        let [weight, bias] = weights;
        let rows = x.chunks_exact(weight.len()).zip(y.chunks_exact_mut(weight.len()));
        for ((x, y), (mean, inverse)) in rows.zip(mean.iter_mut().zip(inverse)) {
            [*mean, *inverse] = layer_row::<FMA>(x, weight, bias, epsilon, y);
        }
    }
}

#[inline(always)]
fn layer_row<const FMA: bool>(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    epsilon: f32,
    y: &mut [f32],
) -> [f32; 2] {
    let width = x.len() as f32;
    let mean = sum(x) / width;
    for (y, &x) in y.iter_mut().zip(x) {
        *y = x - mean;
    }
    let inverse = 1.0 / (dot::<FMA>(y, y) / width + epsilon).sqrt();
    for ((y, &w), &b) in y.iter_mut().zip(weight).zip(bias) {
        *y = fma::<FMA>(*y * inverse, w, b);
    }
    [mean, inverse]
}
