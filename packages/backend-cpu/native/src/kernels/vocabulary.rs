//! Tiles of logits, shared by the losses over a vocabulary. No rows x vocabulary array is ever stored.

use super::support::block;
use crate::math::tanh;
use crate::matmul::{Size, gemm, row_major, transposed};
use crate::multiversion;

/// Most rows and columns of a tile, which then stays in the second-level cache. A product packs the
/// vocabulary once per tile, so tiles want many rows.
const TILE: usize = 256;

/// Tiles of a task of the forward passes.
const TILES: usize = 2;

/// A product x Wᵀ of rows with a vocabulary, and how it is cut.
#[derive(Clone, Copy)]
pub struct Tiling {
    /// Width of a row of x and of the vocabulary.
    pub width: usize,
    pub vocabulary: usize,
    /// Rows of x.
    pub rows: usize,
    /// Rows and columns of a tile.
    pub tile: [usize; 2],
}

impl Tiling {
    /// Tiles of which `arrays` together take at most `chunk_bytes`.
    pub fn new([rows, width, vocabulary]: [usize; 3], arrays: usize, chunk_bytes: usize) -> Self {
        let floats = (chunk_bytes / size_of::<f32>() / arrays).max(1);
        let columns = vocabulary.min(TILE).min(floats).max(1);
        let tile = [(floats / columns).clamp(1, TILE), columns];
        Self {
            width,
            vocabulary,
            rows,
            tile,
        }
    }

    /// Blocks of rows.
    pub fn row_blocks(&self) -> usize {
        self.rows.div_ceil(self.tile[0])
    }

    /// First row and number of rows of a block.
    pub fn row_block(&self, i: usize) -> (usize, usize) {
        block(i, self.tile[0], self.rows)
    }

    /// Stripes of the vocabulary: what one task of a forward pass covers.
    pub fn stripes(&self) -> usize {
        self.vocabulary.div_ceil(self.tile[1] * TILES)
    }

    /// Column blocks of stripe `i`, as (first column, columns).
    pub fn stripe(&self, i: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (start, length) = block(i, self.tile[1] * TILES, self.vocabulary);
        let columns = self.tile[1];
        (0..length.div_ceil(columns)).map(move |tile| {
            let (offset, count) = block(tile, columns, length);
            (start + offset, count)
        })
    }

    /// Multiplications of one product over everything.
    pub fn work(&self) -> usize {
        self.rows * self.width * self.vocabulary
    }

    /// Logits of some rows and some columns into `out`, `out_width` elements from row to row.
    pub fn logits(
        &self,
        (x, weight): (&[f32], &[f32]),
        (row, m): (usize, usize),
        (column, n): (usize, usize),
        (out, out_width): (&mut [f32], usize),
    ) {
        let k = self.width;
        let x = (&x[row * k..(row + m) * k], row_major(k));
        let weight = (&weight[column * k..(column + n) * k], transposed(k));
        gemm(Size { m, n, k }, x, weight, (out, out_width), (0.0, 1.0), false);
    }
}

multiversion! {
    /// `softcap * tanh(logit / softcap)` in place.
    pub fn cap(logits: &mut [f32], softcap: f32) {
        for logit in logits {
            *logit = softcap * tanh::<FMA>(*logit / softcap);
        }
    }
}

/// The largest logit so far and the sum of exponentials relative to it.
#[derive(Clone, Copy)]
pub struct LogSum {
    pub most: f64,
    pub sum: f64,
}

impl LogSum {
    pub const EMPTY: Self = Self {
        most: f64::NEG_INFINITY,
        sum: 0.0,
    };

    pub fn merge(self, other: Self) -> Self {
        let (high, low) = if other.most > self.most {
            (other, self)
        } else {
            (self, other)
        };
        let factor = if low.sum == 0.0 {
            0.0
        } else {
            (low.most - high.most).exp()
        };
        Self {
            most: high.most,
            sum: high.sum + low.sum * factor,
        }
    }

    pub fn value(self) -> f64 {
        self.most + self.sum.ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripes_cover_the_vocabulary_once() {
        for (vocabulary, chunk_bytes) in [(1, 1 << 24), (1300, 1 << 24), (1300, 64), (513, 4)] {
            let tiling = Tiling::new([7, 3, vocabulary], 2, chunk_bytes);
            let columns: Vec<(usize, usize)> = (0..tiling.stripes()).flat_map(|i| tiling.stripe(i)).collect();
            let mut next = 0;
            for (start, count) in columns {
                assert_eq!(start, next);
                next += count;
            }
            assert_eq!(next, vocabulary);
            assert!(tiling.tile[0] * tiling.tile[1] * 2 * 4 <= chunk_bytes.max(8));
        }
    }

    #[test]
    fn log_sums_merge_in_any_order() {
        let part = |logit: f64| LogSum {
            most: logit,
            sum: 1.0,
        };
        let all = [part(-3.0), part(1000.0), part(999.0)];
        let expected = 1000.0 + (1.0 + (-1.0f64).exp()).ln();
        let forward = all.into_iter().fold(LogSum::EMPTY, LogSum::merge);
        let backward = all.into_iter().rev().fold(LogSum::EMPTY, LogSum::merge);
        assert!((forward.value() - expected).abs() < 1e-12);
        assert!((backward.value() - expected).abs() < 1e-12);
    }
}
