//! BasicLinearKl: KL(softmax(r Eᵀ) || softmax(v Eᵀ)), and its gradient by the way where it will be needed.

use super::support::{Shared, block, tasks, with_scratch};
use super::tile::{
    CHUNK, MOST_LANES, add_all_weighted, aligned, from_lanes, gather, scale_lanes, spread, to_lanes,
    with_padding,
};
use super::vector::{Rows, Vector};
use super::vocabulary::{Words, largest};
use crate::with_vectors;

/// v, r [N, D]; vocabulary [V, D]; a [N].
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    pub v: &'a [f32],
    pub r: &'a [f32],
    pub vocabulary: &'a [f32],
    pub a: &'a [f32],
    /// D and V.
    pub sizes: [usize; 2],
    pub chunk_bytes: usize,
}

impl<'a> Inputs<'a> {
    pub fn words(&self) -> Words<'a> {
        Words {
            table: self.vocabulary,
            count: self.sizes[1],
            width: self.sizes[0],
        }
    }
}

/// Results of the forward pass: one value per row, and d kl / d v [N, D] or nothing.
pub struct Outputs<'a> {
    pub loss: &'a mut [f32],
    pub kl: &'a mut [f32],
    pub lse_v: &'a mut [f32],
    pub lse_r: &'a mut [f32],
    /// Empty where it is not wanted. A row of it times `a` and the gradient of its loss is the gradient of v.
    pub slope: &'a mut [f32],
}

/// `kl` and `loss = a * kl` per row, with both log-sum-exps.
pub fn linear_kl(inputs: Inputs, out: Outputs) {
    let (words, rows) = (inputs.words(), inputs.a.len());
    let needs_slope = !out.slope.is_empty();
    let call = Call {
        inputs,
        words,
        span: words.span(2, inputs.chunk_bytes),
        needs_slope,
        values: [out.loss, out.kl, out.lse_v, out.lse_r].map(Shared::new),
        slope: Shared::new(out.slope),
    };
    let scratch = (4 * words.width + 2 * call.span) * MOST_LANES;
    tasks(Words::blocks(rows), words.work(rows) * 3, |task| {
        let place = block(task, MOST_LANES, rows);
        with_scratch(with_padding(scratch), |scratch| {
            // SAFETY: tasks own disjoint rows.
            unsafe { run_rows(&call, place, aligned(scratch)) };
        });
    });
}

struct Call<'a> {
    inputs: Inputs<'a>,
    words: Words<'a>,
    span: usize,
    needs_slope: bool,
    /// loss, kl, log-sum-exps of v and r.
    values: [Shared<'a>; 4],
    slope: Shared<'a>,
}

/// Sums over words of one lane, relative to its largest logits.
#[derive(Clone, Copy)]
struct Totals {
    v: f64,
    r: f64,
    /// Sum of exp(r - most r) * ((r - most r) - (v - most v)).
    cross: f64,
}

impl Totals {
    const EMPTY: Self = Self {
        v: 0.0,
        r: 0.0,
        cross: 0.0,
    };

    /// Relative to logits that are larger by `-by_v` and `-by_r`.
    fn moved(self, by_v: f64, by_r: f64) -> Self {
        if self.r == 0.0 {
            return Self::EMPTY;
        }
        let factor = by_r.exp();
        Self {
            v: self.v * by_v.exp(),
            r: self.r * factor,
            cross: factor * (self.cross + self.r * (by_r - by_v)),
        }
    }

    /// Never below 0, which only rounding could cause.
    fn divergence(self) -> f64 {
        let kl = self.cross / self.r - self.r.ln() + self.v.ln();
        if kl < 0.0 { 0.0 } else { kl }
    }
}

with_vectors! {
    /// # Safety
    /// No other task may run these rows.
    unsafe fn run_rows(call: &Call, rows: (usize, usize), scratch: &mut [f32]) =
        run[avx512: 12, 8, 2; avx2: 6, 4, 2; portable: 4, 4, 1]
}

