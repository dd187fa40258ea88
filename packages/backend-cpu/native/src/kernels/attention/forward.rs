//! The forward pass. A task owns one (sample, query head), or the heads that share a key head where the sample has
//! a single query row: its keys are then read once.

use super::lanes::{Block, keys_of, packed_length, within};
use super::{Layout, Sample};
use crate::kernels::support::{Shared, tasks, with_scratch};
use crate::kernels::tile::{
    MOST_LANES, add_all_weighted, aligned, from_lanes, gather, products, scale_lanes, spread, to_lanes,
    with_padding,
};
use crate::kernels::vector::{Rows, Vector};
use crate::kernels::vocabulary::cap;
use crate::math::log;
use crate::with_vectors;

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
    assert_eq!(out.y.len(), q.len(), "y");
    assert_eq!(v.len(), k.len(), "v");
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
    let call = Call {
        layout,
        inputs: [q, k, v],
        y: Shared::new(out.y),
        log_sum_exp: Shared::new(out.log_sum_exp),
        counts,
        from,
        sums: Shared::new(&mut sums),
    };
    tasks(layout.samples() * heads, layout.work(), |task| {
        let (sample, h) = (layout.sample(task / heads), task % heads);
        let scratch = call.scratch(sample);
        let head = Head {
            call: &call,
            sample,
            h,
        };
        with_scratch(with_padding(scratch), |scratch| {
            // SAFETY: one task per (sample, head), which alone writes the results of its rows and columns.
            unsafe { run_head(&head, aligned(scratch)) };
        });
    });
    for (j, sum) in received.iter_mut().enumerate() {
        *sum = (0..heads).map(|h| sums[h * key_rows + j]).sum();
    }
}

struct Call<'a> {
    layout: &'a Layout<'a>,
    inputs: [&'a [f32]; 3],
    y: Shared<'a>,
    log_sum_exp: Shared<'a>,
    counts: &'a [i32],
    from: &'a [i32],
    sums: Shared<'a>,
}

impl Call<'_> {
    /// Floats that a task needs: keys and values, queries, results, scores, and sums of what keys receive.
    fn scratch(&self, sample: Sample) -> usize {
        let received = if self.from.is_empty() { 0 } else { sample.keys };
        2 * packed_length(self.layout, sample)
            + (2 * self.layout.head_width + sample.keys + received) * MOST_LANES
    }

    fn counting(&self) -> bool {
        !self.from.is_empty()
    }
}

/// One query head of one sample.
struct Head<'a> {
    call: &'a Call<'a>,
    sample: Sample,
    h: usize,
}

with_vectors! {
    /// # Safety
    /// No other task may run the same head of the same sample.
    unsafe fn run_head(head: &Head, scratch: &mut [f32]) = run[avx512: 12, 8, 2; avx2: 6, 4, 2; portable: 4, 4, 1]
}

/// All blocks of a head. KEYS and WIDTH are the rows of tiles of keys and of columns, VECTORS the most per tile.
#[inline(always)]
unsafe fn run<V: Vector, const KEYS: usize, const WIDTH: usize, const VECTORS: usize>(
    head: &Head,
    scratch: &mut [f32],
) {
    let Head { call, sample, h } = *head;
    let layout = call.layout;
    let (received, scratch) = scratch.split_at_mut(if call.counting() {
        sample.keys * MOST_LANES
    } else {
        0
    });
    let [_, k, v] = call.inputs;
    let length = packed_length(layout, sample);
    let (packed_keys, scratch) = scratch.split_at_mut(length);
    let (packed_values, scratch) = scratch.split_at_mut(length);
    let keys =
        [(k, packed_keys), (v, packed_values)].map(|(data, packed)| keys_of(layout, sample, h, data, packed));
    // SAFETY: the caller's promise.
    unsafe {
        if sample.queries == 1 && !call.counting() {
            let group = layout.heads / layout.key_heads;
            // The task of the first head runs all that share its keys.
            if h.is_multiple_of(group) {
                for start in (0..group).step_by(V::LANES) {
                    let count = (group - start).min(V::LANES);
                    let block = Block::heads(layout, sample, h + start, count);
                    run_block::<V, KEYS, WIDTH, 1>(head, block, keys, scratch, received);
                }
            }
            return;
        }
        received.fill(0.0);
        let mut start = 0;
        while start < sample.queries {
            let left = sample.queries - start;
            let vectors = if left > V::LANES { VECTORS } else { 1 };
            let count = left.min(vectors * V::LANES);
            let block = Block::rows(layout, sample, h, start, count);
            if vectors == 1 {
                run_block::<V, KEYS, WIDTH, 1>(head, block, keys, scratch, received);
            } else {
                run_block::<V, KEYS, WIDTH, VECTORS>(head, block, keys, scratch, received);
            }
            start += count;
        }
        if call.counting() {
            add_lanes::<V>(head, received);
        }
    }
}

