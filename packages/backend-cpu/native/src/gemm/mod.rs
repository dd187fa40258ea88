//! Matrix products: own kernels for AVX-512 and AVX2, the `gemm` crate elsewhere and where it is faster.
//!
//! Every element of c is one chain of additions over k. The chain is cut by k alone, so that results do not depend on
//! how rows and columns are shared out to threads.

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
// The own kernels are for x86-64; others use the portable base.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
mod bf16;
mod choice;
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
mod driver;
mod few;
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
mod kernel;
#[cfg(target_arch = "x86_64")]
mod pairs;
mod portable;
pub mod precision;
mod split;
mod stored;
mod workspace;

use std::ops::Range;

pub use choice::Method;
pub use driver::Target;
pub use precision::Precision;

use crate::kernels::activation::{Kind, apply};
use crate::kernels::quantised::{Packed, Side};
use crate::kernels::support::Columns;
use crate::matmul::{Size, Strides};

/// The right operand b `[k, n]`.
#[derive(Clone, Copy)]
pub enum Factor<'a> {
    Floats(&'a [f32], Strides),
    /// A packed weight, and which of its sides the columns of b are.
    Stored(Packed<'a>, Side),
}

/// What is done to a product before it is written. An empty bias is none.
#[derive(Clone, Copy)]
pub struct Finish<'a> {
    pub bias: &'a [f32],
    pub activation: Kind,
}

impl Finish<'_> {
    pub const NONE: Self = Finish {
        bias: &[],
        activation: Kind::None,
    };
}

/// `c = act(scale * a b (+ c) + bias)` with a `[m, k]`, b `[k, n]`.
#[derive(Clone, Copy)]
pub struct Product<'a> {
    pub size: Size,
    pub a: (&'a [f32], Strides),
    pub b: Factor<'a>,
    pub scale: f32,
    pub add: bool,
    pub finish: Finish<'a>,
    pub precision: Precision,
}

impl<'a> Product<'a> {
    /// `c = a b` in the chosen precision.
    pub fn new(size: Size, a: (&'a [f32], Strides), b: Factor<'a>) -> Self {
        Self {
            size,
            a,
            b,
            scale: 1.0,
            add: false,
            finish: Finish::NONE,
            precision: precision::precision(),
        }
    }

    /// Computes the product, on all threads if `parallel` and where it is worth it. Panics when an operand is too short.
    ///
    /// # Safety
    /// No other task may use these columns at the same time.
    pub unsafe fn write(&self, c: Columns, parallel: bool) {
        // SAFETY: the caller's promise.
        unsafe { self.write_by(Method::of(self), c, parallel) }
    }

    /// As [`Product::write`], by a method that this CPU must have.
    ///
    /// # Safety
    /// As there.
    pub unsafe fn write_by(&self, method: Method, c: Columns, parallel: bool) {
        let Size { m, n, k } = self.size;
        if m == 0 || n == 0 {
            return;
        }
        let target = c.target(m, n);
        self.check();
        if k == 0 {
            // SAFETY: the target was checked; the rest is the caller's promise.
            return unsafe { self.without_terms(target) };
        }
        split::for_each_part(self, method, parallel, |rows, columns| {
            // SAFETY: operands and target were checked, and parts are disjoint.
            unsafe { method.region(self, target, rows, columns) }
        });
    }

    fn check(&self) {
        let Size { m, n, k } = self.size;
        assert!(self.a.0.len() >= reach(m, k, self.a.1), "a is too short");
        match self.b {
            Factor::Floats(b, strides) => assert!(b.len() >= reach(k, n, strides), "b is too short"),
            Factor::Stored(weight, side) => {
                let (inputs, outputs) = if side == Side::Outputs { (k, n) } else { (n, k) };
                assert!(
                    weight.inputs == inputs && weight.outputs == outputs,
                    "the weight has another shape"
                );
            }
        }
        let bias = self.finish.bias;
        assert!(bias.is_empty() || bias.len() >= n, "bias is too short");
    }

    unsafe fn without_terms(&self, c: Target) {
        let Size { m, n, .. } = self.size;
        if !self.add {
            for i in 0..m {
                // SAFETY: the caller's promise.
                unsafe { std::slice::from_raw_parts_mut(c.start.add(i * c.width), n) }.fill(0.0);
            }
        }
        // SAFETY: the caller's promise.
        unsafe { finish_rows(self, c, 0..m, 0..n) };
    }
}

/// [`Product::write`] on all threads for several products, which share out their columns together where all are of few
/// rows and a packed weight: one alone may be too little for several threads.
///
/// # Safety
/// As there, and the products write different columns.
pub unsafe fn write_all(products: &[(Product, Columns)]) {
    let small = |(p, _): &(Product, Columns)| {
        let Size { m, n, k } = p.size;
        m > 0 && n > 0 && k > 0 && Method::of(p) == Method::Blocks
    };
    if !products.iter().all(small) {
        for (product, columns) in products {
            // SAFETY: the caller's promise.
            unsafe { product.write(*columns, true) };
        }
        return;
    }
    let targets: Vec<Target> = products
        .iter()
        .map(|(p, columns)| {
            p.check();
            columns.target(p.size.m, p.size.n)
        })
        .collect();
    let sizes: Vec<Size> = products.iter().map(|(p, _)| p.size).collect();
    split::for_columns_of_all(&sizes, |i, columns| {
        // SAFETY: operands and targets were checked, and parts are disjoint.
        unsafe { stored::region(&products[i].0, targets[i], columns) }
    });
}

fn reach(rows: usize, columns: usize, strides: Strides) -> usize {
    if rows == 0 || columns == 0 {
        0
    } else {
        (rows - 1) * strides.rows + (columns - 1) * strides.columns + 1
    }
}

/// Adds the bias and applies the activation to a part of c.
///
/// # Safety
/// The part must be valid, and no other thread may use it.
unsafe fn finish_rows(p: &Product, c: Target, rows: Range<usize>, columns: Range<usize>) {
    let Finish { bias, activation } = p.finish;
    if bias.is_empty() && activation == Kind::None {
        return;
    }
    for i in rows {
        let start = c.start.wrapping_add(i * c.width + columns.start);
        // SAFETY: the caller's promise.
        let row = unsafe { std::slice::from_raw_parts_mut(start, columns.len()) };
        if !bias.is_empty() {
            row.iter_mut()
                .zip(&bias[columns.clone()])
                .for_each(|(value, &bias)| *value += bias);
        }
        apply(activation, row);
    }
}

#[cfg(test)]
mod tests;
