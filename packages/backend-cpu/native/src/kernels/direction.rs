//! BasicDirection and its backward kernel.

/// Shortest length that a row is divided by.
const SHORTEST: f64 = 1e-12;

/// Two rows, their lengths and their scalar product.
struct Pair {
    v_length: f64,
    r_length: f64,
    product: f64,
}

fn pair(v: &[f32], r: &[f32]) -> Pair {
    let mut sums = [[0f64; 3]; 4];
    for (i, (&v, &r)) in v.iter().zip(r).enumerate() {
        let (v, r) = (f64::from(v), f64::from(r));
        let sums = &mut sums[i % 4];
        sums[0] += v * v;
        sums[1] += r * r;
        sums[2] += v * r;
    }
    let sum = |k: usize| (sums[0][k] + sums[1][k]) + (sums[2][k] + sums[3][k]);
    Pair {
        v_length: sum(0).sqrt(),
        r_length: sum(1).sqrt(),
        product: sum(2),
    }
}

/// `loss = a * |v / max(|v|, 1e-12) - r / max(|r|, 1e-12)|^2` per row of `width`.
pub fn direction([v, r, a]: [&[f32]; 3], width: usize, loss: &mut [f32]) {
    for (i, loss) in loss.iter_mut().enumerate() {
        let cells = i * width..(i + 1) * width;
        let (v, r) = (&v[cells.clone()], &r[cells]);
        let Pair {
            v_length, r_length, ..
        } = pair(v, r);
        let (v_scale, r_scale) = (1.0 / v_length.max(SHORTEST), 1.0 / r_length.max(SHORTEST));
        let squares = v.iter().zip(r).map(|(&v, &r)| {
            let difference = f64::from(v) * v_scale - f64::from(r) * r_scale;
            difference * difference
        });
        *loss = (f64::from(a[i]) * squares.sum::<f64>()) as f32;
    }
}

/// Gradients of v and, where `dr` is not empty, of r. A row no longer than 1e-12 has none.
pub fn direction_backward(dloss: &[f32], [v, r, a]: [&[f32]; 3], width: usize, [dv, dr]: [&mut [f32]; 2]) {
    for (i, &dloss) in dloss.iter().enumerate() {
        let cells = i * width..(i + 1) * width;
        let (v, r) = (&v[cells.clone()], &r[cells.clone()]);
        let Pair {
            v_length,
            r_length,
            product,
        } = pair(v, r);
        let factor = -2.0 * f64::from(dloss) * f64::from(a[i]);
        // With u = v / |v|: -2 a (rhat - (u . rhat) u) / |v|.
        let toward = |x: &[f32], other: &[f32], lengths: (f64, f64), dx: &mut [f32]| {
            let (length, other_length) = (lengths.0, lengths.1.max(SHORTEST));
            if length <= SHORTEST {
                dx.fill(0.0);
                return;
            }
            let scale = factor / (length * other_length);
            let along = product / (length * length);
            for ((dx, &x), &other) in dx.iter_mut().zip(x).zip(other) {
                *dx = (scale * (f64::from(other) - along * f64::from(x))) as f32;
            }
        };
        toward(v, r, (v_length, r_length), &mut dv[cells.clone()]);
        if !dr.is_empty() {
            toward(r, v, (r_length, v_length), &mut dr[cells]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_row_has_a_loss_of_a_and_no_gradient() {
        let (v, r, a) = ([0.0, 0.0, 3.0, 4.0], [1.0, 0.0, 4.0, -3.0], [0.5, 1.0]);
        let (mut loss, mut dv, mut dr) = ([0.0; 2], [9.0; 4], [9.0; 4]);
        direction([&v, &r, &a], 2, &mut loss);
        assert_eq!(loss, [0.5, 2.0]);
        direction_backward(&[1.0, 1.0], [&v, &r, &a], 2, [&mut dv, &mut dr]);
        assert_eq!(dv[..2], [0.0, 0.0]);
        assert!(dr.iter().all(|value| value.is_finite()));
        // -2 (rhat - 0) / 5
        assert!((dv[2] + 0.32).abs() < 1e-6 && (dv[3] - 0.24).abs() < 1e-6);
    }
}
