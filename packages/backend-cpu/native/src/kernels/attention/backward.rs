//! The backward pass: recomputes the probabilities of a block of query rows from the log-sum-exp.
//!
//! A task owns one (sample, key head) and walks through its query heads and blocks in order, so sums over
//! query rows are always added in the same order.

use super::lanes::{Block, keys_of, packed_length, within};
use super::{Layout, Sample};
use crate::kernels::support::{Shared, tasks, with_scratch};
use crate::kernels::tile::{
    CHUNK, MOST_LANES, SPARE, add_outer, add_weighted, aligned, from_lanes, gather, products, scale_lanes,
    to_lanes, with_padding,
};
use crate::kernels::vector::{Rows, Vector};
use crate::kernels::vocabulary::cap;
use crate::with_vectors;

/// What the forward pass saved, and the gradient of y.
#[derive(Clone, Copy)]
pub struct Saved<'a> {
    pub dy: &'a [f32],
    pub q: &'a [f32],
    pub k: &'a [f32],
    pub v: &'a [f32],
    pub y: &'a [f32],
    pub log_sum_exp: &'a [f32],
}

/// Writes the gradients of q, k and v.
pub fn attention_backward(layout: &Layout, saved: Saved, [dq, dk, dv]: [&mut [f32]; 3]) {
    for (name, given) in [("dy", saved.dy), ("y", saved.y), ("dq", &*dq)] {
        assert_eq!(given.len(), saved.q.len(), "{name}");
    }
    for (name, given) in [("v", saved.v), ("dk", &*dk), ("dv", &*dv)] {
        assert_eq!(given.len(), saved.k.len(), "{name}");
    }
    dk.fill(0.0);
    dv.fill(0.0);
    let out = [dq, dk, dv].map(Shared::new);
    let width = layout.head_width;
    let scratch = (3 * width + 2 * (CHUNK + SPARE)) * MOST_LANES;
    tasks(layout.samples() * layout.key_heads, layout.work() * 3, |task| {
        let (sample, group) = (layout.sample(task / layout.key_heads), task % layout.key_heads);
        let length = packed_length(layout, sample);
        with_scratch(with_padding(4 * length + scratch), |scratch| {
            let (keys, scratch) = aligned(scratch).split_at_mut(4 * length);
            // SAFETY: one task per (sample, key head), which alone writes the gradients of its rows and columns.
            unsafe { run_group(layout, sample, group, saved, out, keys, scratch) };
        });
    });
}

/// The query heads of a key head, one after the other; gradients of keys and values are summed side by side.
///
/// # Safety
/// No other task may run this group.
unsafe fn run_group(
    layout: &Layout,
    sample: Sample,
    group: usize,
    saved: Saved,
    out: [Shared; 3],
    packed: &mut [f32],
    scratch: &mut [f32],
) {
    let heads = layout.heads / layout.key_heads;
    let first = group * heads;
    let length = packed.len() / 4;
    let (keys, sums) = packed.split_at_mut(2 * length);
    let (packed_k, packed_v) = keys.split_at_mut(length);
    let keys = [(saved.k, packed_k), (saved.v, packed_v)]
        .map(|(data, packed)| keys_of(layout, sample, first, data, packed));
    sums.fill(0.0);
    let (dk, dv) = sums.split_at_mut(length);
    let [into_q, into_k, into_v] = out;
    let (start, distance) = (layout.key_start(sample.key, first), layout.key_width());
    let into = [(into_k, &mut *dk), (into_v, &mut *dv)].map(|(out, sums)| {
        let (start, width) = if sums.is_empty() {
            (out.pointer().wrapping_add(start), distance)
        } else {
            (sums.as_mut_ptr(), layout.head_width)
        };
        Rows { start, width }
    });
    for h in first..first + heads {
        let head = Head {
            layout,
            sample,
            h,
            saved,
            keys,
            into_q,
            into,
        };
        // SAFETY: the caller's promise.
        unsafe { run_head(&head, scratch) };
    }
    if length > 0 {
        for (out, sums) in [(into_k, dk), (into_v, dv)] {
            let rows = sums.chunks_exact(layout.head_width).take(sample.keys);
            for (key, row) in rows.enumerate() {
                // SAFETY: the caller's promise.
                unsafe { out.part(start + key * distance, row.len()) }.copy_from_slice(row);
            }
        }
    }
}

