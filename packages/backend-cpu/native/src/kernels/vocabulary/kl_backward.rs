//! BasicLinearKlBackward: recomputes the logits from the log-sum-exps.

use super::for_rows;
use super::kl::Inputs;
use super::softmax::{Divergence, divergence_gradients};
use crate::kernels::support::{Shared, with_scratch};

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
    let (words, rows, width) = (inputs.words(), inputs.a.len(), inputs.sizes[0]);
    let cut = words.cut(rows, 2, inputs.chunk_bytes);
    let stride = cut.stride();
    if words.count == 0 {
        dv.fill(0.0);
        return dr.fill(0.0);
    }
    let of_rows = 2 * cut.rows * width;
    with_scratch(of_rows + 2 * cut.rows * stride, |scratch| {
        let (x, logits) = scratch.split_at_mut(of_rows);
        for start in (0..rows).step_by(cut.rows) {
            let count = cut.rows.min(rows - start);
            inputs.stack(start, count, x);
            for span in words.spans(cut) {
                words.logits(&span, &x[..2 * count * width], logits, stride);
                let (v, r) = logits.split_at_mut(count * stride);
                gradients(
                    (inputs.a, saved),
                    start..start + count,
                    [v, r],
                    [stride, span.len()],
                    !dr.is_empty(),
                );
                for (out, weights) in [(&mut *dv, v), (&mut *dr, r)] {
                    if !out.is_empty() {
                        let out = &mut out[start * width..(start + count) * width];
                        words.weighted(&span, weights, stride, out, span.start > 0);
                    }
                }
            }
        }
    });
}

/// Logits of some rows to their gradients, in place; those of r where it is `refined`.
fn gradients(
    (a, saved): (&[f32], Saved),
    rows: std::ops::Range<usize>,
    logits: [&mut [f32]; 2],
    [stride, words]: [usize; 2],
    refined: bool,
) {
    let [v, r] = logits.map(Shared::new);
    for_rows(rows.len(), 2 * words, |task| {
        for i in task {
            let row = rows.start + i;
            let of = Divergence {
                scale: saved.dloss[row] * a[row],
                kl: saved.kl[row],
                lse_v: saved.lse_v[row],
                lse_r: saved.lse_r[row],
            };
            // SAFETY: tasks own disjoint rows of one length.
            unsafe {
                divergence_gradients(v.part(i * stride, words), r.part(i * stride, words), of, refined)
            };
        }
    });
}
