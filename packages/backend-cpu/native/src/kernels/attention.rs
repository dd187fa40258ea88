//! BasicAttention and BasicAttentionReceived: exact softmax over blocks of query rows.
//!
//! A task owns one (sample, query head) and keeps at most `SCORES` scores (one row where a sample has more keys).

use super::support::{Columns, Shared, block, multiply_into, tasks, with_scratch};
use crate::math::{exp, tanh};
use crate::matmul::{Size, Strides, gemm, row_major, transposed};
use crate::multiversion;
use crate::simd::{max, sum};

/// Scores that a task holds at once.
const SCORES: usize = 1 << 15;

/// Most query rows of a block: small, so that a causal block computes few scores that nobody sees.
const BLOCK: usize = 32;

/// Shapes and masks of one call. Rows of queries and keys are packed by the offsets.
pub struct Layout<'a> {
    pub query_offsets: &'a [i32],
    pub key_offsets: &'a [i32],
    pub heads: usize,
    pub key_heads: usize,
    pub head_width: usize,
    pub scale: f32,
    pub causal: bool,
    /// 0: none.
    pub window: usize,
    /// 0: none.
    pub softcap: f32,
}

/// One sample: first query row, query rows, first key row, key rows.
#[derive(Clone, Copy)]
pub struct Sample {
    pub query: usize,
    pub queries: usize,
    pub key: usize,
    pub keys: usize,
}

impl Layout<'_> {
    pub fn samples(&self) -> usize {
        self.query_offsets.len() - 1
    }

    pub fn sample(&self, b: usize) -> Sample {
        let (query, key) = (self.query_offsets[b] as usize, self.key_offsets[b] as usize);
        Sample {
            query,
            queries: self.query_offsets[b + 1] as usize - query,
            key,
            keys: self.key_offsets[b + 1] as usize - key,
        }
    }

    /// Keys that query row `t` of the sample sees: from, to. The last query stands at the last key.
    pub fn seen(&self, sample: Sample, t: usize) -> (usize, usize) {
        let end = (t + 1 + sample.keys).saturating_sub(sample.queries);
        let to = if self.causal || self.window > 0 {
            end.min(sample.keys)
        } else {
            sample.keys
        };
        let from = if self.window > 0 {
            end.saturating_sub(self.window)
        } else {
            0
        };
        (from.min(to), to)
    }

    /// Query rows of a block where a sample has `keys` keys.
    pub fn block_rows(&self, keys: usize) -> usize {
        (SCORES / keys.max(1)).clamp(1, BLOCK)
    }

    /// Most floats that the scores of one block take.
    pub fn block_scores(&self) -> usize {
        let scores = |b| {
            let Sample { keys, queries, .. } = self.sample(b);
            self.block_rows(keys).min(queries) * keys
        };
        (0..self.samples()).map(scores).max().unwrap_or(0)
    }

    /// Scalar operations of the forward pass, for deciding on threads.
    pub fn work(&self) -> usize {
        let pairs = |b| {
            let Sample { keys, queries, .. } = self.sample(b);
            keys * queries
        };
        (0..self.samples()).map(pairs).sum::<usize>() * self.heads * self.head_width * 2
    }

    pub fn query_width(&self) -> usize {
        self.heads * self.head_width
    }

    pub fn key_width(&self) -> usize {
        self.key_heads * self.head_width
    }

    /// Columns of query head `h` from packed row `row` on.
    pub fn query_head<'a>(&self, data: &'a [f32], row: usize, h: usize) -> (&'a [f32], Strides) {
        let start = row * self.query_width() + h * self.head_width;
        (data.get(start..).unwrap_or(&[]), row_major(self.query_width()))
    }

    /// First element of the key head of query head `h` at packed row `row`.
    pub fn key_start(&self, row: usize, h: usize) -> usize {
        row * self.key_width() + h / (self.heads / self.key_heads) * self.head_width
    }
}

