//! Blocks of query rows, which keys their lanes see, and where those keys lie.

use super::{Layout, Sample};
use crate::kernels::vector::Rows;

/// Query rows (or the query heads of one row) that are computed side by side.
#[derive(Clone, Copy)]
pub struct Block {
    /// First element of the first lane, in queries and results, and the distance between lanes.
    pub start: usize,
    pub stride: usize,
    /// The same for the log-sum-exp.
    pub lse_start: usize,
    pub lse_stride: usize,
    /// Lanes in use.
    pub count: usize,
    /// First packed query row.
    pub row: usize,
    /// Keys of the sample that any lane sees: from, to.
    pub first: usize,
    pub last: usize,
    /// Key 0 is hidden from lanes before this one; every further key from one more. None where all see the same.
    hidden: Option<isize>,
    window: usize,
}

impl Block {
    /// Query rows `start .. start + count` of one head of a sample.
    pub fn rows(layout: &Layout, sample: Sample, h: usize, start: usize, count: usize) -> Self {
        let row = sample.query + start;
        let shift = sample.keys as isize - sample.queries as isize;
        let masked = layout.causal || layout.window > 0;
        Self {
            start: row * layout.query_width() + h * layout.head_width,
            stride: layout.query_width(),
            lse_start: row * layout.heads + h,
            lse_stride: layout.heads,
            count,
            row,
            first: layout.seen(sample, start).0,
            last: layout.seen(sample, start + count - 1).1,
            hidden: masked.then(|| -shift - start as isize),
            window: layout.window,
        }
    }

    /// The heads `h .. h + count` of the only query row of a sample.
    pub fn heads(layout: &Layout, sample: Sample, h: usize, count: usize) -> Self {
        let (first, last) = layout.seen(sample, 0);
        Self {
            start: sample.query * layout.query_width() + h * layout.head_width,
            stride: layout.head_width,
            lse_start: sample.query * layout.heads + h,
            lse_stride: 1,
            count,
            row: sample.query,
            first,
            last,
            hidden: None,
            window: 0,
        }
    }

    pub fn keys(&self) -> usize {
        self.last - self.first
    }

    /// Lanes, out of `lanes`, that see key `key` of the sample: from, to.
    #[inline(always)]
    pub fn seeing(&self, key: usize, lanes: usize) -> (usize, usize) {
        let Some(hidden) = self.hidden else {
            return (0, lanes);
        };
        let clamp = |lane: isize| lane.clamp(0, lanes as isize) as usize;
        let from = key as isize + hidden;
        let to = if self.window > 0 {
            clamp(from.saturating_add(self.window as isize))
        } else {
            lanes
        };
        (clamp(from), to)
    }
}

/// Lanes `from .. to` of a block as those of its vector `j`.
#[inline(always)]
pub fn within((from, to): (usize, usize), j: usize, lanes: usize) -> (usize, usize) {
    let part = |lane: usize| lane.saturating_sub(j * lanes).min(lanes);
    (part(from), part(to))
}

/// With fewer query rows than this, keys are read where they lie: copying costs as much as reading once more.
const FEW_QUERIES: usize = 16;
/// With fewer keys than this, they stay in caches wherever they lie.
const MANY_KEYS: usize = 512;

/// Floats of a head's keys side by side, in whole cache lines; 0 where they are read where they lie.
pub fn packed_length(layout: &Layout, sample: Sample) -> usize {
    if sample.queries < FEW_QUERIES || sample.keys < MANY_KEYS {
        0
    } else {
        (sample.keys * layout.head_width).next_multiple_of(16)
    }
}

/// The rows of a sample's keys in `data` that head `h` reads. Row 0 is the sample's first key.
///
/// They are copied to `packed` unless that is empty. Heads lie between each other: rows of one head are far apart, which
/// costs a page of memory each, and cache lines that fall on each other where the distance is a power of two.
pub fn keys_of(
    layout: &Layout,
    sample: Sample,
    h: usize,
    data: &[f32],
    packed: &mut [f32],
) -> Rows<*const f32> {
    let (start, distance, width) = (
        layout.key_start(sample.key, h),
        layout.key_width(),
        layout.head_width,
    );
    if packed.is_empty() {
        return Rows {
            start: data.as_ptr().wrapping_add(start),
            width: distance,
        };
    }
    for (key, row) in packed.chunks_exact_mut(width).take(sample.keys).enumerate() {
        row.copy_from_slice(&data[start + key * distance..][..width]);
    }
    Rows {
        start: packed.as_ptr(),
        width,
    }
}