#[inline(always)]
unsafe fn run_block<V: Vector, const KEYS: usize, const WIDTH: usize, const COLUMNS: usize>(
    head: &Head,
    block: Block,
    [k, v]: [Rows<*const f32>; 2],
    scratch: &mut [f32],
    received: &mut [f32],
) {
    let call = head.call;
    let layout = call.layout;
    let (width, keys, lanes) = (layout.head_width, block.keys(), COLUMNS * V::LANES);
    let (queries, rest) = scratch.split_at_mut(width * lanes);
    let (result, rest) = rest.split_at_mut(width * lanes);
    let scores = &mut rest[..keys * lanes];
    let [q, ..] = call.inputs;
    let (k, v) = (k.from(block.first), v.from(block.first));
    // SAFETY: offsets have been checked against the lengths; the scratch is as long as the slices above.
    unsafe {
        let source = Rows {
            start: q.as_ptr().add(block.start),
            width: block.stride,
        };
        to_lanes::<V, COLUMNS>(source, block.count, width, queries.as_mut_ptr());
        let size = [keys, width];
        products::<V, KEYS, COLUMNS>(k, size, queries.as_ptr(), layout.scale, scores.as_mut_ptr());
        if layout.softcap > 0.0 {
            cap(scores, layout.softcap);
        }
        let (most, sums) = exponentials::<V, COLUMNS>(&block, scores);
        result.fill(0.0);
        add_all_weighted::<V, WIDTH, COLUMNS>(v, size, scores, result.as_mut_ptr());
        let inverse = inverses::<V, COLUMNS>(sums);
        scale_lanes::<V, COLUMNS>(result, inverse);
        let target = Rows {
            start: call.y.pointer().add(block.start),
            width: block.stride,
        };
        from_lanes::<V, COLUMNS>(result.as_ptr(), block.count, width, target);
        store_log_sums::<V, COLUMNS>(call, &block, most, sums);
        if call.counting() {
            receive::<V, COLUMNS>(head, &block, scores, inverse, received);
        }
    }
}

/// Scores to exponentials relative to the largest of each lane, 0 where a lane does not see the key.
///
/// Returns that largest score and the sum of each lane.
#[inline(always)]
unsafe fn exponentials<V: Vector, const COLUMNS: usize>(
    block: &Block,
    scores: &mut [f32],
) -> ([V; COLUMNS], [V; COLUMNS]) {
    let lanes = COLUMNS * V::LANES;
    // SAFETY: the scratch has `lanes` scores for every key of the block.
    unsafe {
        let (mut most, mut sums) = ([V::splat(f32::NEG_INFINITY); COLUMNS], [V::splat(0.0); COLUMNS]);
        for (key, scores) in scores.chunks_exact(lanes).enumerate() {
            let seeing = block.seeing(block.first + key, lanes);
            for (j, most) in most.iter_mut().enumerate() {
                let mut score = V::load(scores.as_ptr().add(j * V::LANES));
                if seeing != (0, lanes) {
                    let (from, to) = within(seeing, j, V::LANES);
                    score = score.keep(from, to, V::splat(f32::NEG_INFINITY));
                }
                *most = score.max(*most);
            }
        }
        for (key, scores) in scores.chunks_exact_mut(lanes).enumerate() {
            let seeing = block.seeing(block.first + key, lanes);
            for (j, sum) in sums.iter_mut().enumerate() {
                let cell = scores.as_mut_ptr().add(j * V::LANES);
                let mut value = V::load(cell).sub(most[j]).exp();
                if seeing != (0, lanes) {
                    let (from, to) = within(seeing, j, V::LANES);
                    value = value.keep(from, to, V::splat(0.0));
                }
                *sum = sum.add(value);
                value.store(cell);
            }
        }
        (most, sums)
    }
}