/// One query head of one sample.
struct Head<'a> {
    layout: &'a Layout<'a>,
    sample: Sample,
    h: usize,
    saved: Saved<'a>,
    /// Keys and values of the sample.
    keys: [Rows<*const f32>; 2],
    into_q: Shared<'a>,
    /// Where their gradients are summed.
    into: [Rows<*mut f32>; 2],
}

with_vectors! {
    /// # Safety
    /// No other task may run a head with the same keys.
    unsafe fn run_head(head: &Head, scratch: &mut [f32]) = run[avx512: 12, 8, 2; avx2: 6, 4, 2; portable: 4, 4, 1]
}

/// All blocks of a head. KEYS and WIDTH are the rows of tiles of keys and of columns, VECTORS the most per tile.
#[inline(always)]
unsafe fn run<V: Vector, const KEYS: usize, const WIDTH: usize, const VECTORS: usize>(
    head: &Head,
    scratch: &mut [f32],
) {
    let mut start = 0;
    while start < head.sample.queries {
        let left = head.sample.queries - start;
        let vectors = if left > V::LANES { VECTORS } else { 1 };
        let count = left.min(vectors * V::LANES);
        let block = Block::rows(head.layout, head.sample, head.h, start, count);
        // SAFETY: the caller's promise.
        unsafe {
            if vectors == 1 {
                run_block::<V, KEYS, WIDTH, 1>(head, block, scratch);
            } else {
                run_block::<V, KEYS, WIDTH, VECTORS>(head, block, scratch);
            }
        }
        start += count;
    }
}

#[inline(always)]
unsafe fn run_block<V: Vector, const KEYS: usize, const WIDTH: usize, const COLUMNS: usize>(
    head: &Head,
    block: Block,
    scratch: &mut [f32],
) {
    let Head {
        layout,
        saved,
        keys: [k, v],
        into_q,
        into: [into_k, into_v],
        ..
    } = *head;
    let (width, lanes) = (layout.head_width, COLUMNS * V::LANES);
    let (queries, rest) = scratch.split_at_mut(width * lanes);
    let (dy, rest) = rest.split_at_mut(width * lanes);
    let (dq, rest) = rest.split_at_mut(width * lanes);
    let (p, rest) = rest.split_at_mut((CHUNK + SPARE) * lanes);
    let ds = &mut rest[..(CHUNK + SPARE) * lanes];
    let of_lanes = |data: &[f32]| Rows {
        start: data.as_ptr().wrapping_add(block.start),
        width: block.stride,
    };
    // SAFETY: offsets have been checked against the lengths; the scratch is as long as the slices above.
    unsafe {
        to_lanes::<V, COLUMNS>(of_lanes(saved.q), block.count, width, queries.as_mut_ptr());
        to_lanes::<V, COLUMNS>(of_lanes(saved.dy), block.count, width, dy.as_mut_ptr());
        // The results stand in for dq until their products with dy are known.
        to_lanes::<V, COLUMNS>(of_lanes(saved.y), block.count, width, dq.as_mut_ptr());
        let softmax = Softmax::<V, COLUMNS>::new(head, &block, dy, dq);
        dq.fill(0.0);
        for first in (block.first..block.last).step_by(CHUNK) {
            let keys = (block.last - first).min(CHUNK);
            let (k, v, size) = (k.from(first), v.from(first), [keys, width]);
            products::<V, KEYS, COLUMNS>(k, size, queries.as_ptr(), layout.scale, p.as_mut_ptr());
            products::<V, KEYS, COLUMNS>(v, size, dy.as_ptr(), 1.0, ds.as_mut_ptr());
            softmax.gradients(&block, first, &mut p[..keys * lanes], &mut ds[..keys * lanes]);
            add_weighted::<V, WIDTH, COLUMNS>(k, size, ds.as_ptr(), dq.as_mut_ptr());
            let weights = |cells: &[f32]| Rows {
                start: cells.as_ptr(),
                width: lanes,
            };
            let size = [keys, block.count, width];
            let (q, dy) = (of_lanes(saved.q), of_lanes(saved.dy));
            add_outer::<V, KEYS>(weights(ds), size, q, layout.scale, into_k.from(first));
            add_outer::<V, KEYS>(weights(p), size, dy, 1.0, into_v.from(first));
        }
        scale_lanes::<V, COLUMNS>(dq, [V::splat(layout.scale); COLUMNS]);
        let target = Rows {
            start: into_q.pointer().add(block.start),
            width: block.stride,
        };
        from_lanes::<V, COLUMNS>(dq.as_ptr(), block.count, width, target);
    }
}

