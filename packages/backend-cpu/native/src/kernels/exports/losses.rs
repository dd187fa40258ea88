//! Losses.

use napi::Result;
use napi_derive::napi;

use crate::args::{In, Ints, Memory, Out, guard, length, outputs, product};
use crate::kernels::direction;
use crate::kernels::vocabulary::cross_entropy::{self, Inputs};
use crate::kernels::vocabulary::cross_entropy_backward::cross_entropy_backward;
use crate::kernels::vocabulary::{kl, kl_backward};

use super::{in_range, row_count};

/// Labels of a cross entropy and how it is computed.
#[napi(object, object_to_js = false)]
pub struct CrossEntropyOptions {
    pub labels: Ints,
    pub width: u32,
    pub softcap: f64,
    pub chunk_bytes: f64,
}

fn checked<'a>(x: In, weight: In, options: &CrossEntropyOptions) -> Result<Inputs<'a>> {
    let (x, weight, labels) = (x.slice(), weight.slice(), options.labels.slice());
    let width = options.width as usize;
    let vocabulary = row_count("weight", weight, width)?;
    length("labels", labels, row_count("x", x, width)?)?;
    in_range("labels", labels, i64::from(i32::MIN), vocabulary)?;
    let (softcap, chunk_bytes) = (options.softcap as f32, options.chunk_bytes as usize);
    Ok(Inputs {
        x,
        weight,
        labels,
        width,
        vocabulary,
        softcap,
        chunk_bytes,
    })
}

/// loss, log-sum-exp and, where `slope` is not empty, the gradient of the loss per row; 0 where the label is negative.
#[napi]
pub fn linear_cross_entropy(
    x: In,
    weight: In,
    options: CrossEntropyOptions,
    loss: Out,
    log_sum_exp: Out,
    slope: Out,
) -> Result<()> {
    guard("linear_cross_entropy", || {
        let [loss, log_sum_exp, slope] =
            outputs([loss, log_sum_exp, slope], &[&x, &weight, &options.labels])?;
        let inputs = checked(x, weight, &options)?;
        length("loss", loss, inputs.labels.len())?;
        length("log_sum_exp", log_sum_exp, inputs.labels.len())?;
        if !slope.is_empty() {
            length("slope", slope, inputs.x.len())?;
        }
        cross_entropy::cross_entropy(
            inputs,
            cross_entropy::Outputs {
                loss,
                log_sum_exp,
                slope,
            },
        );
        Ok(())
    })
}

/// Gradients of x and of the weight, each where it is not empty.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn linear_cross_entropy_backward(
    dloss: In,
    x: In,
    weight: In,
    log_sum_exp: In,
    options: CrossEntropyOptions,
    dx: Out,
    dweight: Out,
) -> Result<()> {
    guard("linear_cross_entropy_backward", || {
        let memory: [&dyn Memory; 5] = [&dloss, &x, &weight, &log_sum_exp, &options.labels];
        let [dx, dweight] = outputs([dx, dweight], &memory)?;
        let inputs = checked(x, weight, &options)?;
        let saved = [dloss.slice(), log_sum_exp.slice()];
        length("dloss", saved[0], inputs.labels.len())?;
        length("log_sum_exp", saved[1], inputs.labels.len())?;
        for (name, slice, expected) in [
            ("dx", &*dx, inputs.x.len()),
            ("dweight", &*dweight, inputs.weight.len()),
        ] {
            if !slice.is_empty() {
                length(name, slice, expected)?;
            }
        }
        cross_entropy_backward(inputs, saved, dx, dweight);
        Ok(())
    })
}

/// Squared distance of two directions per row, times a.
#[napi]
pub fn direction(v: In, r: In, a: In, width: u32, loss: Out) -> Result<()> {
    guard("direction", || {
        let [loss] = outputs([loss], &[&v, &r, &a])?;
        let (v, r, a) = (v.slice(), r.slice(), a.slice());
        length("v", v, product(&[a.len(), width as usize])?)?;
        length("r", r, v.len())?;
        length("loss", loss, a.len())?;
        direction::direction([v, r, a], width as usize, loss);
        Ok(())
    })
}