/// Reciprocal sums; 0 for a query that sees no key.
#[inline(always)]
unsafe fn inverses<V: Vector, const COLUMNS: usize>(sums: [V; COLUMNS]) -> [V; COLUMNS] {
    // SAFETY: `spread` has written all lanes.
    unsafe { gather(&spread(sums).map(|sum| if sum == 0.0 { 0.0 } else { 1.0 / sum })) }
}

#[inline(always)]
unsafe fn store_log_sums<V: Vector, const COLUMNS: usize>(
    call: &Call,
    block: &Block,
    most: [V; COLUMNS],
    sums: [V; COLUMNS],
) {
    // SAFETY: the block's task alone writes these elements.
    unsafe {
        let (most, sums) = (spread(most), spread(sums));
        let mut values = [0f32; MOST_LANES];
        for i in 0..MOST_LANES {
            values[i] = if V::FMA {
                log::<true>(sums[i])
            } else {
                log::<false>(sums[i])
            };
        }
        for i in 0..block.count {
            let value = if sums[i] == 0.0 { 0.0 } else { most[i] + values[i] };
            call.log_sum_exp.part(block.lse_start + i * block.lse_stride, 1)[0] = value;
        }
    }
}

/// Adds the block's probabilities to the sums of the keys that receive from its rows, one sum for each lane.
#[inline(always)]
unsafe fn receive<V: Vector, const COLUMNS: usize>(
    head: &Head,
    block: &Block,
    scores: &[f32],
    inverse: [V; COLUMNS],
    received: &mut [f32],
) {
    let (call, lanes) = (head.call, COLUMNS * V::LANES);
    let mut counts = [0f32; MOST_LANES];
    for (count, &counted) in counts.iter_mut().zip(&call.counts[block.row..][..block.count]) {
        *count = if counted == 1 { 1.0 } else { 0.0 };
    }
    let from = &call.from[head.sample.key + block.first..][..block.keys()];
    // SAFETY: `received` has a vector for every key of the sample, `scores` `lanes` for each of the block.
    unsafe {
        let mut weights = inverse;
        for (j, weight) in weights.iter_mut().enumerate() {
            *weight = weight.mul(V::load(counts.as_ptr().add(j * V::LANES)));
        }
        for (key, (scores, &from)) in scores.chunks_exact(lanes).zip(from).enumerate() {
            let from = (from as i64 - block.row as i64).max(0) as usize;
            if from >= block.count {
                continue;
            }
            let cell = received.as_mut_ptr().add((block.first + key) * V::LANES);
            let mut sum = V::load(cell);
            for (j, &weight) in weights.iter().enumerate() {
                let (from, to) = within((from, lanes), j, V::LANES);
                let share = V::load(scores.as_ptr().add(j * V::LANES)).mul(weight);
                sum = sum.add(share.keep(from, to, V::splat(0.0)));
            }
            sum.store(cell);
        }
    }
}

/// Sums over the lanes of every key, into the row of sums of the head.
#[inline(always)]
unsafe fn add_lanes<V: Vector>(head: &Head, received: &[f32]) {
    let (call, sample) = (head.call, head.sample);
    let key_rows = call.from.len();
    // SAFETY: a task alone owns the key rows of its sample in its head's row.
    let sums = unsafe { call.sums.part(head.h * key_rows + sample.key, sample.keys) };
    let mut turned = [0f32; MOST_LANES * MOST_LANES];
    for (i, sums) in sums.chunks_mut(V::LANES).enumerate() {
        let source = Rows {
            start: received[i * V::LANES * V::LANES..].as_ptr(),
            width: V::LANES,
        };
        let target = Rows {
            start: turned.as_mut_ptr(),
            width: V::LANES,
        };
        // SAFETY: at most LANES keys of LANES sums; `turned` holds a whole block.
        unsafe {
            V::transpose(source, [sums.len(), V::LANES], target, V::LANES);
            let mut total = V::load(turned.as_ptr());
            for lane in 1..V::LANES {
                total = total.add(V::load(turned.as_ptr().add(lane * V::LANES)));
            }
            total.store_part(sums.as_mut_ptr(), sums.len());
        }
    }
}
