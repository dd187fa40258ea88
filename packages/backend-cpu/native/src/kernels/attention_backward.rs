//! BasicAttentionBackward: recomputes the probabilities of a block of query rows from the log-sum-exp.
//!
//! A task owns one (sample, key head) and walks through its query heads and blocks in order, so sums over
//! query rows are always added in the same order.

use super::attention::{Layout, Sample};
use super::support::{Columns, Shared, block, multiply_into, tasks, with_scratch};
use crate::math::{exp, tanh};
use crate::matmul::{Size, gemm, row_major, transposed};
use crate::multiversion;
use crate::simd::dot;

/// What the forward pass saved, and the gradient of y.
#[derive(Clone, Copy)]
pub struct Saved<'a> {
    pub dy: &'a [f32],
    pub q: &'a [f32],
    pub k: &'a [f32],
    pub v: &'a [f32],
    pub y: &'a [f32],
    pub log_sum_exp: &'a [f32],
}

/// Writes the gradients of q, k and v.
pub fn attention_backward(layout: &Layout, saved: Saved, [dq, dk, dv]: [&mut [f32]; 3]) {
    dk.fill(0.0);
    dv.fill(0.0);
    let out = [dq, dk, dv].map(Shared::new);
    let scores = layout.block_scores();
    tasks(layout.samples() * layout.key_heads, layout.work() * 3, |task| {
        let (sample, group) = (layout.sample(task / layout.key_heads), task % layout.key_heads);
        let heads = layout.heads / layout.key_heads;
        with_scratch(scores * 2, |scratch| {
            for h in group * heads..(group + 1) * heads {
                let head = Head {
                    layout,
                    sample,
                    h,
                    saved,
                    out,
                };
                let rows = layout.block_rows(sample.keys);
                for i in 0..sample.queries.div_ceil(rows) {
                    let (start, count) = block(i, rows, sample.queries);
                    head.block(start, count, scratch);
                }
            }
        });
    });
}

/// One query head of one sample.
struct Head<'a> {
    layout: &'a Layout<'a>,
    sample: Sample,
    h: usize,
    saved: Saved<'a>,
    out: [Shared<'a>; 3],
}

impl Head<'_> {
    /// Query rows `start .. start + count` of the sample.
    fn block(&self, start: usize, count: usize, scratch: &mut [f32]) {
        let Self {
            layout,
            sample,
            h,
            saved,
            out: [dq, dk, dv],
        } = *self;
        let (first, _) = layout.seen(sample, start);
        let (_, last) = layout.seen(sample, start + count - 1);
        let (keys, width, row) = (last - first, layout.head_width, sample.query + start);
        let key = layout.key_start(sample.key + first, h);
        let (k, v) = (
            saved.k.get(key..).unwrap_or(&[]),
            saved.v.get(key..).unwrap_or(&[]),
        );
        let (q_width, k_width) = (layout.query_width(), layout.key_width());
        let (p, rest) = scratch.split_at_mut(count * keys);
        let ds = &mut rest[..count * keys];
        let (q, dy) = (
            layout.query_head(saved.q, row, h),
            layout.query_head(saved.dy, row, h),
        );
        let size = Size {
            m: count,
            n: keys,
            k: width,
        };
        gemm(
            size,
            q,
            (k, transposed(k_width)),
            (p, keys),
            (0.0, layout.scale),
            false,
        );
        gemm(size, dy, (v, transposed(k_width)), (ds, keys), (0.0, 1.0), false);
        for i in 0..count {
            let (from, to) = layout.seen(sample, start + i);
            let of_row = (row + i) * q_width + h * width..(row + i) * q_width + (h + 1) * width;
            let saved_row = SavedRow {
                dy: &saved.dy[of_row.clone()],
                y: &saved.y[of_row],
                log_sum_exp: saved.log_sum_exp[(row + i) * layout.heads + h],
                softcap: layout.softcap,
            };
            let cells = i * keys..(i + 1) * keys;
            row_gradient(
                &mut p[cells.clone()],
                &mut ds[cells],
                from - first,
                to - first,
                saved_row,
            );
        }
        let start = row * q_width + h * width;
        let into_q = Columns {
            out: dq,
            start,
            width: q_width,
        };
        let into = |out| Columns {
            out,
            start: key,
            width: k_width,
        };
        let by_query = Size {
            m: count,
            n: width,
            k: keys,
        };
        let by_key = Size {
            m: keys,
            n: width,
            k: count,
        };
        // SAFETY: one task per (sample, key head) writes these columns.
        unsafe {
            multiply_into(
                by_query,
                (ds, row_major(keys)),
                (k, row_major(k_width)),
                into_q,
                layout.scale,
                false,
            );
            multiply_into(by_key, (ds, transposed(keys)), q, into(dk), layout.scale, true);
            multiply_into(by_key, (p, transposed(keys)), dy, into(dv), 1.0, true);
        }
    }
}

/// What one query row of one head needs.
struct SavedRow<'a> {
    dy: &'a [f32],
    y: &'a [f32],
    log_sum_exp: f32,
    softcap: f32,
}

multiversion! {
    /// In: scores in `p`, gradients of the probabilities in `ds`. Out: probabilities and gradients of the scores.
    fn row_gradient(p: &mut [f32], ds: &mut [f32], from: usize, to: usize, saved: SavedRow) {
        for unseen in [0..from, to..p.len()] {
            p[unseen.clone()].fill(0.0);
            ds[unseen].fill(0.0);
        }
        let delta = dot::<FMA>(saved.dy, saved.y);
        let cells = p[from..to].iter_mut().zip(&mut ds[from..to]);
        if saved.softcap > 0.0 {
            for (p, ds) in cells {
                let bounded = tanh::<FMA>(*p / saved.softcap);
                *p = exp::<FMA>(saved.softcap * bounded - saved.log_sum_exp);
                *ds = *p * (*ds - delta) * (1.0 - bounded * bounded);
            }
        } else {
            for (p, ds) in cells {
                *p = exp::<FMA>(*p - saved.log_sum_exp);
                *ds = *p * (*ds - delta);
            }
        }
    }
}
