//! Norms and the rotary embedding.

use napi::Result;
use napi_derive::napi;

use crate::args::{In, Ints, Memory, Out, guard, invalid, length, outputs};
use crate::kernels::norm::{self, Saved, Weight, WeightGradients};
use crate::kernels::rotary::{self, Rotation};

use super::row_count;

/// y and the reciprocal root of each row.
#[napi]
pub fn rms_norm(x: In, weight: In, epsilon: f64, add_one: bool, y: Out, inverse: Out) -> Result<()> {
    guard("rms_norm", || {
        let [y, inverse] = outputs([y, inverse], &[&x, &weight])?;
        let (x, values) = (x.slice(), weight.slice());
        length("inverse", inverse, row_count("x", x, values.len())?)?;
        length("y", y, x.len())?;
        norm::rms_norm(x, Weight { values, add_one }, epsilon as f32, y, inverse);
        Ok(())
    })
}

/// dx and, where `dweight` is not empty, the weight's gradient.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn rms_norm_backward(
    dy: In,
    x: In,
    weight: In,
    inverse: In,
    add_one: bool,
    dx: Out,
    dweight: Out,
) -> Result<()> {
    guard("rms_norm_backward", || {
        let [dx, dweight] = outputs([dx, dweight], &[&dy, &x, &weight, &inverse])?;
        let weight = Weight {
            values: weight.slice(),
            add_one,
        };
        let saved = Saved {
            dy: dy.slice(),
            x: x.slice(),
            weight,
            mean: &[],
            inverse: inverse.slice(),
        };
        check_backward(saved, dx, &[("dweight", dweight)])?;
        norm::norm_backward(
            saved,
            dx,
            WeightGradients {
                weight: dweight,
                bias: &mut [],
            },
        );
        Ok(())
    })
}

fn check_backward(saved: Saved, dx: &[f32], sums: &[(&str, &[f32])]) -> Result<()> {
    let width = saved.weight.values.len();
    length("inverse", saved.inverse, row_count("x", saved.x, width)?)?;
    length("dy", saved.dy, saved.x.len())?;
    length("dx", dx, saved.x.len())?;
    for (name, sum) in sums.iter().filter(|(_, sum)| !sum.is_empty()) {
        length(name, sum, width)?;
    }
    Ok(())
}

/// y, mean and reciprocal deviation of each row.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn layer_norm(x: In, weight: In, bias: In, epsilon: f64, y: Out, mean: Out, inverse: Out) -> Result<()> {
    guard("layer_norm", || {
        let out = outputs([y, mean, inverse], &[&x, &weight, &bias])?;
        let (x, weight, bias) = (x.slice(), weight.slice(), bias.slice());
        let rows = row_count("x", x, weight.len())?;
        length("bias", bias, weight.len())?;
        length("y", out[0], x.len())?;
        length("mean", out[1], rows)?;
        length("inverse", out[2], rows)?;
        norm::layer_norm(x, [weight, bias], epsilon as f32, out);
        Ok(())
    })
}

/// dx and, where they are not empty, the gradients of weight and bias.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn layer_norm_backward(
    dy: In,
    x: In,
    weight: In,
    mean: In,
    inverse: In,
    dx: Out,
    dweight: Out,
    dbias: Out,
) -> Result<()> {
    guard("layer_norm_backward", || {
        let inputs: [&dyn Memory; 5] = [&dy, &x, &weight, &mean, &inverse];
        let [dx, dweight, dbias] = outputs([dx, dweight, dbias], &inputs)?;
        let weight = Weight {
            values: weight.slice(),
            add_one: false,
        };
        let (mean, inverse) = (mean.slice(), inverse.slice());
        let saved = Saved {
            dy: dy.slice(),
            x: x.slice(),
            weight,
            mean,
            inverse,
        };
        check_backward(saved, dx, &[("dweight", dweight), ("dbias", dbias)])?;
        length("mean", mean, inverse.len())?;
        norm::norm_backward(
            saved,
            dx,
            WeightGradients {
                weight: dweight,
                bias: dbias,
            },
        );
        Ok(())
    })
}

/// Turns the first columns of each head.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn rotary(
    x: In,
    heads: u32,
    positions: Ints,
    frequencies: In,
    scale: f64,
    inverse: bool,
    y: Out,
) -> Result<()> {
    guard("rotary", || {
        let [y] = outputs([y], &[&x, &positions, &frequencies])?;
        let (x, positions, frequencies) = (x.slice(), positions.slice(), frequencies.slice());
        length("y", y, x.len())?;
        if positions.is_empty() {
            return length("x", x, 0);
        }
        let width = row_count("x", x, positions.len())?;
        let heads = heads as usize;
        if heads == 0 || !width.is_multiple_of(heads) || width / heads < 2 * frequencies.len() {
            return Err(invalid(format!(
                "a row of {width} has no {heads} heads of {} columns",
                2 * frequencies.len()
            )));
        }
        rotary::rotary(
            x,
            Rotation {
                heads,
                positions,
                frequencies,
                scale: scale as f32,
                inverse,
            },
            y,
        );
        Ok(())
    })
}
