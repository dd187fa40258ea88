//! BasicLinearCrossEntropy: the loss, and the gradient of each row by the way where it will be needed.

use std::borrow::Cow;

use super::support::{Shared, block, tasks, with_scratch};
use super::tile::{
    CHUNK, MOST_LANES, add_all_weighted, aligned, from_lanes, gather, scale_lanes, spread, to_lanes,
    with_padding,
};
use super::vector::{Rows, Vector};
use super::vocabulary::{Words, cap, largest};
use crate::with_vectors;

/// What both passes need. x [R, D], weight [V, D]; negative labels are ignored.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    pub x: &'a [f32],
    pub weight: &'a [f32],
    pub labels: &'a [i32],
    pub width: usize,
    pub vocabulary: usize,
    /// 0: none.
    pub softcap: f32,
    pub chunk_bytes: usize,
}

/// The rows that have a label, one after the other.
pub struct Supervised<'a> {
    pub rows: Vec<usize>,
    pub x: Cow<'a, [f32]>,
}

impl<'a> Inputs<'a> {
    pub fn supervised(&self) -> Supervised<'a> {
        let rows: Vec<usize> = (0..self.labels.len())
            .filter(|&row| self.labels[row] >= 0)
            .collect();
        let x = if rows.len() == self.labels.len() {
            Cow::Borrowed(self.x)
        } else {
            let row = |&row: &usize| &self.x[row * self.width..(row + 1) * self.width];
            Cow::Owned(rows.iter().flat_map(row).copied().collect())
        };
        Supervised { rows, x }
    }

    pub fn words(&self) -> Words<'a> {
        Words {
            table: self.weight,
            count: self.vocabulary,
            width: self.width,
        }
    }
}

/// Results of the forward pass: loss [R], log-sum-exp [R], and d loss / d x [R, D] or nothing.
pub struct Outputs<'a> {
    pub loss: &'a mut [f32],
    pub log_sum_exp: &'a mut [f32],
    /// Empty where it is not wanted. A row of it times the gradient of its loss is the gradient of x.
    pub slope: &'a mut [f32],
}

/// `loss = log-sum-exp - logit of the label` per row; all are 0 where the label is ignored.
pub fn cross_entropy(inputs: Inputs, out: Outputs) {
    let Supervised { rows, x } = inputs.supervised();
    let (words, width) = (inputs.words(), inputs.width);
    out.loss.fill(0.0);
    out.log_sum_exp.fill(0.0);
    out.slope.fill(0.0);
    let all = rows.len() == inputs.labels.len();
    let needs_slope = !out.slope.is_empty();
    let products = 1 + usize::from(needs_slope);
    let mut compact = vec![
        0f32;
        if all || !needs_slope {
            0
        } else {
            rows.len() * width
        }
    ];
    let call = Call {
        inputs,
        words,
        rows: &rows,
        x: &x,
        span: words.span(1, inputs.chunk_bytes),
        needs_slope,
        loss: Shared::new(out.loss),
        log_sum_exp: Shared::new(out.log_sum_exp),
        slope: Shared::new(if all { &mut *out.slope } else { &mut compact }),
    };
    let scratch = (2 * width + call.span) * MOST_LANES;
    tasks(
        Words::blocks(rows.len()),
        words.work(rows.len()) * products,
        |task| {
            let place = block(task, MOST_LANES, rows.len());
            with_scratch(with_padding(scratch), |scratch| {
                // SAFETY: tasks own disjoint rows.
                unsafe { run_rows(&call, place, aligned(scratch)) };
            });
        },
    );
    for (&row, source) in rows.iter().zip(compact.chunks_exact(width.max(1))) {
        out.slope[row * width..(row + 1) * width].copy_from_slice(source);
    }
}

struct Call<'a> {
    inputs: Inputs<'a>,
    words: Words<'a>,
    rows: &'a [usize],
    x: &'a [f32],
    span: usize,
    needs_slope: bool,
    loss: Shared<'a>,
    log_sum_exp: Shared<'a>,
    slope: Shared<'a>,
}

with_vectors! {
    /// # Safety
    /// No other task may run these rows.
    unsafe fn run_rows(call: &Call, rows: (usize, usize), scratch: &mut [f32]) =
        run[avx512: 12, 8, 2; avx2: 6, 4, 2; portable: 4, 4, 1]
}

#[inline(always)]
unsafe fn run<V: Vector, const WORDS: usize, const WIDTH: usize, const VECTORS: usize>(
    call: &Call,
    (first, count): (usize, usize),
    scratch: &mut [f32],
) {
    let mut start = first;
    while start < first + count {
        let left = first + count - start;
        // SAFETY: the caller's promise.
        unsafe {
            if left <= V::LANES || VECTORS == 1 {
                let rows = (start, left.min(V::LANES));
                run_block::<V, WORDS, WIDTH, 1>(call, rows, scratch);
                start += rows.1;
            } else {
                let rows = (start, left.min(VECTORS * V::LANES));
                run_block::<V, WORDS, WIDTH, VECTORS>(call, rows, scratch);
                start += rows.1;
            }
        }
    }
}

/// Sums of each lane over the words so far, relative to its largest logit.
struct Totals<V, const COLUMNS: usize> {
    most: [V; COLUMNS],
    sums: [f64; MOST_LANES],
    targets: [f32; MOST_LANES],
}