/// Which probabilities `received` counts.
pub struct Counting<'a> {
    /// Per packed query row: 1 where it counts.
    pub counts_as_text: &'a [i32],
    /// Per packed key row: first packed query row that counts for it.
    pub receive_from: &'a [i32],
    pub received: &'a mut [f32],
}

/// Results of the forward pass: y [Rq, H * w], log-sum-exp [Rq, H].
pub struct Outputs<'a> {
    pub y: &'a mut [f32],
    pub log_sum_exp: &'a mut [f32],
}

/// Softmax attention of packed rows. A query that sees no key gets 0 in both outputs.
pub fn attention(layout: &Layout, [q, k, v]: [&[f32]; 3], out: Outputs, counting: Option<Counting>) {
    let heads = layout.heads;
    let key_rows = k.len() / layout.key_width().max(1);
    let (counts, from, received) = match counting {
        Some(Counting {
            counts_as_text,
            receive_from,
            received,
        }) => (counts_as_text, receive_from, received),
        None => (&[] as &[i32], &[] as &[i32], &mut [] as &mut [f32]),
    };
    // One row of sums per head, added in order at the end: equal results for any number of threads.
    let mut sums = vec![0f32; if from.is_empty() { 0 } else { heads * key_rows }];
    let (y, log_sum_exp) = (Shared::new(out.y), Shared::new(out.log_sum_exp));
    let head_sums = Shared::new(&mut sums);
    let scores = layout.block_scores();
    tasks(layout.samples() * heads, layout.work(), |task| {
        let (sample, h) = (layout.sample(task / heads), task % heads);
        // SAFETY: a task alone owns the key rows of its sample in its head's row.
        let sums =
            (!from.is_empty()).then(|| unsafe { head_sums.part(h * key_rows + sample.key, sample.keys) });
        let mut head = Head {
            layout,
            sample,
            h,
            q,
            k,
            v,
            counts,
            from,
            sums,
        };
        with_scratch(scores, |scores| {
            let rows = layout.block_rows(sample.keys);
            for i in 0..sample.queries.div_ceil(rows) {
                let (start, count) = block(i, rows, sample.queries);
                head.block(start, count, scores, (y, log_sum_exp));
            }
        });
    });
    for (j, sum) in received.iter_mut().enumerate() {
        *sum = (0..heads).map(|h| sums[h * key_rows + j]).sum();
    }
}

/// One query head of one sample.
struct Head<'a> {
    layout: &'a Layout<'a>,
    sample: Sample,
    h: usize,
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
    counts: &'a [i32],
    from: &'a [i32],
    sums: Option<&'a mut [f32]>,
}

impl Head<'_> {
    /// Query rows `start .. start + count` of the sample.
    fn block(&mut self, start: usize, count: usize, scores: &mut [f32], (y, lse): (Shared, Shared)) {
        let Self {
            layout, sample, h, ..
        } = *self;
        let (first, _) = layout.seen(sample, start);
        let (_, last) = layout.seen(sample, start + count - 1);
        let (keys, width, row) = (last - first, layout.head_width, sample.query + start);
        let key = layout.key_start(sample.key + first, h);
        let (k, v) = (self.k.get(key..).unwrap_or(&[]), self.v.get(key..).unwrap_or(&[]));
        let q = layout.query_head(self.q, row, h);
        let size = Size {
            m: count,
            n: keys,
            k: width,
        };
        gemm(
            size,
            q,
            (k, transposed(layout.key_width())),
            (scores, keys),
            (0.0, layout.scale),
            false,
        );
        for i in 0..count {
            let (from, to) = layout.seen(sample, start + i);
            let row_scores = &mut scores[i * keys..(i + 1) * keys];
            let value = normalise(row_scores, from - first, to - first, layout.softcap);
            // SAFETY: one task per (sample, head), so this element is its own.
            unsafe { lse.part((row + i) * layout.heads + h, 1)[0] = value };
            if let (Some(sums), true) = (self.sums.as_deref_mut(), self.counts.get(row + i) == Some(&1)) {
                let from = &self.from[sample.key + first..sample.key + last];
                receive(row_scores, from, row + i, &mut sums[first..last]);
            }
        }
        let columns = Columns {
            out: y,
            start: row * layout.query_width() + h * width,
            width: layout.query_width(),
        };
        let size = Size {
            m: count,
            n: width,
            k: keys,
        };
        let v = (v, row_major(layout.key_width()));
        // SAFETY: as above.
        unsafe { multiply_into(size, (scores, row_major(keys)), v, columns, 1.0, false) };
    }
}

