//! Native CPU kernels of basic-mllm, loaded into Node as an addon.
//!
//! Every exported function works on typed-array views that the caller allocates, checks the lengths,
//! and reports a wrong call as a JavaScript exception.

mod args;
mod kernels;
pub mod math;
mod matmul;
mod memory;
pub mod simd;
mod threads;