#[inline(always)]
unsafe fn run_block<V: Vector, const WORDS: usize, const WIDTH: usize, const COLUMNS: usize>(
    call: &Call,
    (start, count): (usize, usize),
    scratch: &mut [f32],
) {
    let (words, width, lanes) = (call.words, call.words.width, COLUMNS * V::LANES);
    let (x, rest) = scratch.split_at_mut(width * lanes);
    let (slope, logits) = rest.split_at_mut(width * lanes);
    // SAFETY: the caller's promise; slices are as long as their rows of lanes.
    unsafe {
        let source = Rows {
            start: call.x[start * width..].as_ptr(),
            width,
        };
        to_lanes::<V, COLUMNS>(source, count, width, x.as_mut_ptr());
        slope.fill(0.0);
        let mut totals = Totals {
            most: [V::splat(f32::NEG_INFINITY); COLUMNS],
            sums: [0.0; MOST_LANES],
            targets: [0.0; MOST_LANES],
        };
        for word in (0..words.count).step_by(call.span) {
            let number = call.span.min(words.count - word);
            let logits = &mut logits[..number * lanes];
            words.logits::<V, WORDS, COLUMNS>([word, number], x, logits);
            if call.inputs.softcap > 0.0 {
                cap(logits, call.inputs.softcap);
            }
            take_targets(
                call,
                (start, count),
                [word, number, lanes],
                logits,
                &mut totals.targets,
            );
            let factor = exponentials::<V, COLUMNS>(logits, call.inputs.softcap, &mut totals);
            if call.needs_slope {
                if word > 0 {
                    scale_lanes::<V, COLUMNS>(slope, factor);
                }
                let size = [number, width];
                add_all_weighted::<V, WIDTH, COLUMNS>(words.rows(word), size, logits, slope.as_mut_ptr());
            }
        }
        store::<V, COLUMNS>(call, (start, count), slope, &totals);
    }
}

/// Logits of the labels that lie in a span.
fn take_targets(
    call: &Call,
    (start, count): (usize, usize),
    [word, number, lanes]: [usize; 3],
    logits: &[f32],
    targets: &mut [f32; MOST_LANES],
) {
    for (i, &row) in call.rows[start..start + count].iter().enumerate() {
        let label = call.inputs.labels[row] as usize;
        if (word..word + number).contains(&label) {
            targets[i] = logits[(label - word) * lanes + i];
        }
    }
}

/// Logits to exponentials relative to the largest so far, times the slope of the cap; adds up their sums.
///
/// Returns what earlier sums had to be multiplied by.
#[inline(always)]
unsafe fn exponentials<V: Vector, const COLUMNS: usize>(
    logits: &mut [f32],
    softcap: f32,
    totals: &mut Totals<V, COLUMNS>,
) -> [V; COLUMNS] {
    let lanes = COLUMNS * V::LANES;
    // SAFETY: `logits` holds whole rows of lanes.
    unsafe {
        let before = totals.most;
        let most = largest(logits, before);
        let factor: [V; COLUMNS] = std::array::from_fn(|j| before[j].sub(most[j]).exp());
        for (sum, factor) in totals.sums.iter_mut().zip(spread(factor)) {
            *sum *= f64::from(factor);
        }
        let (one, uncapped) = (V::splat(1.0), V::splat(1.0 / softcap));
        for chunk in logits.chunks_mut(CHUNK * lanes) {
            let mut sums = [V::splat(0.0); COLUMNS];
            for row in chunk.chunks_exact_mut(lanes) {
                for (j, sum) in sums.iter_mut().enumerate() {
                    let cell = row.as_mut_ptr().add(j * V::LANES);
                    let logit = V::load(cell);
                    let value = logit.sub(most[j]).exp();
                    *sum = sum.add(value);
                    if softcap > 0.0 {
                        let bounded = logit.mul(uncapped);
                        value.mul(one.sub(bounded.mul(bounded))).store(cell);
                    } else {
                        value.store(cell);
                    }
                }
            }
            for (total, sum) in totals.sums.iter_mut().zip(spread(sums)) {
                *total += f64::from(sum);
            }
        }
        totals.most = most;
        factor
    }
}

/// Writes the results of a block; `slope` holds the sums of exponentials times words.
#[inline(always)]
unsafe fn store<V: Vector, const COLUMNS: usize>(
    call: &Call,
    (start, count): (usize, usize),
    slope: &mut [f32],
    totals: &Totals<V, COLUMNS>,
) {
    let (width, softcap) = (call.words.width, call.inputs.softcap);
    // SAFETY: rows of this task alone.
    unsafe {
        let most = spread(totals.most).map(f64::from);
        for (i, &row) in call.rows[start..start + count].iter().enumerate() {
            let (target, log) = (f64::from(totals.targets[i]), totals.sums[i].ln());
            call.log_sum_exp.part(row, 1)[0] = (most[i] + log) as f32;
            call.loss.part(row, 1)[0] = (most[i] - target + log) as f32;
        }
        if !call.needs_slope {
            return;
        }
        let inverse = totals.sums.map(|sum| (1.0 / sum) as f32);
        scale_lanes::<V, COLUMNS>(slope, gather(&inverse));
        let out = call.slope.part(start * width, count * width);
        let to = Rows {
            start: out.as_mut_ptr(),
            width,
        };
        from_lanes::<V, COLUMNS>(slope.as_ptr(), count, width, to);
        for (i, out) in out.chunks_exact_mut(width).enumerate() {
            let label = call.inputs.labels[call.rows[start + i]] as usize;
            let bounded = if softcap > 0.0 {
                totals.targets[i] / softcap
            } else {
                0.0
            };
            let factor = bounded * bounded - 1.0;
            for (out, &weight) in out.iter_mut().zip(&call.words.table[label * width..]) {
                *out += factor * weight;
            }
        }
    }
}