#[inline(always)]
unsafe fn run<V: Vector, const WORDS: usize, const WIDTH: usize, const COLUMNS: usize>(
    call: &Call,
    (first, count): (usize, usize),
    scratch: &mut [f32],
) {
    let lanes = COLUMNS * V::LANES;
    for start in (first..first + count).step_by(lanes) {
        let rows = (start, lanes.min(first + count - start));
        // SAFETY: the caller's promise.
        unsafe { run_block::<V, WORDS, WIDTH, COLUMNS>(call, rows, scratch) };
    }
}

/// Largest logits of v and r so far, and the sums relative to them.
struct State<V, const COLUMNS: usize> {
    most: [[V; COLUMNS]; 2],
    totals: [Totals; MOST_LANES],
}

#[inline(always)]
unsafe fn run_block<V: Vector, const WORDS: usize, const WIDTH: usize, const COLUMNS: usize>(
    call: &Call,
    (start, count): (usize, usize),
    scratch: &mut [f32],
) {
    let (words, width, lanes) = (call.words, call.words.width, COLUMNS * V::LANES);
    let (rows, rest) = scratch.split_at_mut(2 * width * lanes);
    let (slopes, logits) = rest.split_at_mut(2 * width * lanes);
    let (v, r) = rows.split_at_mut(width * lanes);
    let (slope_v, slope_r) = slopes.split_at_mut(width * lanes);
    let (logits_v, logits_r) = logits.split_at_mut(call.span * lanes);
    // SAFETY: the caller's promise; slices are as long as their rows of lanes.
    unsafe {
        for (from, to) in [(call.inputs.v, &mut *v), (call.inputs.r, &mut *r)] {
            let source = Rows {
                start: from[start * width..].as_ptr(),
                width,
            };
            to_lanes::<V, COLUMNS>(source, count, width, to.as_mut_ptr());
        }
        slope_v.fill(0.0);
        slope_r.fill(0.0);
        let mut state = State {
            most: [[V::splat(f32::NEG_INFINITY); COLUMNS]; 2],
            totals: [Totals::EMPTY; MOST_LANES],
        };
        for word in (0..words.count).step_by(call.span) {
            let number = call.span.min(words.count - word);
            let logits_v = &mut logits_v[..number * lanes];
            let logits_r = &mut logits_r[..number * lanes];
            words.logits::<V, WORDS, COLUMNS>([word, number], v, logits_v);
            words.logits::<V, WORDS, COLUMNS>([word, number], r, logits_r);
            let factors = exponentials::<V, COLUMNS>(logits_v, logits_r, &mut state);
            if !call.needs_slope {
                continue;
            }
            let (table, size) = (words.rows(word), [number, width]);
            if number == words.count {
                // All words at once: one product instead of two.
                differences::<V, COLUMNS>(logits_v, logits_r, &state);
                add_all_weighted::<V, WIDTH, COLUMNS>(table, size, logits_v, slope_v.as_mut_ptr());
                continue;
            }
            for (logits, slope, factor) in [
                (logits_v, &mut *slope_v, factors[0]),
                (logits_r, &mut *slope_r, factors[1]),
            ] {
                scale_lanes::<V, COLUMNS>(slope, factor);
                add_all_weighted::<V, WIDTH, COLUMNS>(table, size, logits, slope.as_mut_ptr());
            }
        }
        if call.needs_slope && call.span < words.count {
            differences::<V, COLUMNS>(slope_v, slope_r, &state);
        }
        store::<V, COLUMNS>(call, (start, count), slope_v, &state);
    }
}

