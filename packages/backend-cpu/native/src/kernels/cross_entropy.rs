//! BasicLinearCrossEntropy, in tiles of logits.

use std::borrow::Cow;

use super::support::{Shared, tasks, with_scratch};
use super::vocabulary::{LogSum, Tiling, cap};
use crate::math::exp;
use crate::multiversion;
use crate::simd::{LANES, fold_lanes, max};

/// What both passes need. x [R, D], weight [V, D]; negative labels are ignored.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    pub x: &'a [f32],
    pub weight: &'a [f32],
    pub labels: &'a [i32],
    pub width: usize,
    pub vocabulary: usize,
    /// 0: none.
    pub softcap: f32,
    pub chunk_bytes: usize,
}

/// The rows that have a label, one after the other.
pub struct Supervised<'a> {
    pub rows: Vec<usize>,
    pub x: Cow<'a, [f32]>,
}

impl<'a> Inputs<'a> {
    pub fn supervised(&self) -> Supervised<'a> {
        let rows: Vec<usize> = (0..self.labels.len())
            .filter(|&row| self.labels[row] >= 0)
            .collect();
        let x = if rows.len() == self.labels.len() {
            Cow::Borrowed(self.x)
        } else {
            let row = |&row: &usize| &self.x[row * self.width..(row + 1) * self.width];
            Cow::Owned(rows.iter().flat_map(row).copied().collect())
        };
        Supervised { rows, x }
    }

    pub fn tiling(&self, rows: usize) -> Tiling {
        Tiling::new([rows, self.width, self.vocabulary], 1, self.chunk_bytes)
    }
}

/// `loss = log-sum-exp - logit of the label` per row; both are 0 where the label is ignored.
pub fn cross_entropy(inputs: Inputs, loss: &mut [f32], log_sum_exp: &mut [f32]) {
    let Supervised { rows, x } = inputs.supervised();
    let tiling = inputs.tiling(rows.len());
    let (blocks, stripes) = (tiling.row_blocks(), tiling.stripes());
    let mut sums = vec![LogSum::EMPTY; stripes * rows.len()];
    let mut targets = vec![0f32; rows.len()];
    let (shared_sums, shared_targets) = (Shared::new(&mut sums), Shared::new(&mut targets));
    tasks(blocks * stripes, tiling.work(), |task| {
        let (stripe, (start, count)) = (task / blocks, tiling.row_block(task % blocks));
        // SAFETY: tasks own disjoint rows of their stripe.
        let sums = unsafe { shared_sums.part(stripe * rows.len() + start, count) };
        with_scratch(count * tiling.tile[1], |logits| {
            for (column, columns) in tiling.stripe(stripe) {
                tiling.logits(
                    (&x, inputs.weight),
                    (start, count),
                    (column, columns),
                    (logits, columns),
                );
                if inputs.softcap > 0.0 {
                    cap(&mut logits[..count * columns], inputs.softcap);
                }
                for (i, sum) in sums.iter_mut().enumerate() {
                    let logits = &logits[i * columns..(i + 1) * columns];
                    let [most, total] = log_sum(logits);
                    *sum = sum.merge(LogSum {
                        most: f64::from(most),
                        sum: f64::from(total),
                    });
                    let label = inputs.labels[rows[start + i]] as usize;
                    if (column..column + columns).contains(&label) {
                        // SAFETY: a label lies in one stripe only.
                        unsafe { shared_targets.part(start + i, 1)[0] = logits[label - column] };
                    }
                }
            }
        });
    });
    loss.fill(0.0);
    log_sum_exp.fill(0.0);
    for (i, &row) in rows.iter().enumerate() {
        let parts = (0..stripes).map(|stripe| sums[stripe * rows.len() + i]);
        let all = parts.fold(LogSum::EMPTY, LogSum::merge);
        log_sum_exp[row] = all.value() as f32;
        loss[row] = (all.most - f64::from(targets[i]) + all.sum.ln()) as f32;
    }
}

multiversion! {
    /// Largest logit, and the sum of exponentials relative to it.
    fn log_sum(logits: &[f32]) -> [f32; 2] {
        let most = max(logits);
        let mut lanes = [0f32; LANES];
        for block in logits.chunks(LANES) {
            for (lane, &logit) in lanes.iter_mut().zip(block) {
                *lane += exp::<FMA>(logit - most);
            }
        }
        [most, fold_lanes(lanes, |a, b| a + b)]
    }
}
