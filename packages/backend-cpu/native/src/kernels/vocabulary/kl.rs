//! BasicLinearKl: KL(softmax(r Eᵀ) || softmax(v Eᵀ)), and its gradient by the way where it will be needed.

use super::softmax::{Pair, Total, difference, largest, pair_exponentials, scale};
use super::{Cut, Words, for_rows};
use crate::kernels::support::{Shared, with_scratch};

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

impl<'a> Inputs<'a> {
    pub fn words(&self) -> Words<'a> {
        Words {
            table: self.vocabulary,
            count: self.sizes[1],
            width: self.sizes[0],
        }
    }

    /// Rows `start .. start + count` of v, then those of r: one product gives the logits of both.
    pub fn stack(&self, start: usize, count: usize, out: &mut [f32]) {
        let width = self.sizes[0];
        let (v, r) = out[..2 * count * width].split_at_mut(count * width);
        v.copy_from_slice(&self.v[start * width..(start + count) * width]);
        r.copy_from_slice(&self.r[start * width..(start + count) * width]);
    }
}

/// Results of the forward pass: one value per row, and d kl / d v [N, D] or nothing.
pub struct Outputs<'a> {
    pub loss: &'a mut [f32],
    pub kl: &'a mut [f32],
    pub lse_v: &'a mut [f32],
    pub lse_r: &'a mut [f32],
    /// Empty where it is not wanted. A row of it times `a` and the gradient of its loss is the gradient of v.
    pub slope: &'a mut [f32],
}

/// Sums over the words so far of one row, relative to its largest logits.
#[derive(Clone, Copy)]
struct State {
    /// Of v and of r.
    totals: [Total; 2],
    /// Sum of `exp(r - most r) ((r - most r) - (v - most v))`.
    cross: f64,
}

impl State {
    const EMPTY: Self = Self {
        totals: [Total::EMPTY; 2],
        cross: 0.0,
    };

    /// Makes it relative to logits that are at least as large. Returns what sums so far had to be multiplied by.
    fn raise(&mut self, most: [f32; 2]) -> [f32; 2] {
        let [v, r] = &mut self.totals;
        let moved = f64::from(r.most - most[1]) - f64::from(v.most - most[0]);
        let factors = [v.raise(most[0]), r.raise(most[1])];
        // Nothing has been summed before the first span, where `moved` is not a number.
        if r.sum == 0.0 {
            self.cross = 0.0;
        } else {
            self.cross = f64::from(factors[1]) * self.cross + r.sum * moved;
        }
        factors
    }

    /// Never below 0, which only rounding could cause.
    fn divergence(self) -> f64 {
        let [v, r] = self.totals;
        let kl = self.cross / r.sum - r.sum.ln() + v.sum.ln();
        if kl < 0.0 { 0.0 } else { kl }
    }
}

/// `kl` and `loss = a * kl` per row, with both log-sum-exps.
pub fn linear_kl(inputs: Inputs, out: Outputs) {
    let (words, rows, width) = (inputs.words(), inputs.a.len(), inputs.sizes[0]);
    let cut = words.cut(rows, 2, inputs.chunk_bytes);
    let needs_slope = !out.slope.is_empty();
    let (of_rows, of_logits) = (2 * cut.rows * width, 2 * cut.rows * cut.stride());
    let of_sums = if needs_slope && cut.span < words.count {
        of_rows
    } else {
        0
    };
    with_scratch(of_rows + of_logits + of_sums, |scratch| {
        let (x, rest) = scratch.split_at_mut(of_rows);
        let (logits, sums) = rest.split_at_mut(of_logits);
        for start in (0..rows).step_by(cut.rows) {
            let count = cut.rows.min(rows - start);
            inputs.stack(start, count, x);
            let mut block = Block {
                words,
                cut,
                x: &x[..2 * count * width],
                states: vec![State::EMPTY; count],
            };
            if needs_slope {
                let slope = &mut out.slope[start * width..(start + count) * width];
                block.with_slope(logits, sums, slope);
            } else {
                block.without_slope(logits);
            }
            for (i, state) in block.states.iter().enumerate() {
                let (row, divergence) = (start + i, state.divergence());
                out.kl[row] = divergence as f32;
                out.loss[row] = (f64::from(inputs.a[row]) * divergence) as f32;
                [out.lse_v[row], out.lse_r[row]] = state.totals.map(Total::log_sum_exp);
            }
        }
    });
}