multiversion! {
    /// Scores to probabilities in `from .. to`, 0 elsewhere. Returns the log-sum-exp.
    fn normalise(scores: &mut [f32], from: usize, to: usize, softcap: f32) -> f32 {
        scores[..from].fill(0.0);
        scores[to..].fill(0.0);
        let seen = &mut scores[from..to];
        if seen.is_empty() {
            return 0.0;
        }
        if softcap > 0.0 {
            seen.iter_mut().for_each(|score| *score = softcap * tanh::<FMA>(*score / softcap));
        }
        let most = max(seen);
        seen.iter_mut().for_each(|score| *score = exp::<FMA>(*score - most));
        let sum = sum(seen);
        let factor = 1.0 / sum;
        seen.iter_mut().for_each(|score| *score *= factor);
        most + sum.ln()
    }
}

multiversion! {
    /// Adds a row of probabilities to the keys that receive from packed query row `row`.
    fn receive(probabilities: &[f32], from: &[i32], row: usize, sums: &mut [f32]) {
        let row = row as i32;
        for ((sum, &p), &from) in sums.iter_mut().zip(probabilities).zip(from) {
            *sum += if from <= row { p } else { 0.0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(causal: bool, window: usize) -> Layout<'static> {
        Layout {
            query_offsets: &[0, 3],
            key_offsets: &[0, 5],
            heads: 2,
            key_heads: 1,
            head_width: 1,
            scale: 1.0,
            causal,
            window,
            softcap: 0.0,
        }
    }

    #[test]
    fn the_last_query_stands_at_the_last_key() {
        let seen = |layout: Layout| [0, 1, 2].map(|t| layout.seen(layout.sample(0), t));
        assert_eq!(seen(layout(true, 0)), [(0, 3), (0, 4), (0, 5)]);
        assert_eq!(seen(layout(true, 2)), [(1, 3), (2, 4), (3, 5)]);
        assert_eq!(seen(layout(false, 0)), [(0, 5); 3]);
    }

    #[test]
    fn queries_before_the_first_key_see_nothing() {
        let few = Layout {
            key_offsets: &[0, 1],
            ..layout(true, 0)
        };
        assert_eq!(
            [0, 1, 2].map(|t| few.seen(few.sample(0), t)),
            [(0, 0), (0, 0), (0, 1)]
        );
    }

    #[test]
    fn received_sums_over_heads_and_counted_rows() {
        let (mut y, mut log_sum_exp, mut received) = ([0.0; 6], [0.0; 6], [9.0; 5]);
        let (counts_as_text, receive_from) = (&[1, 0, 1], &[0, 1, 2, 3, 0]);
        let out = Outputs {
            y: &mut y,
            log_sum_exp: &mut log_sum_exp,
        };
        let counting = Counting {
            counts_as_text,
            receive_from,
            received: &mut received,
        };
        attention(
            &layout(false, 0),
            [&[0.0; 6], &[1.0; 5], &[2.0; 5]],
            out,
            Some(counting),
        );
        // Every probability is 1/5; two heads; rows 0 and 2 count.
        let expected = [0.8, 0.4, 0.4, 0.0, 0.8];
        assert!(
            received
                .iter()
                .zip(expected)
                .all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-6)
        );
        assert!(y.iter().all(|y| (y - 2.0).abs() < 1e-6));
    }
}