/// Logits to exponentials relative to the largest so far; adds up their sums.
///
/// Returns what earlier sums of exponentials had to be multiplied by.
#[inline(always)]
unsafe fn exponentials<V: Vector, const COLUMNS: usize>(
    logits_v: &mut [f32],
    logits_r: &mut [f32],
    state: &mut State<V, COLUMNS>,
) -> [[V; COLUMNS]; 2] {
    let lanes = COLUMNS * V::LANES;
    // SAFETY: both slices hold whole rows of lanes.
    unsafe {
        let before = state.most;
        let most = [largest(logits_v, before[0]), largest(logits_r, before[1])];
        let factors: [[V; COLUMNS]; 2] =
            std::array::from_fn(|i| std::array::from_fn(|j| before[i][j].sub(most[i][j]).exp()));
        let by: [[f32; MOST_LANES]; 2] = std::array::from_fn(|i| {
            spread::<V, COLUMNS>(std::array::from_fn(|j| before[i][j].sub(most[i][j])))
        });
        for (i, total) in state.totals.iter_mut().enumerate() {
            *total = total.moved(f64::from(by[0][i]), f64::from(by[1][i]));
        }
        let chunks = logits_v
            .chunks_mut(CHUNK * lanes)
            .zip(logits_r.chunks_mut(CHUNK * lanes));
        for (chunk_v, chunk_r) in chunks {
            let zero = [V::splat(0.0); COLUMNS];
            let (mut sums_v, mut sums_r, mut cross) = (zero, zero, zero);
            let rows = chunk_v
                .chunks_exact_mut(lanes)
                .zip(chunk_r.chunks_exact_mut(lanes));
            for (row_v, row_r) in rows {
                for j in 0..COLUMNS {
                    let v = row_v.as_mut_ptr().add(j * V::LANES);
                    let r = row_r.as_mut_ptr().add(j * V::LANES);
                    let (below_v, below_r) = (V::load(v).sub(most[0][j]), V::load(r).sub(most[1][j]));
                    let (value_v, value_r) = (below_v.exp(), below_r.exp());
                    sums_v[j] = sums_v[j].add(value_v);
                    sums_r[j] = sums_r[j].add(value_r);
                    cross[j] = value_r.fma(below_r.sub(below_v), cross[j]);
                    value_v.store(v);
                    value_r.store(r);
                }
            }
            let [sums_v, sums_r, cross] = [sums_v, sums_r, cross].map(|sums| spread(sums));
            for (i, total) in state.totals.iter_mut().enumerate() {
                total.v += f64::from(sums_v[i]);
                total.r += f64::from(sums_r[i]);
                total.cross += f64::from(cross[i]);
            }
        }
        state.most = most;
        factors
    }
}

/// `v = v / sum of v - r / sum of r` for every lane.
#[inline(always)]
unsafe fn differences<V: Vector, const COLUMNS: usize>(v: &mut [f32], r: &[f32], state: &State<V, COLUMNS>) {
    let lanes = COLUMNS * V::LANES;
    // SAFETY: both slices hold whole rows of lanes.
    unsafe {
        let by_v: [V; COLUMNS] = gather(&state.totals.map(|total| (1.0 / total.v) as f32));
        let by_r: [V; COLUMNS] = gather(&state.totals.map(|total| (1.0 / total.r) as f32));
        for (v, r) in v.chunks_exact_mut(lanes).zip(r.chunks_exact(lanes)) {
            for j in 0..COLUMNS {
                let cell = v.as_mut_ptr().add(j * V::LANES);
                let r = V::load(r.as_ptr().add(j * V::LANES)).mul(by_r[j]);
                V::load(cell).mul(by_v[j]).sub(r).store(cell);
            }
        }
    }
}

#[inline(always)]
unsafe fn store<V: Vector, const COLUMNS: usize>(
    call: &Call,
    (start, count): (usize, usize),
    slope: &[f32],
    state: &State<V, COLUMNS>,
) {
    let width = call.words.width;
    // SAFETY: rows of this task alone.
    unsafe {
        let [most_v, most_r] = state.most.map(|most| spread(most));
        let [loss, kl, lse_v, lse_r] = call.values.map(|values| values.part(start, count));
        for i in 0..count {
            let total = state.totals[i];
            let divergence = total.divergence();
            kl[i] = divergence as f32;
            loss[i] = (f64::from(call.inputs.a[start + i]) * divergence) as f32;
            lse_v[i] = (f64::from(most_v[i]) + total.v.ln()) as f32;
            lse_r[i] = (f64::from(most_r[i]) + total.r.ln()) as f32;
        }
        if call.needs_slope {
            let to = Rows {
                start: call.slope.part(start * width, count * width).as_mut_ptr(),
                width,
            };
            from_lanes::<V, COLUMNS>(slope.as_ptr(), count, width, to);
        }
    }
}
