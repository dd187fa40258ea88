//! BasicLinearKl and its backward kernel: KL(softmax(r Eᵀ) || softmax(v Eᵀ)) in tiles of logits.

use super::support::{Columns, Shared, multiply_into, tasks, with_scratch};
use super::vocabulary::{LogSum, Tiling};
use crate::math::exp;
use crate::matmul::{Size, row_major};
use crate::multiversion;
use crate::simd::{LANES, fold_lanes, max};

/// v, r [N, D]; vocabulary [V, D]; a [N].
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    pub v: &'a [f32],
    pub r: &'a [f32],
    pub vocabulary: &'a [f32],
    pub a: &'a [f32],
    /// D and V.
    pub sizes: [usize; 2],
    pub chunk_bytes: usize,
}

impl Inputs<'_> {
    /// Enough row blocks for several threads, and no more: each one packs the vocabulary again.
    fn tiling(&self) -> Tiling {
        let rows = self.a.len();
        let most = rows.div_ceil(8).next_multiple_of(8).clamp(16, 64);
        Tiling::new([rows, self.sizes[0], self.sizes[1]], 2, self.chunk_bytes, most)
    }
}

/// Results of the forward pass, one value per row.
pub struct Outputs<'a> {
    pub loss: &'a mut [f32],
    pub kl: &'a mut [f32],
    pub lse_v: &'a mut [f32],
    pub lse_r: &'a mut [f32],
}

/// Sums over a part of the vocabulary, relative to the largest logits of the part.
#[derive(Clone, Copy)]
struct Partial {
    v: LogSum,
    r: LogSum,
    /// Sum of exp(r - most r) * ((r - most r) - (v - most v)).
    cross: f64,
}

impl Partial {
    const EMPTY: Self = Self { v: LogSum::EMPTY, r: LogSum::EMPTY, cross: 0.0 };

    fn merge(self, other: Self) -> Self {
        let (v, r) = (self.v.merge(other.v), self.r.merge(other.r));
        let moved = |part: &Self| {
            if part.r.sum == 0.0 {
                return 0.0;
            }
            let (by_r, by_v) = (part.r.most - r.most, part.v.most - v.most);
            by_r.exp() * (part.cross + part.r.sum * (by_r - by_v))
        };
        Self { v, r, cross: moved(&self) + moved(&other) }
    }

    /// Never below 0, which only rounding could cause.
    fn divergence(self) -> f64 {
        let kl = self.cross / self.r.sum - self.r.sum.ln() + self.v.sum.ln();
        if kl < 0.0 { 0.0 } else { kl }
    }
}

/// `kl` and `loss = a * kl` per row, with both log-sum-exps.
pub fn linear_kl(inputs: Inputs, out: Outputs) {
    let tiling = inputs.tiling();
    let (blocks, stripes, rows) = (tiling.row_blocks(), tiling.stripes(), tiling.rows);
    let mut partials = vec![Partial::EMPTY; stripes * rows];
    let shared = Shared::new(&mut partials);
    tasks(blocks * stripes, tiling.work() * 2, |task| {
        let (stripe, (start, count)) = (task / blocks, tiling.row_block(task % blocks));
        // SAFETY: tasks own disjoint rows of their stripe.
        let partials = unsafe { shared.part(stripe * rows + start, count) };
        with_scratch(2 * count * tiling.tile[1], |scratch| {
            let (v, r) = scratch.split_at_mut(count * tiling.tile[1]);
            for (column, columns) in tiling.stripe(stripe) {
                let place = ((start, count), (column, columns));
                tiling.logits((inputs.v, inputs.vocabulary), place.0, place.1, (v, columns));
                tiling.logits((inputs.r, inputs.vocabulary), place.0, place.1, (r, columns));
                for (i, partial) in partials.iter_mut().enumerate() {
                    let cells = i * columns..(i + 1) * columns;
                    *partial = partial.merge(partial_sums(&v[cells.clone()], &r[cells]));
                }
            }
        });
    });
    for row in 0..rows {
        let parts = (0..stripes).map(|stripe| partials[stripe * rows + row]);
        let all = parts.fold(Partial::EMPTY, Partial::merge);
        let kl = all.divergence();
        out.kl[row] = kl as f32;
        out.loss[row] = (f64::from(inputs.a[row]) * kl) as f32;
        out.lse_v[row] = all.v.value() as f32;
        out.lse_r[row] = all.r.value() as f32;
    }
}

multiversion! {
    fn partial_sums(v: &[f32], r: &[f32]) -> Partial {
        let (most_v, most_r) = (max(v), max(r));
        let (mut sum_v, mut sum_r, mut cross) = ([0f32; LANES], [0f32; LANES], [0f32; LANES]);
        for (v, r) in v.chunks(LANES).zip(r.chunks(LANES)) {
            for (i, (&v, &r)) in v.iter().zip(r).enumerate() {
                let (v, r) = (v - most_v, r - most_r);
                let weight = exp::<FMA>(r);
                sum_v[i] += exp::<FMA>(v);
                sum_r[i] += weight;
                cross[i] += weight * (r - v);
            }
        }
        let fold = |lanes| f64::from(fold_lanes(lanes, |a, b| a + b));
        Partial {
            v: LogSum { most: f64::from(most_v), sum: fold(sum_v) },
            r: LogSum { most: f64::from(most_r), sum: fold(sum_r) },
            cross: fold(cross),
        }
    }
}

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
    let tiling = inputs.tiling();
    let [width, vocabulary] = inputs.sizes;
    let needs_refined = !dr.is_empty();
    dv.fill(0.0);
    dr.fill(0.0);
    let (dv, dr) = (Shared::new(dv), Shared::new(dr));
    tasks(tiling.row_blocks(), tiling.work() * 3, |task| {
        let (start, count) = tiling.row_block(task);
        with_scratch(2 * count * tiling.tile[1], |scratch| {
            let (v, r) = scratch.split_at_mut(count * tiling.tile[1]);
            for (column, columns) in (0..tiling.stripes()).flat_map(|stripe| tiling.stripe(stripe)) {
                let place = ((start, count), (column, columns));
                tiling.logits((inputs.v, inputs.vocabulary), place.0, place.1, (v, columns));
                tiling.logits((inputs.r, inputs.vocabulary), place.0, place.1, (r, columns));
                for i in 0..count {
                    let row = start + i;
                    let cells = i * columns..(i + 1) * columns;
                    let scale = saved.dloss[row] * inputs.a[row];
                    let saved = [scale, saved.kl[row], saved.lse_v[row], saved.lse_r[row]];
                    logit_gradients(&mut v[cells.clone()], &mut r[cells], saved, needs_refined);
                }
                debug_assert!(column + columns <= vocabulary);
                let size = Size { m: count, n: width, k: columns };
                let table = (&inputs.vocabulary[column * width..(column + columns) * width], row_major(width));
                let into = |out| Columns { out, start: start * width, width };
                // SAFETY: tasks own disjoint rows.
                unsafe {
                    multiply_into(size, (&*v, row_major(columns)), table, into(dv), 1.0, true);
                    if needs_refined {
                        multiply_into(size, (&*r, row_major(columns)), table, into(dr), 1.0, true);
                    }
                }
            }
        });
    });
}

multiversion! {
    /// Logits of one row to their gradients, in place.
    fn logit_gradients(v: &mut [f32], r: &mut [f32], saved: [f32; 4], needs_refined: bool) {
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
