//! What several kernels need: task loops, disjoint writes, scratch memory and products into columns.

use std::cell::Cell;
use std::marker::PhantomData;

use gemm::Parallelism;
use rayon::prelude::*;

use crate::matmul::{Size, Strides};
use crate::threads::{in_pool, threads};

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
        in_pool(|_| (0..count).into_par_iter().with_max_len(1).for_each(&body));
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
    let Size { m, n, k } = size;
    if m == 0 || n == 0 {
        return;
    }
    let reach = |i: usize, j: usize, s: Strides| (i - 1) * s.rows + (j - 1) * s.columns;
    assert!(c.start + (m - 1) * c.width + n <= c.out.length, "c is too short");
    if k == 0 {
        if !add {
            // SAFETY: in range by the assertion, owned by the caller's task.
            (0..m).for_each(|i| unsafe { c.out.part(c.start + i * c.width, n).fill(0.0) });
        }
        return;
    }
    assert!(reach(m, k, a.1) < a.0.len(), "a is too short");
    assert!(reach(k, n, b.1) < b.0.len(), "b is too short");
    let stride = |s: usize| s as isize;
    // SAFETY: the assertions bound every access; the caller's task owns the columns.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.out.pointer.add(c.start),
            1,
            stride(c.width),
            add,
            a.0.as_ptr(),
            stride(a.1.columns),
            stride(a.1.rows),
            b.0.as_ptr(),
            stride(b.1.columns),
            stride(b.1.rows),
            1.0,
            scale,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
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
