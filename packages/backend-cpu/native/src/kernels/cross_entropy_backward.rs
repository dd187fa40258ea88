//! BasicLinearCrossEntropyBackward: recomputes the logits from the log-sum-exp.
//!
//! Tasks of the gradient of x own rows, those of the weight's gradient own words: both add in a fixed order.

use super::cross_entropy::{Inputs, Supervised};
use super::support::{Shared, block, tasks, with_scratch};
use super::tile::{
    CHUNK, MOST_LANES, SPARE, add_outer, add_weighted, aligned, from_lanes, to_lanes, with_padding,
};
use super::vector::{Rows, Vector};
use super::vocabulary::{Words, cap};
use crate::math::exp;
use crate::with_vectors;

/// Gradients of x and of the weight, each where its slice is not empty.
pub fn cross_entropy_backward(
    inputs: Inputs,
    [dloss, log_sum_exp]: [&[f32]; 2],
    dx: &mut [f32],
    dweight: &mut [f32],
) {
    let Supervised { rows, x } = inputs.supervised();
    let (words, width, count) = (inputs.words(), inputs.width, rows.len());
    dx.fill(0.0);
    dweight.fill(0.0);
    let all = count == inputs.labels.len();
    let mut compact = vec![0f32; if all || dx.is_empty() { 0 } else { count * width }];
    let call = Call {
        inputs,
        words,
        rows: &rows,
        x: &x,
        dloss,
        log_sum_exp,
    };
    let scratch = with_padding((2 * width + CHUNK + SPARE) * MOST_LANES);
    let work = words.work(count) * 2;
    if !dx.is_empty() {
        let out = Shared::new(if all { &mut *dx } else { &mut compact });
        tasks(Words::blocks(count), work, |task| {
            let place = block(task, MOST_LANES, count);
            // SAFETY: tasks own disjoint rows.
            with_scratch(scratch, |scratch| unsafe {
                run_rows(&call, place, aligned(scratch), out);
            });
        });
    }
    for (&row, source) in rows.iter().zip(compact.chunks_exact(width.max(1))) {
        dx[row * width..(row + 1) * width].copy_from_slice(source);
    }
    if !dweight.is_empty() {
        let out = Shared::new(dweight);
        tasks(words.count.div_ceil(CHUNK), work, |task| {
            let place = block(task, CHUNK, words.count);
            // SAFETY: tasks own disjoint words.
            with_scratch(scratch, |scratch| unsafe {
                run_words(&call, place, aligned(scratch), out);
            });
        });
    }
}

struct Call<'a> {
    inputs: Inputs<'a>,
    words: Words<'a>,
    rows: &'a [usize],
    x: &'a [f32],
    dloss: &'a [f32],
    log_sum_exp: &'a [f32],
}

with_vectors! {
    /// # Safety
    /// No other task may run these rows.
    unsafe fn run_rows(call: &Call, rows: (usize, usize), scratch: &mut [f32], dx: Shared) =
        by_rows[avx512: 12, 8, 2; avx2: 6, 4, 2; portable: 4, 4, 1]
}

with_vectors! {
    /// # Safety
    /// No other task may run these words.
    unsafe fn run_words(call: &Call, words: (usize, usize), scratch: &mut [f32], dweight: Shared) =
        by_words[avx512: 12, 2; avx2: 6, 2; portable: 4, 1]
}

#[inline(always)]
unsafe fn by_rows<V: Vector, const WORDS: usize, const WIDTH: usize, const COLUMNS: usize>(
    call: &Call,
    (first, count): (usize, usize),
    scratch: &mut [f32],
    out: Shared,
) {
    let (words, width, lanes) = (call.words, call.words.width, COLUMNS * V::LANES);
    let (x, rest) = scratch.split_at_mut(width * lanes);
    let (dx, cells) = rest.split_at_mut(width * lanes);
    for start in (first..first + count).step_by(lanes) {
        let rows = (start, lanes.min(first + count - start));
        // SAFETY: the caller's promise; slices are as long as their rows of lanes.
        unsafe {
            call.turn::<V, COLUMNS>(rows, x);
            dx.fill(0.0);
            for word in (0..words.count).step_by(CHUNK) {
                let number = CHUNK.min(words.count - word);
                let cells = &mut cells[..number * lanes];
                call.gradient::<V, WORDS, COLUMNS>(rows, [word, number], x, cells);
                let size = [number, width];
                add_weighted::<V, WIDTH, COLUMNS>(words.rows(word), size, cells.as_ptr(), dx.as_mut_ptr());
            }
            let to = Rows {
                start: out.part(start * width, rows.1 * width).as_mut_ptr(),
                width,
            };
            from_lanes::<V, COLUMNS>(dx.as_ptr(), rows.1, width, to);
        }
    }
}

