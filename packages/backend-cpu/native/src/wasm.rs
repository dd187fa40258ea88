//! Typed-array arguments of a WebAssembly module.
//!
//! A view of the module's memory goes stale whenever the memory grows, even between two arguments of one call.
//! So JavaScript (src/wasm/calls.ts) never hands a view in: it writes kind, address and length to a table in
//! this memory and passes the row's number.

use std::sync::atomic::{AtomicU32, Ordering};

use napi_derive::napi;

/// Typed arrays in one call at most.
const ROWS: usize = 64;
const FIELDS: usize = 3;

static TABLE: [AtomicU32; ROWS * FIELDS] = [const { AtomicU32::new(0) }; ROWS * FIELDS];

/// Address of the table: rows of three u32.
#[napi]
pub fn argument_table() -> u32 {
    TABLE.as_ptr() as usize as u32
}

/// Kind, address and length in a row.
pub fn argument(row: u32) -> Option<(i32, usize, usize)> {
    let fields = TABLE.get(row as usize * FIELDS..)?.get(..FIELDS)?;
    let [kind, address, length] = [0, 1, 2].map(|i| fields[i].load(Ordering::Relaxed));
    Some((kind as i32, address as usize, length as usize))
}
