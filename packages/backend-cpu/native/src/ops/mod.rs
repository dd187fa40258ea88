//! Bodies of stock tfjs operations.

pub mod binary;
pub mod layout;
pub mod movement;
pub mod reduce;
pub mod rows;
pub mod select;
pub mod unary;

/// Elements of a cheap operation that are worth a thread.
pub const CHEAP: usize = 1 << 16;
/// Elements of an operation with an exponential that are worth a thread.
pub const COSTLY: usize = 1 << 13;
