//! One thread pool for all kernels. Work is split over outputs only, so results do not depend on its size.

use std::ops::Range;
use std::sync::{Arc, RwLock};

use napi::Result;
use napi_derive::napi;

use crate::args::{guard, invalid};
use crate::pool::Pool;

static POOL: RwLock<Option<Arc<Pool>>> = RwLock::new(None);

/// Chunks per thread: a late thread then costs a part of its share, not all of it.
const CHUNKS_PER_THREAD: usize = 4;

fn pool() -> Option<Arc<Pool>> {
    POOL.read().unwrap_or_else(|poison| poison.into_inner()).clone()
}

/// Number of threads that kernels use.
#[napi]
pub fn thread_count() -> u32 {
    threads() as u32
}

/// Sets the number of threads. 1 means the caller's own thread.
#[napi]
pub fn set_thread_count(count: u32) -> Result<()> {
    guard("set_thread_count", || {
        let next = match count {
            0 => return Err(invalid("the number of threads must be at least 1")),
            1 => None,
            n => {
                let pool = Pool::new(n as usize).map_err(|error| invalid(error.to_string()))?;
                Some(Arc::new(pool))
            }
        };
        *POOL.write().unwrap_or_else(|poison| poison.into_inner()) = next;
        Ok(())
    })
}

/// Number of threads that kernels use.
pub fn threads() -> usize {
    pool().map_or(1, |pool| pool.threads())
}

/// Calls `body(0) .. body(count - 1)` on all threads, in any order.
pub fn on_all(count: usize, body: impl Fn(usize) + Sync) {
    match pool() {
        Some(pool) if count > 1 => pool.run(count, &body),
        _ => (0..count).for_each(body),
    }
}

/// Calls `f` on ranges that cover `0..n`, on all threads when there is enough to do.
///
/// `min_rows` is the least number of rows that is worth a thread. `f` must compute each row
/// independently of how the range was cut.
pub fn par_rows(n: usize, min_rows: usize, f: impl Fn(Range<usize>) + Send + Sync) {
    let most = n / min_rows.max(1);
    let pool = if most < 2 { None } else { pool() };
    let Some(pool) = pool else {
        if n > 0 {
            f(0..n);
        }
        return;
    };
    let chunks = most.min(pool.threads() * CHUNKS_PER_THREAD);
    let cut = |i: usize| n * i / chunks;
    pool.run(chunks, &|i| f(cut(i)..cut(i + 1)));
}

/// As [`par_rows`], and hands each range its own part of `out`, which has `width` elements a row.
///
/// `out.len()` must be a multiple of `width`; the number of rows is their quotient.
pub fn par_rows_out<T: Send>(
    out: &mut [T],
    width: usize,
    min_rows: usize,
    f: impl Fn(Range<usize>, &mut [T]) + Send + Sync,
) {
    if width == 0 || out.is_empty() {
        return;
    }
    let n = out.len() / width;
    let shared = SharedOut::new(out);
    // SAFETY: ranges of `par_rows` are disjoint, so the parts are.
    par_rows(n, min_rows, |rows| {
        f(rows.clone(), unsafe {
            shared.part(rows.start * width..rows.end * width)
        })
    });
}

/// An output that several threads write, each its own part.
pub struct SharedOut<T = f32> {
    pointer: *mut T,
    length: usize,
}

// SAFETY: `part` is unsafe, and its contract forbids overlap.
unsafe impl<T: Send> Sync for SharedOut<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for SharedOut<T> {}

impl<T> SharedOut<T> {
    pub fn new(out: &mut [T]) -> Self {
        Self {
            pointer: out.as_mut_ptr(),
            length: out.len(),
        }
    }

    /// # Safety
    /// No two threads may hold overlapping parts at the same time, and the slice must still be alive.
    #[allow(clippy::mut_from_ref)]
    #[inline(always)]
    pub unsafe fn part(&self, range: Range<usize>) -> &mut [T] {
        assert!(
            range.start <= range.end && range.end <= self.length,
            "part {range:?} of {}",
            self.length
        );
        // SAFETY: in range by the assertion, disjoint by contract.
        unsafe { std::slice::from_raw_parts_mut(self.pointer.add(range.start), range.len()) }
    }
}
