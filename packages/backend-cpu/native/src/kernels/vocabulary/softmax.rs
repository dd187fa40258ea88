//! Passes over rows of logits.

use crate::kernels::vector::{Vector, load_some, store_some};
use crate::with_vectors;

/// Words that are summed in float32 before their sum is added in float64.
const CHUNK: usize = 2048;
/// Maxima side by side: one takes several cycles.
const SIDE: usize = 4;

/// Runs the body with the start of every vector of a row and the number of its lanes that exist.
///
/// Not a function: its body would be a closure, which does not have the caller's instruction set.
macro_rules! for_vectors {
    ($V:ident, $length:expr, |$at:ident, $n:ident| $body:block) => {
        let length = $length;
        let mut $at = 0;
        while $at < length {
            let $n = $V::LANES.min(length - $at);
            $body
            $at += $V::LANES;
        }
    };
}

/// Sum of exponentials over the words so far, relative to the largest logit.
#[derive(Clone, Copy, Debug)]
pub struct Total {
    pub most: f32,
    pub sum: f64,
}

impl Total {
    pub const EMPTY: Self = Self {
        most: f32::NEG_INFINITY,
        sum: 0.0,
    };

    /// Makes it relative to a logit that is at least as large. Returns what sums so far had to be multiplied by.
    pub fn raise(&mut self, most: f32) -> f32 {
        let factor = if self.most == most {
            1.0
        } else {
            f64::from(self.most - most).exp()
        };
        self.most = most;
        self.sum *= factor;
        factor as f32
    }

    pub fn log_sum_exp(self) -> f32 {
        (f64::from(self.most) + self.sum.ln()) as f32
    }

    /// What turns the exponentials into probabilities.
    pub fn inverse(self) -> f32 {
        (1.0 / self.sum) as f32
    }
}

with_vectors! {
    /// # Safety
    /// None.
    unsafe fn find_largest(row: &[f32], most: &mut f32) = largest_of[avx512: ; avx2: ; portable: ]
}

/// The largest logit, at least `most`.
pub fn largest(row: &[f32], mut most: f32) -> f32 {
    // SAFETY: dispatched by what the CPU has.
    unsafe { find_largest(row, &mut most) };
    most
}

#[inline(always)]
unsafe fn largest_of<V: Vector>(row: &[f32], out: &mut f32) {
    let most = *out;
    let whole = row.len() / (SIDE * V::LANES) * SIDE * V::LANES;
    let mut lanes = [most; 64];
    // SAFETY: whole groups of vectors of the row; `lanes` has room for SIDE of them.
    unsafe {
        let mut mosts = [V::splat(most); SIDE];
        for start in (0..whole).step_by(SIDE * V::LANES) {
            for (j, most) in mosts.iter_mut().enumerate() {
                *most = V::load(row.as_ptr().add(start + j * V::LANES)).max(*most);
            }
        }
        for (j, most) in mosts.into_iter().enumerate() {
            most.store(lanes.as_mut_ptr().add(j * V::LANES));
        }
    }
    let lanes = lanes[..SIDE * V::LANES].iter();
    *out = lanes
        .chain(&row[whole..])
        .fold(most, |most, &x| if x > most { x } else { most });
}

with_vectors! {
    /// Logits to `exp(logit - most)`; adds them up. With a `softcap`, what is stored is times the slope of the cap.
    ///
    /// # Safety
    /// None.
    pub unsafe fn exponentials(row: &mut [f32], softcap: f32, total: &mut Total) =
        exponentials_of[avx512: ; avx2: ; portable: ]
}

