//! Native CPU kernels of basic-mllm, loaded into Node as an addon.
//!
//! Every exported function works on typed-array views that the caller allocates, checks the lengths,
//! and reports a wrong call as a JavaScript exception.

// Test builds leave out the registration of exports, so that these look unused there.
#![cfg_attr(test, allow(dead_code))]

pub mod args;
pub mod gemm;
#[cfg(all(feature = "guard-pages", target_os = "linux", target_pointer_width = "64"))]
pub mod guard;
pub mod kernels;
pub mod math;
pub mod matmul;
pub mod memory;
pub mod ops;
mod pages;
pub mod pool;
pub mod portable;
pub mod simd;
pub mod threads;
#[cfg(target_family = "wasm")]
pub mod wasm;