/// What logits become.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stored {
    Nothing,
    Exponentials,
    /// Those of v to `p - q`: for a span of all words.
    Differences,
}

/// Some rows of v and, behind them, those of r.
struct Block<'a> {
    words: Words<'a>,
    cut: Cut,
    x: &'a [f32],
    states: Vec<State>,
}

impl Block<'_> {
    fn without_slope(&mut self, logits: &mut [f32]) {
        for span in self.words.spans(self.cut) {
            self.words.logits(&span, self.x, logits, self.cut.stride());
            self.exponentials(logits, span.len(), Stored::Nothing, &mut []);
        }
    }

    /// Also the divergence's gradient; `sums` has room for two of it where there are several spans.
    fn with_slope(&mut self, logits: &mut [f32], sums: &mut [f32], slope: &mut [f32]) {
        let (words, width, stride) = (self.words, self.words.width, self.cut.stride());
        if self.cut.span >= words.count {
            // All words at once: the difference of the probabilities needs one product, not two.
            let all = 0..words.count;
            words.logits(&all, self.x, logits, stride);
            self.exponentials(logits, words.count, Stored::Differences, &mut []);
            return words.weighted(&all, logits, stride, slope, false);
        }
        let sums = &mut sums[..self.x.len()];
        for span in words.spans(self.cut) {
            words.logits(&span, self.x, logits, stride);
            let earlier: &mut [f32] = if span.start > 0 { &mut *sums } else { &mut [] };
            self.exponentials(logits, span.len(), Stored::Exponentials, earlier);
            words.weighted(&span, logits, stride, sums, span.start > 0);
        }
        let (of_v, of_r) = sums.split_at_mut(slope.len());
        let rows = of_v.chunks_exact_mut(width).zip(of_r.chunks_exact(width));
        for ((v, r), state) in rows.zip(&self.states) {
            // SAFETY: both rows have one length; dispatched by what the CPU has.
            unsafe { difference(v, r, state.totals.map(Total::inverse)) };
        }
        slope.copy_from_slice(of_v);
    }

    /// Takes logits of `count` words into the states, relative to the largest so far, and stores what is wanted of
    /// them in place. `sums` are earlier exponentials, weighted with words, or empty.
    fn exponentials(&mut self, logits: &mut [f32], count: usize, wanted: Stored, sums: &mut [f32]) {
        let (rows, width, stride) = (self.states.len(), self.words.width, self.cut.stride());
        let (logits, sums, states) = (
            Shared::new(logits),
            Shared::new(sums),
            Shared::new(&mut self.states),
        );
        for_rows(rows, 2 * count, |task| {
            for i in task {
                let places = [i, rows + i];
                // SAFETY: tasks own disjoint rows, of one length; dispatched by what the CPU has.
                unsafe {
                    let state = &mut states.part(i, 1)[0];
                    let [v, r] = places.map(|row| logits.part(row * stride, count));
                    let [most_v, most_r] = state.totals.map(|total| total.most);
                    let factors = state.raise([largest(v, most_v), largest(r, most_r)]);
                    for (row, factor) in places.into_iter().zip(factors) {
                        if sums.length() > 0 && factor != 1.0 {
                            scale(sums.part(row * width, width), factor);
                        }
                    }
                    pair_exponentials(Pair {
                        v: &mut *v,
                        r: &mut *r,
                        totals: &mut state.totals,
                        cross: &mut state.cross,
                        stored: wanted != Stored::Nothing,
                    });
                    if wanted == Stored::Differences {
                        difference(v, r, state.totals.map(Total::inverse));
                    }
                }
            }
        });
    }
}