#[inline(always)]
unsafe fn exponentials_of<V: Vector>(row: &mut [f32], softcap: f32, total: &mut Total) {
    // SAFETY: the vectors' own features are the caller's promise.
    unsafe {
        let most = V::splat(total.most);
        for chunk in row.chunks_mut(CHUNK) {
            let mut sum = V::splat(0.0);
            for_vectors!(V, chunk.len(), |at, n| {
                let cell = chunk.as_mut_ptr().add(at);
                let logit = load_some::<V>(cell, n);
                let value = logit.sub(most).exp();
                sum = sum.add(existing(value, n));
                store_some(times_slope(value, logit, softcap), cell, n);
            });
            total.sum += reduce(sum);
        }
    }
}

/// Two rows of logits, the sums of their exponentials, and the sum of `exp(r - most r) ((r - most r) - (v - most v))`.
pub struct Pair<'a> {
    pub v: &'a mut [f32],
    pub r: &'a mut [f32],
    pub totals: &'a mut [Total; 2],
    pub cross: &'a mut f64,
    /// Whether the exponentials are stored.
    pub stored: bool,
}

with_vectors! {
    /// Adds up exponentials of both rows, relative to the largest logits.
    ///
    /// # Safety
    /// Both rows have the same length.
    pub unsafe fn pair_exponentials(pair: Pair) = pair_exponentials_of[avx512: ; avx2: ; portable: ]
}

#[inline(always)]
unsafe fn pair_exponentials_of<V: Vector>(pair: Pair) {
    // SAFETY: the caller's promise.
    unsafe {
        let [most_v, most_r] = pair.totals.map(|total| V::splat(total.most));
        for (v, r) in pair.v.chunks_mut(CHUNK).zip(pair.r.chunks_mut(CHUNK)) {
            let zero = V::splat(0.0);
            let (mut sum_v, mut sum_r, mut cross) = (zero, zero, zero);
            for_vectors!(V, v.len(), |at, n| {
                let (v, r) = (v.as_mut_ptr().add(at), r.as_mut_ptr().add(at));
                let (below_v, below_r) = (load_some::<V>(v, n).sub(most_v), load_some::<V>(r, n).sub(most_r));
                let (value_v, value_r) = (below_v.exp(), existing(below_r.exp(), n));
                sum_v = sum_v.add(existing(value_v, n));
                sum_r = sum_r.add(value_r);
                cross = value_r.fma(below_r.sub(below_v), cross);
                if pair.stored {
                    store_some(value_v, v, n);
                    store_some(value_r, r, n);
                }
            });
            pair.totals[0].sum += reduce(sum_v);
            pair.totals[1].sum += reduce(sum_r);
            *pair.cross += reduce(cross);
        }
    }
}

with_vectors! {
    /// `v = v / sum of v - r / sum of r`, from exponentials or sums that are linear in them.
    ///
    /// # Safety
    /// Both rows have the same length.
    pub unsafe fn difference(v: &mut [f32], r: &[f32], by: [f32; 2]) = difference_of[avx512: ; avx2: ; portable: ]
}

#[inline(always)]
unsafe fn difference_of<V: Vector>(v: &mut [f32], r: &[f32], by: [f32; 2]) {
    // SAFETY: the caller's promise.
    unsafe {
        let [by_v, by_r] = by.map(|by| V::splat(by));
        for_vectors!(V, v.len(), |at, n| {
            let cell = v.as_mut_ptr().add(at);
            let r = load_some::<V>(r.as_ptr().add(at), n).mul(by_r);
            store_some(load_some::<V>(cell, n).mul(by_v).sub(r), cell, n);
        });
    }
}

with_vectors! {
    /// `row * factor` in place.
    ///
    /// # Safety
    /// None.
    pub unsafe fn scale(row: &mut [f32], factor: f32) = scale_of[avx512: ; avx2: ; portable: ]
}

#[inline(always)]
unsafe fn scale_of<V: Vector>(row: &mut [f32], factor: f32) {
    // SAFETY: the vectors' own features are the caller's promise.
    unsafe {
        let factor = V::splat(factor);
        for_vectors!(V, row.len(), |at, n| {
            let cell = row.as_mut_ptr().add(at);
            store_some(load_some::<V>(cell, n).mul(factor), cell, n);
        });
    }
}

