//! Products with a weight.

use napi::Result;
use napi_derive::napi;

use crate::args::{In, Ints, Numbers, Out, guard, invalid, length, outputs, product};
use crate::kernels::activation::Kind;
use crate::kernels::linear::{self, Finish, Matrix, Values};
use crate::kernels::quantised::{Packed, Storage, bytes_of};

use super::in_range;

/// `y = act(x Wᵀ + b)`; an empty bias is none.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn linear(
    x: In,
    weight: In,
    bias: In,
    rows: u32,
    inputs: u32,
    out: u32,
    kind: String,
    y: Out,
) -> Result<()> {
    guard("linear", || {
        let [y] = outputs([y], &[&x, &weight, &bias])?;
        let (x, weight, bias) = (x.slice(), weight.slice(), bias.slice());
        let [rows, inputs, out] = [rows, inputs, out].map(|size| size as usize);
        length("x", x, product(&[rows, inputs])?)?;
        length("weight", weight, product(&[out, inputs])?)?;
        length("y", y, product(&[rows, out])?)?;
        if !bias.is_empty() {
            length("bias", bias, out)?;
        }
        let finish = Finish {
            bias,
            activation: Kind::parse(&kind)?,
        };
        linear::linear(x, weight, [inputs, out], finish, y);
        Ok(())
    })
}

/// `dx = dy W` for a float32 weight.
#[napi]
pub fn linear_backward(dy: In, weight: In, rows: u32, inputs: u32, out: u32, dx: Out) -> Result<()> {
    guard("linear_backward", || {
        let [dx] = outputs([dx], &[&dy, &weight])?;
        let (dy, weight) = (dy.slice(), weight.slice());
        let [rows, inputs, out] = [rows, inputs, out].map(|size| size as usize);
        length("dy", dy, product(&[rows, out])?)?;
        length("weight", weight, product(&[out, inputs])?)?;
        length("dx", dx, product(&[rows, inputs])?)?;
        linear::linear_backward(dy, weight, [inputs, out], dx);
        Ok(())
    })
}

/// A weight that is packed where its storage is not `f32`.
pub(super) fn matrix(
    name: &str,
    weight: Numbers,
    storage: &str,
    [inputs, outputs]: [usize; 2],
) -> Result<Matrix<'static>> {
    let values = match weight {
        Numbers::Floats(weight) if storage == "f32" => {
            length(name, weight.slice(), product(&[outputs, inputs])?)?;
            Values::Floats(weight.slice())
        }
        Numbers::Integers(weight) if storage != "f32" => {
            Values::Stored(packed(weight.slice(), storage, inputs, outputs)?)
        }
        _ => return Err(invalid(format!("`{name}` is not stored as {storage}"))),
    };
    Ok(Matrix {
        weight: values,
        inputs,
        outputs,
    })
}

/// Rows of a packed table by id.
#[napi]
pub fn packed_rows(table: Ints, storage: String, height: u32, width: u32, ids: Ints, out: Out) -> Result<()> {
    guard("packed_rows", || {
        let [out] = outputs([out], &[&table, &ids])?;
        let ([height, width], ids) = ([height, width].map(|size| size as usize), ids.slice());
        let table = packed(table.slice(), &storage, width, height)?;
        length("out", out, product(&[ids.len(), width])?)?;
        in_range("ids", ids, 0, height)?;
        if width > 0 {
            for (&id, row) in ids.iter().zip(out.chunks_exact_mut(width)) {
                table.decode_tile((id as usize, 1), (0, width), row);
            }
        }
        Ok(())
    })
}

fn packed<'a>(words: &'a [i32], storage: &str, inputs: usize, outputs: usize) -> Result<Packed<'a>> {
    let storage = Storage::parse(storage)?;
    storage.words(inputs)?;
    length("weight", words, storage.words(product(&[inputs, outputs])?)?)?;
    Ok(Packed {
        bytes: bytes_of(words),
        storage,
        inputs,
        outputs,
    })
}

/// `y = x Wᵀ + b` for a packed weight; an empty bias is none.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn packed_linear(
    x: In,
    weight: Ints,
    bias: In,
    storage: String,
    rows: u32,
    inputs: u32,
    out: u32,
    y: Out,
) -> Result<()> {
    guard("packed_linear", || {
        let [y] = outputs([y], &[&x, &weight, &bias])?;
        let (x, bias) = (x.slice(), bias.slice());
        let [rows, inputs, out] = [rows, inputs, out].map(|size| size as usize);
        length("x", x, product(&[rows, inputs])?)?;
        length("y", y, product(&[rows, out])?)?;
        if !bias.is_empty() {
            length("bias", bias, out)?;
        }
        let finish = Finish {
            bias,
            activation: Kind::None,
        };
        linear::packed_linear(x, packed(weight.slice(), &storage, inputs, out)?, finish, y);
        Ok(())
    })
}

/// `dx = dy W` for a packed weight.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn packed_linear_backward(
    dy: In,
    weight: Ints,
    storage: String,
    rows: u32,
    inputs: u32,
    out: u32,
    dx: Out,
) -> Result<()> {
    guard("packed_linear_backward", || {
        let ([dx], dy) = (outputs([dx], &[&dy, &weight])?, dy.slice());
        let [rows, inputs, out] = [rows, inputs, out].map(|size| size as usize);
        length("dy", dy, product(&[rows, out])?)?;
        length("dx", dx, product(&[rows, inputs])?)?;
        linear::packed_linear_backward(dy, packed(weight.slice(), &storage, inputs, out)?, dx);
        Ok(())
    })
}
