//! BasicSquaredNorm and BasicAdamw.

use super::moments::{self, Packing};
use super::support::{Shared, block, tasks};
use crate::multiversion;
use crate::simd::dot;

/// Elements of a task.
const CHUNK: usize = 1 << 14;

/// Sum of squares: float32 in fixed lanes of short pieces, float64 over the pieces.
pub fn squared_norm(x: &[f32]) -> f64 {
    let mut sums = vec![0f64; x.len().div_ceil(CHUNK)];
    let shared = Shared::new(&mut sums);
    tasks(shared.length(), x.len() * 8, |task| {
        let (start, count) = block(task, CHUNK, x.len());
        // SAFETY: tasks own disjoint elements.
        unsafe { shared.part(task, 1)[0] = squares(&x[start..start + count]) };
    });
    sums.iter().sum()
}

multiversion! {
    fn squares(x: &[f32]) -> f64 {
        let mut sum = 0.0;
        for piece in x.chunks(1024) {
            sum += f64::from(dot::<FMA>(piece, piece));
        }
        sum
    }
}

/// Settings of a step of AdamW for all tensors.
#[derive(Clone, Copy)]
pub struct Adamw {
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub step: f64,
}

/// Both moments of a tensor, as stored.
pub enum Moments<'a> {
    Floats(&'a mut [f32], &'a mut [f32]),
    Bf16(&'a mut [u16], &'a mut [u16]),
    Int8(&'a mut [i32], &'a mut [i32]),
}

/// A tensor to update.
pub struct Tensor<'a> {
    pub parameter: &'a mut [f32],
    pub gradient: &'a [f32],
    pub moments: Moments<'a>,
    pub learning_rate: f64,
    pub weight_decay: f64,
}

/// Factors of one step, in float32.
#[derive(Clone, Copy)]
pub struct Factors {
    gradient: f32,
    beta1: f32,
    rest1: f32,
    beta2: f32,
    rest2: f32,
    keep: f32,
    size: f32,
    root: f32,
    epsilon: f32,
    pub step: u32,
}

/// One step of AdamW in place; `control` is [gradient scale, update 0 or 1].
pub fn adamw(tensors: Vec<Tensor>, settings: Adamw, control: [f32; 2]) {
    if control[1] == 0.0 {
        return;
    }
    let work = tensors.iter().map(|tensor| tensor.gradient.len() * 8).sum();
    let parts: Vec<Part> = tensors
        .into_iter()
        .map(|tensor| Part::new(tensor, settings, control[0]))
        .collect();
    let cuts: Vec<(usize, usize)> = (parts.iter().enumerate())
        .flat_map(|(i, part)| (0..part.gradient.len().div_ceil(CHUNK)).map(move |chunk| (i, chunk)))
        .collect();
    tasks(cuts.len(), work, |task| {
        let (tensor, chunk) = cuts[task];
        // SAFETY: each chunk of each tensor is the task of one thread.
        unsafe { parts[tensor].update(chunk) };
    });
}

#[derive(Clone, Copy)]
enum Stored<'a> {
    Floats(Shared<'a>, Shared<'a>),
    Bf16(Shared<'a, u16>, Shared<'a, u16>),
    Int8(Shared<'a, i32>, Shared<'a, i32>),
}

/// A tensor of which tasks update chunks.
struct Part<'a> {
    parameter: Shared<'a>,
    gradient: &'a [f32],
    stored: Stored<'a>,
    factors: Factors,
}

