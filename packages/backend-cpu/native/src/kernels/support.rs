//! What several kernels need: task loops, disjoint writes, scratch memory and products into columns.

use std::cell::Cell;
use std::marker::PhantomData;

use crate::gemm::{Factor, Product, Target};
use crate::matmul::{Size, Strides};
use crate::threads::{on_all, threads};

/// Work (in multiply-adds, some 50 microseconds of them) below which waking the pool costs more than it saves.
const PARALLEL_WORK: usize = 1 << 21;

/// Scratch blocks above this many floats are given back after use.
const KEPT_SCRATCH: usize = 1 << 22;

/// Runs `body(0) .. body(count - 1)`, on all threads where `work` is worth it.
///
/// Tasks must be cut by shapes alone, never by the number of threads: that keeps results equal whatever it is.
pub fn tasks(count: usize, work: usize, body: impl Fn(usize) + Sync + Send) {
    if count < 2 || work < PARALLEL_WORK || threads() < 2 {
        (0..count).for_each(body);
    } else {
        on_all(count, body);
    }
}

/// Cuts `0 .. length` into blocks of `size`: block i as (start, length).
pub fn block(i: usize, size: usize, length: usize) -> (usize, usize) {
    let start = i * size;
    (start, size.min(length - start))
}

/// A mutable slice of which tasks write disjoint parts.
pub struct Shared<'a, T = f32> {
    pointer: *mut T,
    length: usize,
    owner: PhantomData<&'a mut [T]>,
}

impl<T> Clone for Shared<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Shared<'_, T> {}

// SAFETY: access goes through unsafe methods, whose callers promise disjoint elements.
unsafe impl<T: Send> Sync for Shared<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub fn new(slice: &'a mut [T]) -> Self {
        Self {
            pointer: slice.as_mut_ptr(),
            length: slice.len(),
            owner: PhantomData,
        }
    }

    pub fn length(self) -> usize {
        self.length
    }

    /// First element, for tasks whose elements are not next to each other.
    pub fn pointer(self) -> *mut T {
        self.pointer
    }

    /// Elements `start .. start + length`.
    ///
    /// # Safety
    /// No other task may use an overlapping part at the same time.
    pub unsafe fn part(self, start: usize, length: usize) -> &'a mut [T] {
        assert!(
            start + length <= self.length,
            "part {start} + {length} of {}",
            self.length
        );
        // SAFETY: in range by the assertion, disjoint by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.pointer.add(start), length) }
    }
}

/// Columns of a row-major output: `columns` lie `width` elements apart from row to row, from `start` on.
#[derive(Clone, Copy)]
pub struct Columns<'a> {
    pub out: Shared<'a>,
    pub start: usize,
    pub width: usize,
}

impl Columns<'_> {
    /// Where `m` rows of `n` of these columns are written. Panics when they lie outside.
    pub fn target(self, m: usize, n: usize) -> Target {
        assert!(
            self.start + (m - 1) * self.width + n <= self.out.length,
            "c is too short"
        );
        Target {
            start: self.out.pointer.wrapping_add(self.start),
            width: self.width,
        }
    }
}

/// `c = scale * a b (+ c)` on the calling thread, where c may be columns that lie between other tasks' columns.
///
/// # Safety
/// No other task may use these columns at the same time.
pub unsafe fn multiply_into(
    size: Size,
    a: (&[f32], Strides),
    b: (&[f32], Strides),
    c: Columns,
    scale: f32,
    add: bool,
) {
    let product = Product {
        scale,
        add,
        ..Product::new(size, a, Factor::Floats(b.0, b.1))
    };
    // SAFETY: the caller's promise.
    unsafe { product.write(c, false) };
}

thread_local! {
    static SCRATCH: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// Lends `length` floats of unspecified content, kept by the thread for its next call.
pub fn with_scratch<R>(length: usize, body: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut scratch = SCRATCH.take();
    if scratch.len() < length {
        scratch = vec![0.0; length];
    }
    let result = body(&mut scratch[..length]);
    if scratch.len() <= KEPT_SCRATCH {
        SCRATCH.set(scratch);
    }
    result
}
