//! BasicLinearCrossEntropyBackward: recomputes the logits from the log-sum-exp.

use std::ops::Range;

use super::cross_entropy::{Inputs, Supervised};
use super::softmax::probabilities;
use super::{cap, for_rows};
use crate::kernels::support::{Shared, with_scratch};
use crate::math::exp;
use crate::simd::BASELINE_FMA;

/// Gradients of x and of the weight, each where its slice is not empty.
pub fn cross_entropy_backward(
    inputs: Inputs,
    [dloss, log_sum_exp]: [&[f32]; 2],
    dx: &mut [f32],
    dweight: &mut [f32],
) {
    let Supervised { rows, x } = inputs.supervised();
    let (words, width) = (inputs.words(), inputs.width);
    dx.fill(0.0);
    if rows.is_empty() {
        return dweight.fill(0.0);
    }
    let cut = words.cut(rows.len(), 1, inputs.chunk_bytes);
    let stride = cut.stride();
    let of_dx = if dx.is_empty() { 0 } else { cut.rows * width };
    with_scratch(cut.rows * stride + of_dx, |scratch| {
        let (logits, sums) = scratch.split_at_mut(cut.rows * stride);
        for (block, rows) in rows.chunks(cut.rows).enumerate() {
            let first = block * cut.rows;
            let x = &x[first * width..(first + rows.len()) * width];
            let call = Call {
                inputs,
                rows,
                dloss,
                log_sum_exp,
            };
            for span in words.spans(cut) {
                words.logits(&span, x, logits, stride);
                call.gradients(logits, stride, &span);
                if of_dx > 0 {
                    let sums = &mut sums[..x.len()];
                    words.weighted(&span, logits, stride, sums, span.start > 0);
                }
                if !dweight.is_empty() {
                    words.outer(&span, (logits, stride), x, dweight, first > 0);
                }
            }
            if of_dx > 0 {
                for (&row, sums) in rows.iter().zip(sums.chunks_exact(width)) {
                    dx[row * width..(row + 1) * width].copy_from_slice(sums);
                }
            }
        }
    });
}

struct Call<'a> {
    inputs: Inputs<'a>,
    rows: &'a [usize],
    dloss: &'a [f32],
    log_sum_exp: &'a [f32],
}

impl Call<'_> {
    /// Logits to their gradients, in place: `dloss * (p - onehot) * slope of the cap`.
    fn gradients(&self, logits: &mut [f32], stride: usize, span: &Range<usize>) {
        let softcap = self.inputs.softcap;
        let logits = Shared::new(logits);
        for_rows(self.rows.len(), span.len(), |task| {
            for i in task {
                // SAFETY: tasks own disjoint rows.
                let logits = unsafe { logits.part(i * stride, span.len()) };
                if softcap > 0.0 {
                    cap(logits, softcap);
                }
                let row = self.rows[i];
                let (scale, lse) = (self.dloss[row], self.log_sum_exp[row]);
                let label = self.inputs.labels[row] as usize;
                let target = span.contains(&label).then(|| logits[label - span.start]);
                // SAFETY: dispatched by what the CPU has.
                unsafe { probabilities(logits, softcap, lse, scale) };
                if let Some(target) = target {
                    // p - 1 before it is scaled: 1 is not lost where p is small.
                    let rest = exp::<BASELINE_FMA>(target - lse) - 1.0;
                    logits[label - span.start] = scale * rest * self.inputs.slope_of_cap(target);
                }
            }
        });
    }
}