/// What turns scores of a block into probabilities and gradients.
struct Softmax<V, const COLUMNS: usize> {
    log_sum_exp: [V; COLUMNS],
    /// Product of each lane's result and its gradient.
    delta: [V; COLUMNS],
    softcap: f32,
}

impl<V: Vector, const COLUMNS: usize> Softmax<V, COLUMNS> {
    /// `dy` and `y` are `[width, lanes]`.
    #[inline(always)]
    unsafe fn new(head: &Head, block: &Block, dy: &[f32], y: &[f32]) -> Self {
        let lanes = COLUMNS * V::LANES;
        let mut log_sum_exp = [0f32; MOST_LANES];
        for (i, value) in log_sum_exp.iter_mut().enumerate().take(block.count) {
            *value = head.saved.log_sum_exp[block.lse_start + i * block.lse_stride];
        }
        // SAFETY: both slices have whole rows of lanes.
        unsafe {
            let mut delta = [V::splat(0.0); COLUMNS];
            for (dy, y) in dy.chunks_exact(lanes).zip(y.chunks_exact(lanes)) {
                for (j, delta) in delta.iter_mut().enumerate() {
                    let (dy, y) = (dy.as_ptr().add(j * V::LANES), y.as_ptr().add(j * V::LANES));
                    *delta = V::load(dy).fma(V::load(y), *delta);
                }
            }
            Self {
                log_sum_exp: gather(&log_sum_exp),
                delta,
                softcap: head.layout.softcap,
            }
        }
    }

    /// In: scores of the keys from `first` on in `p`, gradients of the probabilities in `ds`.
    /// Out: probabilities and gradients of the scores.
    #[inline(always)]
    unsafe fn gradients(&self, block: &Block, first: usize, p: &mut [f32], ds: &mut [f32]) {
        let lanes = COLUMNS * V::LANES;
        if self.softcap > 0.0 {
            cap(p, self.softcap);
        }
        // SAFETY: both slices have `lanes` cells for every key.
        unsafe {
            let (zero, one) = (V::splat(0.0), V::splat(1.0));
            let uncapped = V::splat(1.0 / self.softcap);
            let cells = p.chunks_exact_mut(lanes).zip(ds.chunks_exact_mut(lanes));
            for (key, (p, ds)) in cells.enumerate() {
                let seeing = block.seeing(first + key, lanes);
                for j in 0..COLUMNS {
                    let p = p.as_mut_ptr().add(j * V::LANES);
                    let ds = ds.as_mut_ptr().add(j * V::LANES);
                    let score = V::load(p);
                    let mut value = score.sub(self.log_sum_exp[j]).exp();
                    let mut slope = value.mul(V::load(ds).sub(self.delta[j]));
                    if self.softcap > 0.0 {
                        let bounded = score.mul(uncapped);
                        slope = slope.mul(one.sub(bounded.mul(bounded)));
                    }
                    if seeing != (0, lanes) {
                        let (from, to) = within(seeing, j, V::LANES);
                        value = value.keep(from, to, zero);
                        slope = slope.keep(from, to, zero);
                    }
                    value.store(p);
                    slope.store(ds);
                }
            }
        }
    }
}
