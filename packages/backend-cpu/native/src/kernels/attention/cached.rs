//! Attention over rows in buffers, which new rows are written to first.

use super::{Layout, Outputs, attention};

/// Keys and values of earlier rows: [samples, room, key heads * w].
pub struct Cache<'a> {
    pub keys: &'a mut [f32],
    pub values: &'a mut [f32],
}

/// Which rows go where, and how they are seen.
#[derive(Clone, Copy)]
pub struct CachedRows<'a> {
    /// New rows of each sample.
    pub offsets: &'a [i32],
    /// Rows that the buffers hold of each sample.
    pub starts: &'a [i32],
    /// Rows of room for each sample.
    pub room: usize,
    pub heads: usize,
    pub key_heads: usize,
    pub head_width: usize,
    pub scale: f32,
    /// 0: none.
    pub window: usize,
    /// 0: none.
    pub softcap: f32,
}

impl CachedRows<'_> {
    pub fn key_width(&self) -> usize {
        self.key_heads * self.head_width
    }

    /// New rows of sample s: first and number.
    fn rows(&self, s: usize) -> (usize, usize) {
        let first = self.offsets[s] as usize;
        (first, self.offsets[s + 1] as usize - first)
    }

    /// Copies rows to their places in a buffer.
    fn write(&self, rows: &[f32], buffer: &mut [f32]) {
        let width = self.key_width();
        for (s, &start) in self.starts.iter().enumerate() {
            let ((first, count), row) = (self.rows(s), s * self.room + start as usize);
            buffer[row * width..][..count * width].copy_from_slice(&rows[first * width..][..count * width]);
        }
    }
}

/// Writes k and v to the buffers from `starts` on; y of q over all rows up to there.
pub fn cached_attention(rows: &CachedRows, [q, k, v]: [&[f32]; 3], cache: &mut Cache, y: &mut [f32]) {
    rows.write(k, cache.keys);
    rows.write(v, cache.values);
    let samples = rows.starts.len();
    let key_offsets: Vec<i32> = (0..=samples).map(|s| (s * rows.room) as i32).collect();
    let key_counts: Vec<i32> = (0..samples)
        .map(|s| rows.starts[s] + rows.rows(s).1 as i32)
        .collect();
    let layout = Layout {
        query_offsets: rows.offsets,
        key_offsets: &key_offsets,
        key_counts: &key_counts,
        heads: rows.heads,
        key_heads: rows.key_heads,
        head_width: rows.head_width,
        scale: rows.scale,
        causal: true,
        window: rows.window,
        softcap: rows.softcap,
    };
    let mut log_sum_exp = vec![0.0; y.len() / rows.head_width];
    let out = Outputs {
        y,
        log_sum_exp: &mut log_sum_exp,
    };
    attention(&layout, [q, cache.keys, cache.values], out, None);
}
