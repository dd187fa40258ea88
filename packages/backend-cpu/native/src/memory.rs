//! Native memory blocks for tensors: 64-byte aligned, freed on request, not by the collector.

use std::alloc::Layout;
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard};

use napi::{Error, Result, Status};
use napi_derive::napi;

use crate::args::{invalid, product};
use crate::pages::{obtain, release};

/// Alignment of blocks and their least number of floats. Tests want blocks to end where their tensor ends.
const ALIGNMENT: usize = if cfg!(feature = "exact-blocks") { 4 } else { 64 };
const LEAST_FLOATS: u32 = if cfg!(feature = "exact-blocks") { 1 } else { 16 };

/// Blocks that exist, by address. The number tells a block from a later one at the same address.
#[derive(Default)]
struct Blocks {
    by_address: HashMap<usize, (u64, Layout)>,
    next: u64,
    bytes: usize,
}

static BLOCKS: LazyLock<Mutex<Blocks>> = LazyLock::new(Mutex::default);

fn blocks() -> MutexGuard<'static, Blocks> {
    BLOCKS.lock().unwrap_or_else(|poison| poison.into_inner())
}

fn free(address: usize, only: Option<u64>) -> bool {
    let mut blocks = blocks();
    let Some(&(number, layout)) = blocks.by_address.get(&address) else {
        return false;
    };
    if only.is_some_and(|wanted| wanted != number) {
        return false;
    }
    blocks.by_address.remove(&address);
    blocks.bytes -= layout.size();
    // SAFETY: allocated below with this layout, and no longer in the table.
    unsafe { release(address as *mut u8, layout) };
    true
}

/// Address and number of a new zeroed block.
fn allocate(floats: u32) -> Result<(usize, u64)> {
    let bytes = product(&[floats.max(LEAST_FLOATS) as usize, size_of::<f32>()])?;
    let layout = Layout::from_size_align(bytes, ALIGNMENT).map_err(|error| invalid(error.to_string()))?;
    let data = obtain(layout);
    if data.is_null() {
        return Err(Error::new(
            Status::GenericFailure,
            format!("out of memory: {} bytes", layout.size()),
        ));
    }
    let mut blocks = blocks();
    let number = blocks.next;
    blocks.next += 1;
    blocks.bytes += layout.size();
    blocks.by_address.insert(data as usize, (number, layout));
    Ok((data as usize, number))
}

/// Bytes in blocks that exist, in use or held for reuse.
#[napi]
pub fn block_bytes() -> f64 {
    blocks().bytes as f64
}

/// Blocks as external arrays, which the engine can detach.
#[cfg(not(target_family = "wasm"))]
mod external {
    use std::ptr::null_mut;

    use napi::bindgen_prelude::{Float32Array, FromNapiValue};
    use napi::{Result, sys};
    use napi_derive::napi;

    use super::{allocate, blocks, free};
    use crate::args::{guard, invalid};

    /// A zeroed block of `floats` elements. Give it back with `free_block`.
    #[napi]
    pub fn allocate_block(floats: u32) -> Result<Float32Array> {
        guard("allocate_block", || {
            let (address, number) = allocate(floats)?;
            // SAFETY: valid and zeroed for `floats` elements; the finalizer frees it only if nobody has.
            Ok(unsafe {
                Float32Array::with_external_data(address as *mut f32, floats as usize, move |address, _| {
                    free(address as usize, Some(number));
                })
            })
        })
    }

    /// The array buffer behind a `Float32Array`.
    pub struct Buffer {
        env: sys::napi_env,
        buffer: sys::napi_value,
        address: usize,
    }

    impl FromNapiValue for Buffer {
        unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
            let (mut kind, mut data, mut buffer) = (-1, null_mut(), null_mut());
            // SAFETY: all pointers are valid for writing; a value that is no typed array gives a status.
            let status = unsafe {
                sys::napi_get_typedarray_info(
                    env,
                    value,
                    &mut kind,
                    null_mut(),
                    &mut data,
                    &mut buffer,
                    null_mut(),
                )
            };
            if status != sys::Status::napi_ok {
                return Err(invalid("expected a Float32Array"));
            }
            Ok(Self {
                env,
                buffer,
                address: data as usize,
            })
        }
    }

    /// Frees a block at once. All views of it become empty; false if it was no block of ours.
    #[napi]
    pub fn free_block(block: Buffer) -> Result<bool> {
        guard("free_block", || {
            if !blocks().by_address.contains_key(&block.address) {
                return Ok(false);
            }
            // SAFETY: env and value come from the running call.
            let status = unsafe { sys::napi_detach_arraybuffer(block.env, block.buffer) };
            if status != sys::Status::napi_ok {
                return Err(invalid("the block cannot be detached"));
            }
            // Detaching may already have run the finalizer, which frees it as well.
            free(block.address, None);
            Ok(true)
        })
    }
}

/// Blocks by address: WebAssembly has no external arrays, so JavaScript makes views of the module's memory.
#[cfg(target_family = "wasm")]
mod address {
    use napi::Result;
    use napi_derive::napi;

    use super::{allocate, free};
    use crate::args::guard;

    /// Address of a zeroed block of `floats` elements. Give it back with `free_address`.
    #[napi]
    pub fn allocate_address(floats: u32) -> Result<u32> {
        guard("allocate_block", || Ok(allocate(floats)?.0 as u32))
    }

    /// Frees a block; false if it was no block of ours.
    #[napi]
    pub fn free_address(address: u32) -> bool {
        free(address as usize, None)
    }
}
