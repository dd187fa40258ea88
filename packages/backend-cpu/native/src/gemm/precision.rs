//! How exactly products are computed.

use std::sync::atomic::{AtomicBool, Ordering};

use napi_derive::napi;

static BF16: AtomicBool = AtomicBool::new(false);

/// What products do with their operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// float32 throughout.
    Exact,
    /// Operands are rounded to bfloat16 (nearest, ties to even), and products are summed in float32.
    Bf16,
}

/// What [`set_bf16_products`] has chosen.
pub fn precision() -> Precision {
    if BF16.load(Ordering::Relaxed) {
        Precision::Bf16
    } else {
        Precision::Exact
    }
}

/// Rounds the operands of matrix products with weights to bfloat16, or not.
#[napi]
pub fn set_bf16_products(on: bool) {
    BF16.store(on, Ordering::Relaxed);
}

/// Whether products with weights round their operands to bfloat16.
#[napi]
pub fn bf16_products() -> bool {
    precision() == Precision::Bf16
}
