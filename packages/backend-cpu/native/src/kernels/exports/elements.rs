//! Activations and updates.

use napi::Result;
use napi::bindgen_prelude::{FromNapiValue, JsObjectValue, Object};
use napi_derive::napi;

use crate::args::{Element, In, Memory, Out, View, guard, length, outputs};
use crate::kernels::activation::{self, Kind};
use crate::kernels::dropout::{self, Mask};
use crate::kernels::moments::Packing;
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

/// `y = x * mask / (1 - p)`, p in 65536ths.
#[napi]
pub fn dropout(
    threshold: u32,
    key_low: u32,
    key_high: u32,
    stream_low: u32,
    stream_high: u32,
    x: In,
    y: Out,
) -> Result<()> {
    guard("dropout", || {
        let ([y], x) = (outputs([y], &[&x])?, x.slice());
        length("y", y, x.len())?;
        let (key, stream) = ([key_low, key_high], [stream_low, stream_high]);
        dropout::dropout(
            Mask {
                threshold,
                key,
                stream,
            },
            x,
            y,
        );
        Ok(())
    })
}

/// Adds the sum of squares of each tensor in turn to the one element of `sum`.
#[napi]
pub fn squared_norm(count: u32, x: Object, sum: Out) -> Result<()> {
    guard("squared_norm", || {
        let x: Vec<In> = elements(&x, count)?;
        let inputs: Vec<&dyn Memory> = x.iter().map(|x| x as &dyn Memory).collect();
        let [sum] = outputs([sum], &inputs)?;
        length("sum", sum, 1)?;
        for x in &x {
            sum[0] += update::squared_norm(x.slice()) as f32;
        }
        Ok(())
    })
}

/// One step of AdamW for several tensors; parameters and moments are changed in place.
#[napi]
pub fn adamw(
    settings: Object,
    parameter: Object,
    gradient: Object,
    m: Object,
    v: Object,
    control: In,
) -> Result<()> {
    guard("adamw", || {
        let count = settings.get_named_property("count")?;
        let moments = Moments::<f32>::read(&m, &v, count)?;
        updated(settings, &parameter, &gradient, control, moments, |m, v, size| {
            length("m", m, size)?;
            length("v", v, size)?;
            Ok(update::Moments::Floats(m, v))
        })
    })
}

/// As above, with moments that are packed into words as `storage` says.
#[napi]
pub fn adamw_packed(
    settings: Object,
    storage: String,
    parameter: Object,
    gradient: Object,
    m: Object,
    v: Object,
    control: In,
) -> Result<()> {
    guard("adamw_packed", || {
        let count = settings.get_named_property("count")?;
        let storage = Packing::parse(&storage)?;
        let moments = Moments::<i32>::read(&m, &v, count)?;
        updated(settings, &parameter, &gradient, control, moments, |m, v, size| {
            length("m", m, storage.words(size))?;
            length("v", v, storage.words(size))?;
            Ok(storage.moments(m, v))
        })
    })
}

/// Both moments of each tensor.
struct Moments<T> {
    m: Vec<View<T>>,
    v: Vec<View<T>>,
}

impl<T: Element> Moments<T> {
    fn read(m: &Object, v: &Object, count: u32) -> Result<Self> {
        Ok(Self {
            m: elements(m, count)?,
            v: elements(v, count)?,
        })
    }
}

/// Checks all arguments, then updates.
fn updated<T: Element>(
    settings: Object,
    parameter: &Object,
    gradient: &Object,
    control: In,
    moments: Moments<T>,
    mut stored: impl FnMut(&'static mut [T], &'static mut [T], usize) -> Result<update::Moments<'static>>,
) -> Result<()> {
    let count = settings.get_named_property("count")?;
    let number = |name| settings.get_named_property::<f64>(name);
    let rates: Vec<f64> = elements(&settings.get_named_property("learningRates")?, count)?;
    let decays: Vec<f64> = elements(&settings.get_named_property("weightDecays")?, count)?;
    let (parameters, gradients): (Vec<Out>, Vec<In>) =
        (elements(parameter, count)?, elements(gradient, count)?);
    let memory =
        |i: usize| -> [&dyn Memory; 4] { [&parameters[i], &gradients[i], &moments.m[i], &moments.v[i]] };
    let mut tensors = Vec::with_capacity(rates.len());
    for i in 0..rates.len() {
        let mut others: Vec<&dyn Memory> = (0..rates.len()).filter(|&j| j != i).flat_map(&memory).collect();
        others.extend([&gradients[i] as &dyn Memory, &control]);
        let [m, v] = outputs([moments.m[i], moments.v[i]], &others)?;
        others.extend([&moments.m[i] as &dyn Memory, &moments.v[i]]);
        let [parameter] = outputs([parameters[i]], &others)?;
        let gradient = gradients[i].slice();
        length("parameter", parameter, gradient.len())?;
        tensors.push(update::Tensor {
            moments: stored(m, v, gradient.len())?,
            parameter,
            gradient,
            learning_rate: rates[i],
            weight_decay: decays[i],
        });
    }
    let control = control.slice();
    length("control", control, 2)?;
    let settings = update::Adamw {
        beta1: number("beta1")?,
        beta2: number("beta2")?,
        epsilon: number("epsilon")?,
        step: number("step")?,
    };
    update::adamw(tensors, settings, [control[0], control[1]]);
    Ok(())
}

/// Elements `0 .. count` of a list or of an object with such names.
fn elements<T: FromNapiValue>(list: &Object, count: u32) -> Result<Vec<T>> {
    (0..count).map(|i| list.get_element(i)).collect()
}
