//! Rows against a vocabulary: what the losses over words share. No rows x words array is ever stored.
//!
//! A task owns a block of rows, which stand in the lanes of vectors, and walks through the words in spans: one span
//! where the vocabulary is small, else short ones that stay in the cache together with their words.

use super::tile::{MOST_LANES, products};
use super::vector::{Rows, Vector};
use crate::math::tanh;
use crate::multiversion;

/// Words of the longest vocabulary that is one span, and of a span of longer ones.
const WHOLE: usize = 4096;
const SPAN: usize = 512;

/// Words as rows of an embedding table or head.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    pub table: &'a [f32],
    pub count: usize,
    pub width: usize,
}

impl Words<'_> {
    /// Words of a span where `arrays` of its logits together take at most `chunk_bytes`.
    ///
    /// It follows from shapes alone: results do not depend on the number of threads.
    pub fn span(&self, arrays: usize, chunk_bytes: usize) -> usize {
        let fitting = chunk_bytes / (size_of::<f32>() * MOST_LANES * arrays);
        let wanted = if self.count <= WHOLE.min(fitting) {
            self.count
        } else {
            SPAN
        };
        wanted.min(fitting).max(1)
    }

    /// The rows of the table from `word` on.
    pub fn rows(&self, word: usize) -> Rows<*const f32> {
        Rows {
            start: self.table[word * self.width..].as_ptr(),
            width: self.width,
        }
    }

    /// Blocks of rows, each a task.
    pub fn blocks(rows: usize) -> usize {
        rows.div_ceil(MOST_LANES)
    }

    /// Multiplications of one product of `rows` rows with all words.
    pub fn work(&self, rows: usize) -> usize {
        rows * self.width * self.count
    }

    /// Logits of the lanes and of `count` words from `word` on: `[count, COLUMNS * LANES]`.
    ///
    /// # Safety
    /// As [`Vector`]: `lanes` is `[width, COLUMNS * LANES]`, `out` has room.
    #[inline(always)]
    pub unsafe fn logits<V: Vector, const ROWS: usize, const COLUMNS: usize>(
        &self,
        [word, count]: [usize; 2],
        lanes: &[f32],
        out: &mut [f32],
    ) {
        debug_assert!(lanes.len() >= self.width * COLUMNS * V::LANES);
        debug_assert!(out.len() >= count * COLUMNS * V::LANES);
        // SAFETY: `rows` checks the first word; the table holds `self.count` of them.
        unsafe {
            products::<V, ROWS, COLUMNS>(
                self.rows(word),
                [count, self.width],
                lanes.as_ptr(),
                1.0,
                out.as_mut_ptr(),
            );
        }
    }
}

/// Largest logit of each lane, at least `most`.
///
/// # Safety
/// As [`Vector`]; `logits` holds whole rows of lanes.
#[inline(always)]
pub unsafe fn largest<V: Vector, const COLUMNS: usize>(
    logits: &[f32],
    mut most: [V; COLUMNS],
) -> [V; COLUMNS] {
    for row in logits.chunks_exact(COLUMNS * V::LANES) {
        for (j, most) in most.iter_mut().enumerate() {
            // SAFETY: a whole row of lanes.
            *most = unsafe { V::load(row.as_ptr().add(j * V::LANES)).max(*most) };
        }
    }
    most
}

multiversion! {
    /// `softcap * tanh(logit / softcap)` in place.
    pub fn cap(logits: &mut [f32], softcap: f32) {
        for logit in logits {
            *logit = softcap * tanh::<FMA>(*logit / softcap);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::cross_entropy::{Inputs, Outputs, cross_entropy};
    use crate::kernels::cross_entropy_backward::cross_entropy_backward;

    /// Loss, log-sum-exp, slope; and both gradients for a loss gradient of 1.
    fn cross_entropies(chunk_bytes: usize, softcap: f32) -> [Vec<f32>; 5] {
        let (rows, width, count) = (37, 19, 700);
        let wave = |n: usize, step: f32| (0..n).map(|i| (i as f32 * step).sin()).collect::<Vec<f32>>();
        let (x, weight) = (wave(rows * width, 0.37), wave(count * width, 0.11));
        let labels: Vec<i32> = (0..rows as i32)
            .map(|i| if i % 5 == 0 { -100 } else { i * 18 })
            .collect();
        let inputs = Inputs {
            x: &x,
            weight: &weight,
            labels: &labels,
            width,
            vocabulary: count,
            softcap,
            chunk_bytes,
        };
        let mut out = [rows, rows, x.len(), x.len(), weight.len()].map(|n| vec![9f32; n]);
        let [loss, log_sum_exp, slope, dx, dweight] = &mut out;
        cross_entropy(
            inputs,
            Outputs {
                loss,
                log_sum_exp,
                slope,
            },
        );
        cross_entropy_backward(inputs, [&vec![1.0; rows], log_sum_exp], dx, dweight);
        out
    }

    #[test]
    fn spans_of_words_give_the_same_loss_and_slope_as_all_at_once() {
        for softcap in [0.0, 2.0] {
            let (whole, spans) = (
                cross_entropies(1 << 24, softcap),
                cross_entropies(40_000, softcap),
            );
            let [_, _, slope, dx, _] = &whole;
            let pairs = whole.iter().zip(&spans).chain([(slope, dx)]);
            for (i, (a, b)) in pairs.enumerate() {
                assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5), "result {i}");
            }
        }
    }

    #[test]
    fn spans_stay_within_the_bytes() {
        let words = |count| Words {
            table: &[],
            count,
            width: 1,
        };
        assert_eq!(words(2000).span(2, 1 << 24), 2000);
        assert_eq!(words(151_936).span(2, 1 << 24), SPAN);
        for (count, chunk_bytes) in [(1, 1 << 24), (1300, 1 << 16), (513, 4), (100_000, 1 << 14)] {
            let span = words(count).span(2, chunk_bytes);
            assert!((1..=count).contains(&span));
            assert!(span * MOST_LANES * 2 * 4 <= chunk_bytes || span == 1);
        }
    }
}
