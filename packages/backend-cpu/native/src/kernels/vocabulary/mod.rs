//! Rows against a vocabulary: what the losses over words share. No rows x words array is ever stored.
//!
//! A block of rows walks through the words in spans: logits by one product, a softmax pass over them in place, then
//! the products that need the probabilities. Sums of earlier spans are kept relative to the largest logit so far.

pub mod cross_entropy;
pub mod cross_entropy_backward;
pub mod kl;
pub mod kl_backward;
mod softmax;

use std::ops::Range;

use super::support::{block, tasks};
use crate::math::tanh;
use crate::matmul::{Size, gemm, row_major, transposed};
use crate::multiversion;

/// Words of the longest vocabulary that is one span, and of a span of longer ones.
const WHOLE: usize = 4096;
const SPAN: usize = 512;
/// Most bytes of logits: more are no faster.
const LOGITS: usize = 8 << 20;
/// Elements of a block's rows, and the least rows of a block that may have more.
const BLOCK: usize = 1 << 20;
const LEAST_ROWS: usize = 64;
/// Rows of logits lie this much further apart than their words, so that they do not share lines of the cache.
const GAP: usize = 16;
/// Rows that a task passes over.
const TASK: usize = 8;
/// Multiply-adds that take as long as the pass over a logit.
const PASS: usize = 24;

/// Factors of what an output held and of a product: it replaces that, or is added to it.
const REPLACE: (f32, f32) = (0.0, 1.0);
const ADD: (f32, f32) = (1.0, 1.0);

/// Words as rows of an embedding table or head.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    pub table: &'a [f32],
    pub count: usize,
    pub width: usize,
}

/// How rows and words are cut. It follows from shapes alone: results do not depend on the number of threads.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// Rows of a block.
    pub rows: usize,
    /// Words of a span.
    pub span: usize,
}

impl Cut {
    /// Elements from row to row of logits.
    pub fn stride(self) -> usize {
        self.span + GAP
    }
}

impl<'a> Words<'a> {
    /// Blocks and spans whose logits, `arrays` for each row, take at most `chunk_bytes` (or one logit each).
    pub fn cut(&self, rows: usize, arrays: usize, chunk_bytes: usize) -> Cut {
        let fitting = chunk_bytes.min(LOGITS) / (size_of::<f32>() * arrays);
        let wanted = if self.count <= WHOLE { self.count } else { SPAN };
        let span = wanted.min(fitting.saturating_sub(GAP)).max(1);
        let most = (BLOCK / self.width.max(1)).max(LEAST_ROWS);
        let rows = rows.min(fitting / (span + GAP)).clamp(1, most);
        Cut { rows, span }
    }

    /// Calls `body` with each span of words.
    pub fn spans(&self, cut: Cut) -> impl Iterator<Item = Range<usize>> + use<> {
        let count = self.count;
        (0..count)
            .step_by(cut.span)
            .map(move |word| word..(word + cut.span).min(count))
    }

    fn of(&self, words: &Range<usize>) -> &'a [f32] {
        &self.table[words.start * self.width..words.end * self.width]
    }

    /// Logits of rows x `[M, D]`: `out[i, w] = x_i . word w`, rows `stride` apart.
    pub fn logits(&self, words: &Range<usize>, x: &[f32], out: &mut [f32], stride: usize) {
        let size = Size {
            m: x.len() / self.width.max(1),
            n: words.len(),
            k: self.width,
        };
        let table = (self.of(words), transposed(self.width));
        gemm(
            size,
            (x, row_major(self.width)),
            table,
            (out, stride),
            REPLACE,
            true,
        );
    }

    /// `out_i = sum over words of weights[i, w] word w (+ out_i)` for `[M, D]` rows of out; weights `stride` apart.
    pub fn weighted(&self, words: &Range<usize>, weights: &[f32], stride: usize, out: &mut [f32], add: bool) {
        let size = Size {
            m: out.len() / self.width.max(1),
            n: self.width,
            k: words.len(),
        };
        let table = (self.of(words), row_major(self.width));
        let scale = if add { ADD } else { REPLACE };
        gemm(
            size,
            (weights, row_major(stride)),
            table,
            (out, self.width),
            scale,
            true,
        );
    }

    /// `out_w = sum over rows of weights[i, w] x_i (+ out_w)` for the words of a span; out is as large as the table.
    pub fn outer(
        &self,
        words: &Range<usize>,
        weights: (&[f32], usize),
        x: &[f32],
        out: &mut [f32],
        add: bool,
    ) {
        let size = Size {
            m: words.len(),
            n: self.width,
            k: x.len() / self.width.max(1),
        };
        let out = &mut out[words.start * self.width..words.end * self.width];
        let weights = (weights.0, transposed(weights.1));
        let scale = if add { ADD } else { REPLACE };
        gemm(
            size,
            weights,
            (x, row_major(self.width)),
            (out, self.width),
            scale,
            true,
        );
    }
}

/// Calls `body` with groups of rows, each with `logits` to pass over, on all threads.
fn for_rows(rows: usize, logits: usize, body: impl Fn(Range<usize>) + Sync + Send) {
    tasks(rows.div_ceil(TASK), rows * logits * PASS, |task| {
        let (start, count) = block(task, TASK, rows);
        body(start..start + count);
    });
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
mod tests;