/// dv and, where `dr` is not empty, the gradient of r.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn direction_backward(dloss: In, v: In, r: In, a: In, width: u32, dv: Out, dr: Out) -> Result<()> {
    guard("direction_backward", || {
        let out = outputs([dv, dr], &[&dloss, &v, &r, &a])?;
        let (dloss, v, r, a) = (dloss.slice(), v.slice(), r.slice(), a.slice());
        length("v", v, product(&[a.len(), width as usize])?)?;
        length("r", r, v.len())?;
        length("dloss", dloss, a.len())?;
        length("dv", out[0], v.len())?;
        if !out[1].is_empty() {
            length("dr", out[1], v.len())?;
        }
        direction::direction_backward(dloss, [v, r, a], width as usize, out);
        Ok(())
    })
}

/// Rows and vocabulary of a divergence.
#[napi(object, object_to_js = false)]
pub struct KlInputs {
    pub v: In,
    pub r: In,
    pub vocabulary: In,
    pub a: In,
    pub width: u32,
    pub chunk_bytes: f64,
}

impl KlInputs {
    fn checked<'a>(&self) -> Result<kl::Inputs<'a>> {
        let (v, r, a) = (self.v.slice(), self.r.slice(), self.a.slice());
        let (vocabulary, width) = (self.vocabulary.slice(), self.width as usize);
        length("v", v, product(&[a.len(), width])?)?;
        length("r", r, v.len())?;
        let sizes = [width, row_count("vocabulary", vocabulary, width)?];
        Ok(kl::Inputs {
            v,
            r,
            vocabulary,
            a,
            sizes,
            chunk_bytes: self.chunk_bytes as usize,
        })
    }

    fn memory(&self) -> [&dyn Memory; 4] {
        [&self.v, &self.r, &self.vocabulary, &self.a]
    }
}

/// Weighted loss, divergence and both log-sum-exps per row; the divergence's gradient where `slope` is not empty.
#[napi]
pub fn linear_kl(inputs: KlInputs, loss: Out, kl: Out, lse_v: Out, lse_r: Out, slope: Out) -> Result<()> {
    guard("linear_kl", || {
        let [loss, kl, lse_v, lse_r, slope] = outputs([loss, kl, lse_v, lse_r, slope], &inputs.memory())?;
        let inputs = inputs.checked()?;
        for (name, slice) in [
            ("loss", &*loss),
            ("kl", &*kl),
            ("lse_v", &*lse_v),
            ("lse_r", &*lse_r),
        ] {
            length(name, slice, inputs.a.len())?;
        }
        if !slope.is_empty() {
            length("slope", slope, inputs.v.len())?;
        }
        kl::linear_kl(
            inputs,
            kl::Outputs {
                loss,
                kl,
                lse_v,
                lse_r,
                slope,
            },
        );
        Ok(())
    })
}

/// dv and, where `dr` is not empty, the gradient of r.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn linear_kl_backward(
    inputs: KlInputs,
    dloss: In,
    kl: In,
    lse_v: In,
    lse_r: In,
    dv: Out,
    dr: Out,
) -> Result<()> {
    guard("linear_kl_backward", || {
        let [v, r, vocabulary, a] = inputs.memory();
        let [dv, dr] = outputs([dv, dr], &[v, r, vocabulary, a, &dloss, &kl, &lse_v, &lse_r])?;
        let inputs = inputs.checked()?;
        let saved = kl_backward::Saved {
            dloss: dloss.slice(),
            kl: kl.slice(),
            lse_v: lse_v.slice(),
            lse_r: lse_r.slice(),
        };
        for (name, slice) in [
            ("dloss", saved.dloss),
            ("kl", saved.kl),
            ("lse_v", saved.lse_v),
            ("lse_r", saved.lse_r),
        ] {
            length(name, slice, inputs.a.len())?;
        }
        length("dv", dv, inputs.v.len())?;
        if !dr.is_empty() {
            length("dr", dr, inputs.v.len())?;
        }
        kl_backward::linear_kl_backward(inputs, saved, dv, dr);
        Ok(())
    })
}