#[inline(always)]
unsafe fn by_words<V: Vector, const WORDS: usize, const COLUMNS: usize>(
    call: &Call,
    (word, number): (usize, usize),
    scratch: &mut [f32],
    out: Shared,
) {
    let (width, lanes) = (call.words.width, COLUMNS * V::LANES);
    let (x, cells) = scratch.split_at_mut(width * lanes);
    // SAFETY: the caller's promise; slices are as long as their rows of lanes, and tiles may read SPARE more.
    unsafe {
        let out = Rows {
            start: out.part(word * width, number * width).as_mut_ptr(),
            width,
        };
        for start in (0..call.rows.len()).step_by(lanes) {
            let rows = (start, lanes.min(call.rows.len() - start));
            call.turn::<V, COLUMNS>(rows, x);
            call.gradient::<V, WORDS, COLUMNS>(rows, [word, number], x, &mut cells[..number * lanes]);
            let weights = Rows {
                start: cells.as_ptr(),
                width: lanes,
            };
            let source = Rows {
                start: call.x[start * width..].as_ptr(),
                width,
            };
            add_outer::<V, WORDS>(weights, [number, rows.1, width], source, 1.0, out);
        }
    }
}

impl Call<'_> {
    /// Rows of x as lanes.
    #[inline(always)]
    unsafe fn turn<V: Vector, const COLUMNS: usize>(&self, (start, count): (usize, usize), x: &mut [f32]) {
        let width = self.words.width;
        let source = Rows {
            start: self.x[start * width..].as_ptr(),
            width,
        };
        // SAFETY: `count` rows from `start` on exist; x has whole rows of lanes.
        unsafe { to_lanes::<V, COLUMNS>(source, count, width, x.as_mut_ptr()) };
    }

    /// Gradient of some logits: `dloss * (p - onehot) * slope of the softcap`, 0 in lanes without a row.
    #[inline(always)]
    unsafe fn gradient<V: Vector, const WORDS: usize, const COLUMNS: usize>(
        &self,
        (start, count): (usize, usize),
        [word, number]: [usize; 2],
        x: &[f32],
        cells: &mut [f32],
    ) {
        let (lanes, softcap) = (COLUMNS * V::LANES, self.inputs.softcap);
        let (mut scales, mut log_sums) = ([0f32; MOST_LANES], [0f32; MOST_LANES]);
        for (i, &row) in self.rows[start..start + count].iter().enumerate() {
            (scales[i], log_sums[i]) = (self.dloss[row], self.log_sum_exp[row]);
        }
        // SAFETY: `cells` holds a row of lanes for every word.
        unsafe {
            self.words.logits::<V, WORDS, COLUMNS>([word, number], x, cells);
            if softcap > 0.0 {
                cap(cells, softcap);
            }
            let slope = |capped: f32| {
                let bounded = if softcap > 0.0 { capped / softcap } else { 0.0 };
                1.0 - bounded * bounded
            };
            let mut targets = [None; MOST_LANES];
            for (i, &row) in self.rows[start..start + count].iter().enumerate() {
                let label = (self.inputs.labels[row] as usize).wrapping_sub(word);
                if label < number {
                    let logit = cells[label * lanes + i];
                    let rest = if V::FMA {
                        exp::<true>(logit - log_sums[i])
                    } else {
                        exp::<false>(logit - log_sums[i])
                    };
                    targets[i] = Some((label * lanes + i, scales[i] * (rest - 1.0) * slope(logit)));
                }
            }
            let (one, uncapped) = (V::splat(1.0), V::splat(1.0 / softcap));
            for row in cells.chunks_exact_mut(lanes) {
                for j in 0..COLUMNS {
                    let cell = row.as_mut_ptr().add(j * V::LANES);
                    let logit = V::load(cell);
                    let mut value = logit.sub(V::load(log_sums.as_ptr().add(j * V::LANES))).exp();
                    value = value.mul(V::load(scales.as_ptr().add(j * V::LANES)));
                    if softcap > 0.0 {
                        let bounded = logit.mul(uncapped);
                        value = value.mul(one.sub(bounded.mul(bounded)));
                    }
                    value.store(cell);
                }
            }
            for (at, value) in targets.into_iter().flatten() {
                cells[at] = value;
            }
        }
    }
}
