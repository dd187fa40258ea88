//! BasicLinearCrossEntropy: the loss, and the gradient of each row by the way where it will be needed.

use std::borrow::Cow;
use std::ops::Range;

use super::softmax::{Total, exponentials, largest, scale};
use super::{Cut, Words, cap, for_rows};
use crate::kernels::support::{Shared, with_scratch};

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

    pub fn words(&self) -> Words<'a> {
        Words {
            table: self.weight,
            count: self.vocabulary,
            width: self.width,
        }
    }

    /// The slope of the cap at a capped logit.
    pub fn slope_of_cap(&self, capped: f32) -> f32 {
        let bounded = if self.softcap > 0.0 {
            capped / self.softcap
        } else {
            0.0
        };
        1.0 - bounded * bounded
    }
}

/// Results of the forward pass: loss [R], log-sum-exp [R], and d loss / d x [R, D] or nothing.
pub struct Outputs<'a> {
    pub loss: &'a mut [f32],
    pub log_sum_exp: &'a mut [f32],
    /// Empty where it is not wanted. A row of it times the gradient of its loss is the gradient of x.
    pub slope: &'a mut [f32],
}

/// `loss = log-sum-exp - logit of the label` per row; all are 0 where the label is ignored.
pub fn cross_entropy(inputs: Inputs, out: Outputs) {
    let Supervised { rows, x } = inputs.supervised();
    let (words, width) = (inputs.words(), inputs.width);
    out.loss.fill(0.0);
    out.log_sum_exp.fill(0.0);
    out.slope.fill(0.0);
    let cut = words.cut(rows.len(), 1, inputs.chunk_bytes);
    let of_slope = if out.slope.is_empty() { 0 } else { cut.rows * width };
    with_scratch(cut.rows * cut.stride() + of_slope, |scratch| {
        let (logits, slope) = scratch.split_at_mut(cut.rows * cut.stride());
        for (block, rows) in rows.chunks(cut.rows).enumerate() {
            let first = block * cut.rows;
            let mut block = Block {
                inputs,
                cut,
                rows,
                x: &x[first * width..(first + rows.len()) * width],
                states: vec![State::EMPTY; rows.len()],
            };
            let slope = if of_slope == 0 {
                &mut *slope
            } else {
                &mut slope[..rows.len() * width]
            };
            block.run(logits, slope);
            block.store(
                slope,
                &mut [&mut *out.loss, &mut *out.log_sum_exp, &mut *out.slope],
            );
        }
    });
}

/// Of one row: the sum of exponentials over the words so far, and the logit of the label.
#[derive(Clone, Copy)]
struct State {
    total: Total,
    target: f32,
}

impl State {
    const EMPTY: Self = Self {
        total: Total::EMPTY,
        target: 0.0,
    };
}

/// Some rows that have a label.
struct Block<'a> {
    inputs: Inputs<'a>,
    cut: Cut,
    rows: &'a [usize],
    x: &'a [f32],
    states: Vec<State>,
}

impl Block<'_> {
    /// Goes through all words. `slope`, unless empty, becomes the sum of exponentials times words.
    fn run(&mut self, logits: &mut [f32], slope: &mut [f32]) {
        let (words, stride) = (self.inputs.words(), self.cut.stride());
        for span in words.spans(self.cut) {
            words.logits(&span, self.x, logits, stride);
            let earlier: &mut [f32] = if span.start > 0 { &mut *slope } else { &mut [] };
            self.exponentials(logits, &span, earlier);
            if !slope.is_empty() {
                words.weighted(&span, logits, stride, slope, span.start > 0);
            }
        }
    }

    /// Logits to exponentials relative to the largest so far, times the slope of the cap. `sums` are earlier ones.
    fn exponentials(&mut self, logits: &mut [f32], span: &Range<usize>, sums: &mut [f32]) {
        let (width, stride, softcap) = (self.inputs.width, self.cut.stride(), self.inputs.softcap);
        let (logits, sums, states) = (
            Shared::new(logits),
            Shared::new(sums),
            Shared::new(&mut self.states),
        );
        for_rows(self.rows.len(), span.len(), |task| {
            for i in task {
                // SAFETY: tasks own disjoint rows.
                let (logits, state) =
                    unsafe { (logits.part(i * stride, span.len()), &mut states.part(i, 1)[0]) };
                if softcap > 0.0 {
                    cap(logits, softcap);
                }
                let label = self.inputs.labels[self.rows[i]] as usize;
                if span.contains(&label) {
                    state.target = logits[label - span.start];
                }
                let factor = state.total.raise(largest(logits, state.total.most));
                // SAFETY: as above; dispatched by what the CPU has.
                unsafe {
                    if sums.length() > 0 && factor != 1.0 {
                        scale(sums.part(i * width, width), factor);
                    }
                    exponentials(logits, softcap, &mut state.total);
                }
            }
        });
    }

    /// Writes loss, log-sum-exp and slope of the rows.
    fn store(&self, slope: &mut [f32], [loss, log_sum_exp, out]: &mut [&mut [f32]; 3]) {
        let (inputs, width) = (self.inputs, self.inputs.width);
        for (i, (&row, State { total, target })) in self.rows.iter().zip(&self.states).enumerate() {
            log_sum_exp[row] = total.log_sum_exp();
            loss[row] = (f64::from(total.most) - f64::from(*target) + total.sum.ln()) as f32;
            if slope.is_empty() {
                continue;
            }
            let word = inputs.labels[row] as usize * width;
            let (by, of_cap) = (total.inverse(), inputs.slope_of_cap(*target));
            let out = out[row * width..(row + 1) * width].iter_mut();
            let sums = slope[i * width..(i + 1) * width].iter();
            for ((out, sum), word) in out.zip(sums).zip(&inputs.weight[word..word + width]) {
                *out = sum * by - of_cap * word;
            }
        }
    }
}
