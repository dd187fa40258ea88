//! Activations and updates.

use napi::Result;
use napi_derive::napi;

use crate::args::{In, Out, guard, length, outputs};
use crate::kernels::activation::{self, Kind};
use crate::kernels::update;

/// `y = act(x)`.
#[napi]
pub fn activation(kind: String, x: In, y: Out) -> Result<()> {
    guard("activation", || {
        let ([y], x) = (outputs([y], &[&x])?, x.slice());
        length("y", y, x.len())?;
        activation::activation(Kind::parse(&kind)?, x, y);
        Ok(())
    })
}

/// `dx = dy * act'(x)`.
#[napi]
pub fn activation_backward(kind: String, dy: In, x: In, dx: Out) -> Result<()> {
    guard("activation_backward", || {
        let ([dx], dy, x) = (outputs([dx], &[&dy, &x])?, dy.slice(), x.slice());
        length("dy", dy, x.len())?;
        length("dx", dx, x.len())?;
        activation::activation_backward(Kind::parse(&kind)?, dy, x, dx);
        Ok(())
    })
}

/// `y = act(gate) * up`.
#[napi]
pub fn gated_activation(kind: String, gate: In, up: In, y: Out) -> Result<()> {
    guard("gated_activation", || {
        let ([y], gate, up) = (outputs([y], &[&gate, &up])?, gate.slice(), up.slice());
        length("up", up, gate.len())?;
        length("y", y, gate.len())?;
        activation::gated_activation(Kind::parse(&kind)?, gate, up, y);
        Ok(())
    })
}

/// Gradients of gate and up.
#[napi]
pub fn gated_activation_backward(kind: String, dy: In, gate: In, up: In, dgate: Out, dup: Out) -> Result<()> {
    guard("gated_activation_backward", || {
        let out = outputs([dgate, dup], &[&dy, &gate, &up])?;
        let (dy, gate, up) = (dy.slice(), gate.slice(), up.slice());
        for (name, slice) in [("dy", dy), ("up", up), ("dgate", &*out[0]), ("dup", &*out[1])] {
            length(name, slice, gate.len())?;
        }
        activation::gated_activation_backward(Kind::parse(&kind)?, dy, [gate, up], out);
        Ok(())
    })
}

/// Sum of squares into the one element of `out`.
#[napi]
pub fn squared_norm(x: In, out: Out) -> Result<()> {
    guard("squared_norm", || {
        let [out] = outputs([out], &[&x])?;
        length("out", out, 1)?;
        out[0] = update::squared_norm(x.slice()) as f32;
        Ok(())
    })
}

/// One step of AdamW; parameter, m and v are changed in place.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn adamw(
    parameter: Out,
    gradient: In,
    m: Out,
    v: Out,
    control: In,
    learning_rate: f64,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    weight_decay: f64,
    step: f64,
) -> Result<()> {
    guard("adamw", || {
        let changed = outputs([parameter, m, v], &[&gradient, &control])?;
        let (gradient, control) = (gradient.slice(), control.slice());
        length("control", control, 2)?;
        for (name, slice) in ["parameter", "m", "v"].iter().zip(&changed) {
            length(name, slice, gradient.len())?;
        }
        let settings = update::Adamw {
            learning_rate,
            beta1,
            beta2,
            epsilon,
            weight_decay,
            step,
        };
        update::adamw(changed, gradient, settings, [control[0], control[1]]);
        Ok(())
    })
}