impl<'a> Part<'a> {
    fn new(tensor: Tensor<'a>, settings: Adamw, gradient_scale: f32) -> Self {
        let Adamw {
            beta1,
            beta2,
            epsilon,
            step,
        } = settings;
        let rate = tensor.learning_rate;
        let factors = Factors {
            gradient: gradient_scale,
            beta1: beta1 as f32,
            rest1: (1.0 - beta1) as f32,
            beta2: beta2 as f32,
            rest2: (1.0 - beta2) as f32,
            keep: (1.0 - rate * tensor.weight_decay) as f32,
            size: (rate / (1.0 - beta1.powf(step))) as f32,
            root: (1.0 / (1.0 - beta2.powf(step)).sqrt()) as f32,
            epsilon: epsilon as f32,
            step: step as u64 as u32,
        };
        let stored = match tensor.moments {
            Moments::Floats(m, v) => Stored::Floats(Shared::new(m), Shared::new(v)),
            Moments::Bf16(m, v) => Stored::Bf16(Shared::new(m), Shared::new(v)),
            Moments::Int8(m, v) => Stored::Int8(Shared::new(m), Shared::new(v)),
        };
        Self {
            parameter: Shared::new(tensor.parameter),
            gradient: tensor.gradient,
            stored,
            factors,
        }
    }

    /// # Safety
    /// No other task may update the same chunk at the same time.
    unsafe fn update(&self, chunk: usize) {
        let (start, count) = block(chunk, CHUNK, self.gradient.len());
        let gradient = &self.gradient[start..start + count];
        // SAFETY: the caller's promise, here and below; chunks are whole blocks of packed moments.
        let parameter = unsafe { self.parameter.part(start, count) };
        let (f, first) = (self.factors, start as u32);
        match self.stored {
            Stored::Floats(m, v) => {
                let [m, v] = [m, v].map(|all| unsafe { all.part(start, count) });
                update(parameter, gradient, m, v, f);
            }
            Stored::Bf16(m, v) => {
                let [m, v] = [m, v].map(|all| unsafe { all.part(start, count) });
                moments::update_bf16(parameter, gradient, m, v, f, first);
            }
            Stored::Int8(m, v) => {
                let place = start / moments::BLOCK * moments::BLOCK_WORDS;
                let words = Packing::Int8.words(count);
                let [m, v] = [m, v].map(|all| unsafe { all.part(place, words) });
                moments::update_int8(parameter, gradient, m, v, f, first);
            }
        }
    }
}

/// Parameter and moments of one element after a step.
#[inline(always)]
pub fn step(p: f32, g: f32, m: f32, v: f32, f: &Factors) -> (f32, f32, f32) {
    let g = g * f.gradient;
    let m = f.beta1 * m + f.rest1 * g;
    let v = f.beta2 * v + f.rest2 * (g * g);
    (p * f.keep - f.size * m / (v.sqrt() * f.root + f.epsilon), m, v)
}

multiversion! {
    fn update(parameter: &mut [f32], gradient: &[f32], m: &mut [f32], v: &mut [f32], f: Factors) {
        for (((p, &g), m), v) in parameter.iter_mut().zip(gradient).zip(m).zip(v) {
            (*p, *m, *v) = step(*p, g, *m, *v, &f);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_changes_without_an_update() {
        let (mut p, mut m, mut v) = ([1.0], [2.0], [3.0]);
        let settings = Adamw {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            step: 1.0,
        };
        fn tensor<'a>(p: &'a mut [f32], g: &'a [f32], m: &'a mut [f32], v: &'a mut [f32]) -> Tensor<'a> {
            Tensor {
                parameter: p,
                gradient: g,
                moments: Moments::Floats(m, v),
                learning_rate: 0.1,
                weight_decay: 0.5,
            }
        }
        adamw(
            vec![tensor(&mut p, &[f32::NAN], &mut m, &mut v)],
            settings,
            [0.0, 0.0],
        );
        assert_eq!((p, m, v), ([1.0], [2.0], [3.0]));
        // The first step moves by the learning rate against the sign of the gradient, after the decay.
        let (mut m, mut v) = ([0.0], [0.0]);
        adamw(
            vec![tensor(&mut p, &[-4.0], &mut m, &mut v)],
            settings,
            [0.5, 1.0],
        );
        assert!((p[0] - (0.95 + 0.1)).abs() < 1e-6);
    }

    #[test]
    fn the_squared_norm_of_many_equal_values_is_exact_enough() {
        let x = vec![0.1f32; 100_000];
        let expected = f64::from(0.1f32).powi(2) * 100_000.0;
        assert!((squared_norm(&x) / expected - 1.0).abs() < 1e-6);
    }
}
