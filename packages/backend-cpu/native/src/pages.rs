//! Memory of blocks: large ones straight from the system, to which they return when they are freed.
//!
//! An allocator would keep them in a heap, which blocks that come and go in several sizes tear apart.

use std::alloc::{Layout, alloc_zeroed, dealloc};

/// Zeroed memory of a layout that is not empty, or null.
pub fn obtain(layout: Layout) -> *mut u8 {
    if layout.size() >= system::LEAST {
        return system::obtain(layout.size());
    }
    // SAFETY: the caller's layout is not empty.
    unsafe { alloc_zeroed(layout) }
}

/// Gives it back.
///
/// # Safety
/// The memory must come from [`obtain`] with this layout, and nobody may use it any more.
pub unsafe fn release(address: *mut u8, layout: Layout) {
    // SAFETY: the caller's promise.
    unsafe {
        if layout.size() >= system::LEAST {
            system::release(address, layout.size());
        } else {
            dealloc(address, layout);
        }
    }
}

#[cfg(all(target_os = "linux", not(feature = "exact-blocks")))]
mod system {
    use std::ffi::{c_int, c_void};
    use std::ptr::null_mut;

    /// Bytes from which on a block has pages of its own.
    pub const LEAST: usize = 1 << 18;

    const READ_WRITE: c_int = 3;
    const PRIVATE_ANONYMOUS: c_int = 0x22;

    unsafe extern "C" {
        fn mmap(
            at: *mut c_void,
            bytes: usize,
            access: c_int,
            flags: c_int,
            file: c_int,
            offset: i64,
        ) -> *mut c_void;
        fn munmap(at: *mut c_void, bytes: usize) -> c_int;
    }

    pub fn obtain(bytes: usize) -> *mut u8 {
        // SAFETY: a new private mapping touches no memory of ours.
        unsafe {
            let at = mmap(null_mut(), bytes, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0);
            if at as isize == -1 {
                return null_mut();
            }
            at.cast()
        }
    }

    /// # Safety
    /// As [`super::release`].
    pub unsafe fn release(at: *mut u8, bytes: usize) {
        // SAFETY: the caller's promise.
        unsafe { munmap(at.cast(), bytes) };
    }
}

#[cfg(not(all(target_os = "linux", not(feature = "exact-blocks"))))]
mod system {
    pub const LEAST: usize = usize::MAX;

    pub fn obtain(_: usize) -> *mut u8 {
        unreachable!("no block is this large")
    }

    /// # Safety
    /// None: it is never called.
    pub unsafe fn release(_: *mut u8, _: usize) {
        unreachable!("no block is this large")
    }
}

/// Has the C library do the same with the host's array buffers: it would keep them in its heap once it has freed a large one, so
/// that a process stays as large as it ever was. An environment that sets the size itself is left alone.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[napi_derive::module_init]
fn return_large_buffers() {
    use std::ffi::c_int;

    const M_MMAP_THRESHOLD: c_int = -3;
    const LEAST: c_int = 1 << 18;

    unsafe extern "C" {
        fn mallopt(parameter: c_int, value: c_int) -> c_int;
    }
    let tunables = std::env::var("GLIBC_TUNABLES").unwrap_or_default();
    if std::env::var_os("MALLOC_MMAP_THRESHOLD_").is_none() && !tunables.contains("mmap_threshold") {
        // SAFETY: it only sets a parameter of the allocator.
        unsafe { mallopt(M_MMAP_THRESHOLD, LEAST) };
    }
}

/// Gives pages back that the C library keeps since its memory was freed: array buffers that are too small for pages of their own
/// leave them all over its heap. Does nothing where the C library has no such call.
#[napi_derive::napi]
pub fn return_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        unsafe extern "C" {
            fn malloc_trim(pad: usize) -> std::ffi::c_int;
        }
        // SAFETY: it gives back what nobody uses.
        unsafe { malloc_trim(0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_zeroed_and_aligned_and_can_be_written_whole() {
        for bytes in [64, (1 << 18) - 64, 1 << 18, (1 << 18) + 64, 5 << 20] {
            let layout = Layout::from_size_align(bytes, 64).unwrap();
            let at = obtain(layout);
            assert_eq!(at as usize % 64, 0);
            // SAFETY: the memory is as large as asked for, and this test's alone.
            unsafe {
                let block = std::slice::from_raw_parts_mut(at, bytes);
                assert!(block.iter().all(|&byte| byte == 0), "{bytes} bytes");
                block.fill(7);
                release(at, layout);
            }
        }
    }
}