with_vectors! {
    /// Logits to `scale * exp(logit - lse)`, with a `softcap` times the slope of the cap.
    ///
    /// # Safety
    /// None.
    pub unsafe fn probabilities(row: &mut [f32], softcap: f32, lse: f32, scale: f32) =
        probabilities_of[avx512: ; avx2: ; portable: ]
}

#[inline(always)]
unsafe fn probabilities_of<V: Vector>(row: &mut [f32], softcap: f32, lse: f32, scale: f32) {
    // SAFETY: the vectors' own features are the caller's promise.
    unsafe {
        let (lse, scale) = (V::splat(lse), V::splat(scale));
        for_vectors!(V, row.len(), |at, n| {
            let cell = row.as_mut_ptr().add(at);
            let logit = load_some::<V>(cell, n);
            let value = logit.sub(lse).exp().mul(scale);
            store_some(times_slope(value, logit, softcap), cell, n);
        });
    }
}

/// What the gradients of a divergence need of a row.
#[derive(Clone, Copy)]
pub struct Divergence {
    /// Gradient of the loss times its weight.
    pub scale: f32,
    pub kl: f32,
    pub lse_v: f32,
    pub lse_r: f32,
}

with_vectors! {
    /// Logits v to `scale (p - q)`, and with `refined` logits r to `scale q (log q - log p - kl)`.
    ///
    /// # Safety
    /// Both rows have the same length.
    pub unsafe fn divergence_gradients(v: &mut [f32], r: &mut [f32], of: Divergence, refined: bool) =
        divergence_gradients_of[avx512: ; avx2: ; portable: ]
}

#[inline(always)]
unsafe fn divergence_gradients_of<V: Vector>(v: &mut [f32], r: &mut [f32], of: Divergence, refined: bool) {
    // SAFETY: the caller's promise.
    unsafe {
        let [scale, kl] = [of.scale, of.kl].map(|x| V::splat(x));
        let [lse_v, lse_r] = [of.lse_v, of.lse_r].map(|x| V::splat(x));
        for_vectors!(V, v.len(), |at, n| {
            let (v, r) = (v.as_mut_ptr().add(at), r.as_mut_ptr().add(at));
            let (log_v, log_r) = (load_some::<V>(v, n).sub(lse_v), load_some::<V>(r, n).sub(lse_r));
            let target = log_r.exp();
            store_some(scale.mul(log_v.exp().sub(target)), v, n);
            if refined {
                store_some(scale.mul(target).mul(log_r.sub(log_v).sub(kl)), r, n);
            }
        });
    }
}

/// `value` times the slope of the cap at a capped logit; a `softcap` of 0 is none.
#[inline(always)]
unsafe fn times_slope<V: Vector>(value: V, logit: V, softcap: f32) -> V {
    if softcap <= 0.0 {
        return value;
    }
    // SAFETY: the vectors' own features are the caller's promise.
    unsafe {
        let bounded = logit.mul(V::splat(1.0 / softcap));
        value.mul(V::splat(1.0).sub(bounded.mul(bounded)))
    }
}

/// 0 in lanes from `n` on.
#[inline(always)]
unsafe fn existing<V: Vector>(vector: V, n: usize) -> V {
    // SAFETY: the vectors' own features are the caller's promise.
    unsafe {
        if n == V::LANES {
            vector
        } else {
            vector.keep(0, n, V::splat(0.0))
        }
    }
}

/// Sum of the lanes.
#[inline(always)]
unsafe fn reduce<V: Vector>(vector: V) -> f64 {
    let mut lanes = [0f32; 16];
    // SAFETY: at most 16 lanes.
    unsafe { vector.store(lanes.as_mut_ptr()) };
    lanes.iter().map(|&lane| f64::from(lane)).sum()
}
