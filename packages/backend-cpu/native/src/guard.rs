//! Test builds only (feature `guard-pages`): memory of kernels ends at a page that nobody may touch.
//!
//! An access past the end faults at once, whatever code makes it: also inline assembly and tile registers, which no
//! sanitizer sees. With `BASIC_MLLM_GUARD=front` allocations begin right after such a page instead. The other side is
//! filled with a pattern that is checked when the memory is freed, and freed memory faults.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::{c_char, c_int, c_void};
use std::io::Write;
use std::ptr::null_mut;

const PAGE: usize = 4096;
const PATTERN: u8 = 0xA5;
/// New memory: NaN as a float, so that a result that depends on it shows.
const UNSET: u8 = 0xFF;

const PROT_NONE: c_int = 0;
const PROT_READ_WRITE: c_int = 3;
const MAP_PRIVATE_ANONYMOUS: c_int = 0x22;

unsafe extern "C" {
    fn mmap(
        at: *mut c_void,
        bytes: usize,
        access: c_int,
        flags: c_int,
        file: c_int,
        offset: i64,
    ) -> *mut c_void;
    fn mprotect(at: *mut c_void, bytes: usize, access: c_int) -> c_int;
    fn munmap(at: *mut c_void, bytes: usize) -> c_int;
    fn getenv(name: *const c_char) -> *const c_char;
}

/// The allocator of this crate in such builds.
pub struct GuardPages;

#[global_allocator]
static ALLOCATOR: GuardPages = GuardPages;

/// Larger ones are all guarded, smaller ones where they hold floats: a process has some 65,000 mappings at most.
const SMALL: usize = 256;

fn is_guarded(layout: Layout) -> bool {
    layout.size() >= SMALL || layout.align() == align_of::<f32>()
}

/// Pages of a block, and where it lies in them.
struct Place {
    usable: usize,
    before: usize,
}

impl Place {
    fn of(layout: Layout) -> Self {
        let usable = layout.size().max(1).next_multiple_of(PAGE);
        // SAFETY: the name ends with a zero.
        let front = unsafe { !getenv(c"BASIC_MLLM_GUARD".as_ptr()).is_null() };
        let before = if front {
            0
        } else {
            (usable - layout.size()) / layout.align() * layout.align()
        };
        Self { usable, before }
    }

    fn mapped(&self) -> usize {
        self.usable + 2 * PAGE
    }

    /// The bytes on both sides of the block.
    ///
    /// # Safety
    /// `block` must lie at this place.
    unsafe fn sides<'a>(&self, block: *mut u8, size: usize) -> [&'a mut [u8]; 2] {
        // SAFETY: the caller's promise; nobody else uses these bytes.
        unsafe {
            [
                std::slice::from_raw_parts_mut(block.sub(self.before), self.before),
                std::slice::from_raw_parts_mut(block.add(size), self.usable - self.before - size),
            ]
        }
    }
}

// SAFETY: blocks are pages of their own, large and aligned enough (alignments stay below a page).
unsafe impl GlobalAlloc for GuardPages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !is_guarded(layout) {
            // SAFETY: the caller's layout.
            return unsafe { System.alloc(layout) };
        }
        // SAFETY: the caller's layout.
        let block = unsafe { self.alloc_zeroed(layout) };
        if !block.is_null() {
            // SAFETY: just allocated with this size.
            unsafe { block.write_bytes(UNSET, layout.size()) };
        }
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !is_guarded(layout) {
            // SAFETY: the caller's layout.
            return unsafe { System.alloc_zeroed(layout) };
        }
        let place = Place::of(layout);
        // SAFETY: a new mapping, of which the inner pages become usable.
        unsafe {
            let start = mmap(
                null_mut(),
                place.mapped(),
                PROT_NONE,
                MAP_PRIVATE_ANONYMOUS,
                -1,
                0,
            );
            if start as isize == -1 || layout.align() > PAGE {
                return null_mut();
            }
            let inner = start.add(PAGE);
            if mprotect(inner, place.usable, PROT_READ_WRITE) != 0 {
                munmap(start, place.mapped());
                return null_mut();
            }
            let block = inner.add(place.before).cast::<u8>();
            for side in place.sides(block, layout.size()) {
                side.fill(PATTERN);
            }
            block
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if !is_guarded(layout) {
            // SAFETY: allocated above with this layout.
            return unsafe { System.dealloc(block, layout) };
        }
        let place = Place::of(layout);
        // SAFETY: allocated above with this layout.
        unsafe {
            let sides = place.sides(block, layout.size());
            if sides.iter().any(|side| side.iter().any(|&byte| byte != PATTERN)) {
                let _ =
                    std::io::stderr().write_all(b"guard-pages: memory beside an allocation was written\n");
                std::process::abort();
            }
            munmap(block.sub(place.before + PAGE).cast(), place.mapped());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::PAGE;

    const CHILD: &str = "BASIC_MLLM_GUARD_CHILD";

    /// Runs this very test again in a process of its own, which `access` must kill.
    fn dies(test: &str, access: impl FnOnce(*mut f32)) {
        if std::env::var_os(CHILD).is_some() {
            let mut block = vec![0.0f32; 33];
            access(block.as_mut_ptr());
            drop(block);
            return;
        }
        let program = std::env::current_exe().unwrap();
        let name = format!("guard::tests::{test}");
        let output = Command::new(program)
            .args([&name, "--exact"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), None, "{output:?}");
    }

    #[test]
    fn a_read_past_the_end_faults() {
        // SAFETY: none: the process must end here.
        dies("a_read_past_the_end_faults", |block| unsafe {
            std::hint::black_box(block.add(33).read_volatile());
        });
    }

    #[test]
    fn a_write_before_the_start_is_found() {
        // SAFETY: none: the bytes before the block are mapped, and the check must see the change.
        dies("a_write_before_the_start_is_found", |block| unsafe {
            block.sub(1).write_volatile(1.0);
        });
    }

    #[test]
    fn blocks_end_at_a_page() {
        let block = Box::new([0.0f32; 33]);
        assert!((block.as_ptr_range().end as usize).is_multiple_of(PAGE));
    }
}
