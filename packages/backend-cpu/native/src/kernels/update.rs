//! BasicSquaredNorm and BasicAdamw.

use super::support::{Shared, block, tasks};
use crate::multiversion;
use crate::simd::dot;

/// Elements of a task.
const CHUNK: usize = 1 << 14;

/// Sum of squares: float32 in fixed lanes of short pieces, float64 over the pieces.
pub fn squared_norm(x: &[f32]) -> f64 {
    let mut sums = vec![0f64; x.len().div_ceil(CHUNK)];
    let shared = Shared::new(&mut sums);
    tasks(shared.length(), x.len(), |task| {
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

/// Settings of a step of AdamW.
#[derive(Clone, Copy)]
pub struct Adamw {
    pub learning_rate: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub weight_decay: f64,
    pub step: f64,
}

/// Factors of one step, in float32.
#[derive(Clone, Copy)]
struct Factors {
    gradient: f32,
    beta1: f32,
    rest1: f32,
    beta2: f32,
    rest2: f32,
    keep: f32,
    size: f32,
    root: f32,
    epsilon: f32,
}

/// One step of AdamW in place; `control` is [gradient scale, update 0 or 1].
pub fn adamw([parameter, m, v]: [&mut [f32]; 3], gradient: &[f32], settings: Adamw, control: [f32; 2]) {
    if control[1] == 0.0 {
        return;
    }
    let Adamw {
        learning_rate,
        beta1,
        beta2,
        epsilon,
        weight_decay,
        step,
    } = settings;
    let factors = Factors {
        gradient: control[0],
        beta1: beta1 as f32,
        rest1: (1.0 - beta1) as f32,
        beta2: beta2 as f32,
        rest2: (1.0 - beta2) as f32,
        keep: (1.0 - learning_rate * weight_decay) as f32,
        size: (learning_rate / (1.0 - beta1.powf(step))) as f32,
        root: (1.0 / (1.0 - beta2.powf(step)).sqrt()) as f32,
        epsilon: epsilon as f32,
    };
    let [parameter, m, v] = [parameter, m, v].map(Shared::new);
    tasks(gradient.len().div_ceil(CHUNK), gradient.len() * 8, |task| {
        let (start, count) = block(task, CHUNK, gradient.len());
        // SAFETY: tasks own disjoint elements.
        let [parameter, m, v] = [parameter, m, v].map(|all| unsafe { all.part(start, count) });
        update(parameter, &gradient[start..start + count], m, v, factors);
    });
}

multiversion! {
    fn update(parameter: &mut [f32], gradient: &[f32], m: &mut [f32], v: &mut [f32], f: Factors) {
        for (((p, &g), m), v) in parameter.iter_mut().zip(gradient).zip(m).zip(v) {
            let g = g * f.gradient;
            *m = f.beta1 * *m + f.rest1 * g;
            *v = f.beta2 * *v + f.rest2 * (g * g);
            *p = *p * f.keep - f.size * *m / (v.sqrt() * f.root + f.epsilon);
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
            learning_rate: 0.1,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.5,
            step: 1.0,
        };
        adamw([&mut p, &mut m, &mut v], &[f32::NAN], settings, [0.0, 0.0]);
        assert_eq!((p, m, v), ([1.0], [2.0], [3.0]));
        // The first step moves by the learning rate against the sign of the gradient, after the decay.
        let (mut m, mut v) = ([0.0], [0.0]);
        adamw([&mut p, &mut m, &mut v], &[-4.0], settings, [0.5, 1.0]);
        assert!((p[0] - (0.95 + 0.1)).abs() < 1e-6);
    }

    #[test]
    fn the_squared_norm_of_many_equal_values_is_exact_enough() {
        let x = vec![0.1f32; 100_000];
        let expected = f64::from(0.1f32).powi(2) * 100_000.0;
        assert!((squared_norm(&x) / expected - 1.0).abs() < 1e-6);
    }
}
