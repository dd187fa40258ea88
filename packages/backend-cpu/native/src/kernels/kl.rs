//! BasicLinearKl: KL(softmax(r Eᵀ) || softmax(v Eᵀ)) in tiles of logits.

use super::support::{Shared, tasks, with_scratch};
use super::vocabulary::{LogSum, Tiling};
use crate::math::exp;
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
    pub fn tiling(&self) -> Tiling {
        Tiling::new([self.a.len(), self.sizes[0], self.sizes[1]], 2, self.chunk_bytes)
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
    const EMPTY: Self = Self {
        v: LogSum::EMPTY,
        r: LogSum::EMPTY,
        cross: 0.0,
    };

    fn merge(self, other: Self) -> Self {
        let (v, r) = (self.v.merge(other.v), self.r.merge(other.r));
        let moved = |part: &Self| {
            if part.r.sum == 0.0 {
                return 0.0;
            }
            let (by_r, by_v) = (part.r.most - r.most, part.v.most - v.most);
            by_r.exp() * (part.cross + part.r.sum * (by_r - by_v))
        };
        Self {
            v,
            r,
            cross: moved(&self) + moved(&other),
        }
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
