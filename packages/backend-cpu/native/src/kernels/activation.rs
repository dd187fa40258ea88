//! BasicActivation, BasicGatedActivation and their backward kernels.

use napi::Result;

use super::support::{Shared, block, tasks};
use crate::args::invalid;
use crate::math::{erf, exp, tanh};
use crate::multiversion;
use crate::threads::par_rows_out;

/// Elements of a task at least.
const CHUNK: usize = 1 << 13;

/// A function and its slope. Implementations are compiled once per instruction set.
pub trait Activation: Sync {
    /// Value at `x`.
    fn value<const FMA: bool>(x: f32) -> f32;
    /// Slope at `x`.
    fn slope<const FMA: bool>(x: f32) -> f32;
}

struct Identity;
struct GeluErf;
struct GeluTanh;
struct QuickGelu;
struct Silu;
struct Relu;

impl Activation for Identity {
    #[inline(always)]
    fn value<const FMA: bool>(x: f32) -> f32 {
        x
    }
    #[inline(always)]
    fn slope<const FMA: bool>(_: f32) -> f32 {
        1.0
    }
}

impl Activation for GeluErf {
    #[inline(always)]
    fn value<const FMA: bool>(x: f32) -> f32 {
        0.5 * x * (1.0 + erf::<FMA>(x * std::f32::consts::FRAC_1_SQRT_2))
    }
    #[inline(always)]
    fn slope<const FMA: bool>(x: f32) -> f32 {
        const DENSITY: f32 = 0.398_942_3; // 1 / sqrt(2 pi)
        let below = 0.5 * (1.0 + erf::<FMA>(x * std::f32::consts::FRAC_1_SQRT_2));
        below + x * DENSITY * exp::<FMA>(-0.5 * x * x)
    }
}

const TANH_SCALE: f32 = 0.797_884_6; // sqrt(2 / pi)
const TANH_CUBE: f32 = 0.044_715;

impl Activation for GeluTanh {
    #[inline(always)]
    fn value<const FMA: bool>(x: f32) -> f32 {
        0.5 * x * (1.0 + tanh::<FMA>(TANH_SCALE * x * (1.0 + TANH_CUBE * x * x)))
    }
    #[inline(always)]
    fn slope<const FMA: bool>(x: f32) -> f32 {
        let t = tanh::<FMA>(TANH_SCALE * x * (1.0 + TANH_CUBE * x * x));
        let inner = TANH_SCALE * (1.0 + 3.0 * TANH_CUBE * x * x);
        // Far out 1 - t * t is 0 while `inner` may be inf.
        let tail = if t.abs() < 1.0 {
            0.5 * x * (1.0 - t * t) * inner
        } else {
            0.0
        };
        0.5 * (1.0 + t) + tail
    }
}

#[inline(always)]
fn sigmoid<const FMA: bool>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<FMA>(-x))
}

#[inline(always)]
fn silu_slope<const FMA: bool>(x: f32) -> f32 {
    let s = sigmoid::<FMA>(x);
    s * (1.0 + x * (1.0 - s))
}

const QUICK: f32 = 1.702;

impl Activation for QuickGelu {
    #[inline(always)]
    fn value<const FMA: bool>(x: f32) -> f32 {
        x * sigmoid::<FMA>(QUICK * x)
    }
    #[inline(always)]
    fn slope<const FMA: bool>(x: f32) -> f32 {
        silu_slope::<FMA>(QUICK * x)
    }
}

impl Activation for Silu {
    #[inline(always)]
    fn value<const FMA: bool>(x: f32) -> f32 {
        x * sigmoid::<FMA>(x)
    }
    #[inline(always)]
    fn slope<const FMA: bool>(x: f32) -> f32 {
        silu_slope::<FMA>(x)
    }
}

impl Activation for Relu {
    #[inline(always)]
    fn value<const FMA: bool>(x: f32) -> f32 {
        if x < 0.0 { 0.0 } else { x }
    }
    #[inline(always)]
    fn slope<const FMA: bool>(x: f32) -> f32 {
        if x > 0.0 { 1.0 } else { 0.0 }
    }
}

/// Names of activations in attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    None,
    GeluErf,
    GeluTanh,
    QuickGelu,
    Silu,
    Relu,
}

