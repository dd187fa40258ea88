//! BasicLinear, BasicFrozenLinear and their variants.

use super::quantised::{Packed, Side};
use super::support::{Columns, Shared};
pub use crate::gemm::Finish;
use crate::gemm::{Factor, Product, write_all};
use crate::matmul::{Size, row_major, transposed};

/// Computes a product into a whole row-major array.
fn write(product: Product, out: &mut [f32]) {
    let columns = Columns {
        width: product.size.n,
        start: 0,
        out: Shared::new(out),
    };
    // SAFETY: this call owns the array.
    unsafe { product.write(columns, true) };
}

/// A weight [outputs, inputs], in float32 or packed.
pub struct Matrix<'a> {
    pub weight: Values<'a>,
    pub inputs: usize,
    pub outputs: usize,
}

/// Values of a [`Matrix`].
pub enum Values<'a> {
    Floats(&'a [f32]),
    Stored(Packed<'a>),
}

impl Matrix<'_> {
    /// x Wᵀ with as many rows as `length` results have.
    fn product<'a>(&'a self, x: &'a [f32], length: usize) -> Product<'a> {
        let size = Size {
            m: length / self.outputs.max(1),
            n: self.outputs,
            k: self.inputs,
        };
        let factor = match &self.weight {
            Values::Floats(values) => Factor::Floats(values, transposed(self.inputs)),
            Values::Stored(weight) => Factor::Stored(*weight, Side::Outputs),
        };
        Product::new(size, (x, row_major(self.inputs)), factor)
    }
}

/// `y = x Wᵀ`.
pub fn multiply(x: &[f32], matrix: &Matrix, y: &mut [f32]) {
    write(matrix.product(x, y.len()), y);
}

/// [`multiply`] of the same x with several matrices.
pub fn multiply_all<const N: usize>(x: &[f32], matrices: [(&Matrix, &mut [f32]); N]) {
    let products = matrices.map(|(matrix, y)| {
        let columns = Columns {
            width: matrix.outputs,
            start: 0,
            out: Shared::new(y),
        };
        (matrix.product(x, columns.out.length()), columns)
    });
    // SAFETY: this call owns the arrays.
    unsafe { write_all(&products) };
}

/// `y = act(x Wᵀ + b)` with x [R, I], weight [O, I].
pub fn linear(x: &[f32], weight: &[f32], [inputs, outputs]: [usize; 2], finish: Finish, y: &mut [f32]) {
    let size = Size {
        m: y.len() / outputs.max(1),
        n: outputs,
        k: inputs,
    };
    let weight = Factor::Floats(weight, transposed(inputs));
    let product = Product::new(size, (x, row_major(inputs)), weight);
    write(Product { finish, ..product }, y);
}

/// `y = act(x Wᵀ + b)`, decoding W while it is packed.
pub fn packed_linear(x: &[f32], weight: Packed, finish: Finish, y: &mut [f32]) {
    let size = Size {
        m: y.len() / weight.outputs.max(1),
        n: weight.outputs,
        k: weight.inputs,
    };
    let factor = Factor::Stored(weight, Side::Outputs);
    let product = Product::new(size, (x, row_major(weight.inputs)), factor);
    write(Product { finish, ..product }, y);
}

/// `dx = dy W`, decoding W while it is packed.
pub fn packed_linear_backward(dy: &[f32], weight: Packed, dx: &mut [f32]) {
    let size = Size {
        m: dx.len() / weight.inputs.max(1),
        n: weight.inputs,
        k: weight.outputs,
    };
    let factor = Factor::Stored(weight, Side::Inputs);
    write(Product::new(size, (dy, row_major(weight.outputs)), factor), dx);
}

/// `dx = dy W` for a float32 weight.
pub fn linear_backward(dy: &[f32], weight: &[f32], [inputs, outputs]: [usize; 2], dx: &mut [f32]) {
    let size = Size {
        m: dx.len() / inputs.max(1),
        n: inputs,
        k: outputs,
    };
    let weight = Factor::Floats(weight, row_major(inputs));
    write(Product::new(size, (dy, row_major(outputs)), weight), dx);
}
