//! BasicLinearKlBackward: recomputes the logits from the log-sum-exps.

use super::kl::Inputs;
use super::support::{Shared, block, tasks, with_scratch};
use super::tile::{CHUNK, MOST_LANES, add_weighted, aligned, from_lanes, gather, to_lanes, with_padding};
use super::vector::{Rows, Vector};
use super::vocabulary::Words;
use crate::with_vectors;

/// What the forward pass saved, and the gradient of the loss.
#[derive(Clone, Copy)]
pub struct Saved<'a> {
    pub dloss: &'a [f32],
    pub kl: &'a [f32],
    pub lse_v: &'a [f32],
    pub lse_r: &'a [f32],
}

/// Gradients of v and, where `dr` is not empty, of r.
pub fn linear_kl_backward(inputs: Inputs, saved: Saved, dv: &mut [f32], dr: &mut [f32]) {
    let (words, rows) = (inputs.words(), inputs.a.len());
    let call = Call {
        inputs,
        saved,
        words,
        needs_refined: !dr.is_empty(),
        out: [dv, dr].map(Shared::new),
    };
    let scratch = with_padding((4 * words.width + 2 * CHUNK) * MOST_LANES);
    tasks(Words::blocks(rows), words.work(rows) * 3, |task| {
        let place = block(task, MOST_LANES, rows);
        // SAFETY: tasks own disjoint rows.
        with_scratch(scratch, |scratch| unsafe {
            run_rows(&call, place, aligned(scratch));
        });
    });
}

struct Call<'a> {
    inputs: Inputs<'a>,
    saved: Saved<'a>,
    words: Words<'a>,
    needs_refined: bool,
    out: [Shared<'a>; 2],
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
    let (words, width, lanes) = (call.words, call.words.width, COLUMNS * V::LANES);
    let (rows, rest) = scratch.split_at_mut(2 * width * lanes);
    let (gradients, cells) = rest.split_at_mut(2 * width * lanes);
    let (cells_v, cells_r) = cells.split_at_mut(CHUNK * lanes);
    let pairs = [call.inputs.v, call.inputs.r];
    for start in (first..first + count).step_by(lanes) {
        let count = lanes.min(first + count - start);
        // SAFETY: the caller's promise; slices are as long as their rows of lanes.
        unsafe {
            for (from, to) in pairs.iter().zip(rows.chunks_exact_mut(width * lanes)) {
                let source = Rows {
                    start: from[start * width..].as_ptr(),
                    width,
                };
                to_lanes::<V, COLUMNS>(source, count, width, to.as_mut_ptr());
            }
            let (v, r) = rows.split_at(width * lanes);
            let (into_v, into_r) = gradients.split_at_mut(width * lanes);
            into_v.fill(0.0);
            into_r.fill(0.0);
            for word in (0..words.count).step_by(CHUNK) {
                let number = CHUNK.min(words.count - word);
                let cells_v = &mut cells_v[..number * lanes];
                let cells_r = &mut cells_r[..number * lanes];
                words.logits::<V, WORDS, COLUMNS>([word, number], v, cells_v);
                words.logits::<V, WORDS, COLUMNS>([word, number], r, cells_r);
                call.gradients::<V, COLUMNS>((start, count), cells_v, cells_r);
                let (table, size) = (words.rows(word), [number, width]);
                add_weighted::<V, WIDTH, COLUMNS>(table, size, cells_v.as_ptr(), into_v.as_mut_ptr());
                if call.needs_refined {
                    add_weighted::<V, WIDTH, COLUMNS>(table, size, cells_r.as_ptr(), into_r.as_mut_ptr());
                }
            }
            let wanted = 1 + usize::from(call.needs_refined);
            for (out, lanes) in call.out.iter().zip([into_v, into_r]).take(wanted) {
                let to = Rows {
                    start: out.part(start * width, count * width).as_mut_ptr(),
                    width,
                };
                from_lanes::<V, COLUMNS>(lanes.as_ptr(), count, width, to);
            }
        }
    }
}

impl Call<'_> {
    /// Logits of v and r to their gradients, in place.
    #[inline(always)]
    unsafe fn gradients<V: Vector, const COLUMNS: usize>(
        &self,
        (start, count): (usize, usize),
        v: &mut [f32],
        r: &mut [f32],
    ) {
        let Saved {
            dloss,
            kl,
            lse_v,
            lse_r,
        } = self.saved;
        let mut lanes_of = [[0f32; MOST_LANES]; 4];
        for i in 0..count {
            let row = start + i;
            let scale = dloss[row] * self.inputs.a[row];
            for (lanes, value) in lanes_of.iter_mut().zip([scale, kl[row], lse_v[row], lse_r[row]]) {
                lanes[i] = value;
            }
        }
        let lanes = COLUMNS * V::LANES;
        // SAFETY: both slices hold whole rows of lanes.
        unsafe {
            let [scale, kl, lse_v, lse_r]: [[V; COLUMNS]; 4] = std::array::from_fn(|i| gather(&lanes_of[i]));
            for (v, r) in v.chunks_exact_mut(lanes).zip(r.chunks_exact_mut(lanes)) {
                for j in 0..COLUMNS {
                    let v = v.as_mut_ptr().add(j * V::LANES);
                    let r = r.as_mut_ptr().add(j * V::LANES);
                    let (log_v, log_r) = (V::load(v).sub(lse_v[j]), V::load(r).sub(lse_r[j]));
                    let target = log_r.exp();
                    scale[j].mul(log_v.exp().sub(target)).store(v);
                    if self.needs_refined {
                        let gap = log_r.sub(log_v).sub(kl[j]);
                        scale[j].mul(target).mul(gap).store(r);
                    }
                }
            }
        }
    }
}