impl Kind {
    pub fn parse(name: &str) -> Result<Self> {
        Ok(match name {
            "none" => Self::None,
            "gelu-erf" => Self::GeluErf,
            "gelu-tanh" => Self::GeluTanh,
            "quick-gelu" => Self::QuickGelu,
            "silu" => Self::Silu,
            "relu" => Self::Relu,
            _ => return Err(invalid(format!("unknown activation `{name}`"))),
        })
    }
}

/// Calls a function that is generic in the activation.
macro_rules! with_activation {
    ($kind:expr, $function:ident($($arg:expr),*)) => {
        match $kind {
            Kind::None => $function::<Identity>($($arg),*),
            Kind::GeluErf => $function::<GeluErf>($($arg),*),
            Kind::GeluTanh => $function::<GeluTanh>($($arg),*),
            Kind::QuickGelu => $function::<QuickGelu>($($arg),*),
            Kind::Silu => $function::<Silu>($($arg),*),
            Kind::Relu => $function::<Relu>($($arg),*),
        }
    };
}

/// `y = act(x)`.
pub fn activation(kind: Kind, x: &[f32], y: &mut [f32]) {
    par_rows_out(y, 1, CHUNK, |range, y| with_activation!(kind, map(&x[range], y)));
}

/// `dx = dy * act'(x)`.
pub fn activation_backward(kind: Kind, dy: &[f32], x: &[f32], dx: &mut [f32]) {
    par_rows_out(dx, 1, CHUNK, |r, dx| {
        with_activation!(kind, map_slope(&dy[r.clone()], &x[r], dx))
    });
}

/// `y = act(gate) * up`.
pub fn gated_activation(kind: Kind, gate: &[f32], up: &[f32], y: &mut [f32]) {
    par_rows_out(y, 1, CHUNK, |r, y| {
        with_activation!(kind, gated(&gate[r.clone()], &up[r], y))
    });
}

/// Gradients of gate and up.
pub fn gated_activation_backward(
    kind: Kind,
    dy: &[f32],
    [gate, up]: [&[f32]; 2],
    [dgate, dup]: [&mut [f32]; 2],
) {
    let (dgate, dup) = (Shared::new(dgate), Shared::new(dup));
    tasks(dy.len().div_ceil(CHUNK), dy.len() * 16, |task| {
        let (start, count) = block(task, CHUNK, dy.len());
        // SAFETY: tasks own disjoint elements.
        let (dgate, dup) = unsafe { (dgate.part(start, count), dup.part(start, count)) };
        let [dy, gate, up] = [dy, gate, up].map(|all| &all[start..start + count]);
        with_activation!(kind, gated_slope(dy, gate, up, dgate, dup))
    });
}

/// Applies the activation to `values` in place, on the calling thread.
pub fn apply(kind: Kind, values: &mut [f32]) {
    if kind != Kind::None {
        with_activation!(kind, map_in_place(values));
    }
}

multiversion! {
    fn map[A: Activation](x: &[f32], y: &mut [f32]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = A::value::<FMA>(x);
        }
    }
}

multiversion! {
    fn map_in_place[A: Activation](values: &mut [f32]) {
        for value in values {
            *value = A::value::<FMA>(*value);
        }
    }
}

multiversion! {
    fn map_slope[A: Activation](dy: &[f32], x: &[f32], dx: &mut [f32]) {
        for ((dx, &dy), &x) in dx.iter_mut().zip(dy).zip(x) {
            *dx = dy * A::slope::<FMA>(x);
        }
    }
}

multiversion! {
    fn gated[A: Activation](gate: &[f32], up: &[f32], y: &mut [f32]) {
        for ((y, &gate), &up) in y.iter_mut().zip(gate).zip(up) {
            *y = A::value::<FMA>(gate) * up;
        }
    }
}

multiversion! {
    fn gated_slope[A: Activation](dy: &[f32], gate: &[f32], up: &[f32], dgate: &mut [f32], dup: &mut [f32]) {
        let outputs = dgate.iter_mut().zip(dup);
        for ((((dgate, dup), &dy), &gate), &up) in outputs.zip(dy).zip(gate).zip(up) {
            *dgate = dy * up * A::slope::<FMA>(gate);
            *dup = dy * A::value::<FMA>(gate);
        }
    }
}
