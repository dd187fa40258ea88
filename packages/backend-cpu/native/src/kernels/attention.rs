//! BasicAttention, BasicAttentionReceived and BasicAttentionBackward: exact softmax over blocks of query rows.
//!
//! A block holds at most 32 query rows and one score for each of them and each key: memory grows with the rows,
//! never with rows times rows. Blocks skip the keys that none of their queries sees.

mod backward;
mod cached;
mod forward;
mod lanes;

pub use backward::{Saved, attention_backward};
pub use cached::{Cache, CachedRows, cached_attention};
pub use forward::{Counting, Outputs, attention};

/// Shapes and masks of one call. Rows of queries and keys are packed by the offsets.
pub struct Layout<'a> {
    pub query_offsets: &'a [i32],
    pub key_offsets: &'a [i32],
    /// Key rows of each sample, where there are others between samples; empty: all up to the next sample.
    pub key_counts: &'a [i32],
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
            keys: match self.key_counts.get(b) {
                Some(&count) => count as usize,
                None => self.key_offsets[b + 1] as usize - key,
            },
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

    /// First element of the key head of query head `h` at packed row `row`.
    pub fn key_start(&self, row: usize, h: usize) -> usize {
        row * self.key_width() + h / (self.heads / self.key_heads) * self.head_width
    }
}

#[cfg(test)]
#[path = "attention/tests.rs"]
mod plain_tests;

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(causal: bool, window: usize) -> Layout<'static> {
        Layout {
            query_offsets: &[0, 3],
            key_offsets: &[0, 5],
            key_counts: &[],
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
