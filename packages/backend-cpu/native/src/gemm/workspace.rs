//! Memory for panels, kept by each thread.

use std::cell::Cell;

/// A line of the cache: panels start at one.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([f32; 16]);

thread_local! {
    static LINES: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
}

/// Lends three buffers of at least `words` floats each, of unspecified content, that start at lines of the cache.
#[inline(always)]
pub fn with_panels(words: [usize; 3], body: impl FnOnce([*mut f32; 3])) {
    let lines = words.map(|words| words.div_ceil(16));
    let mut memory = LINES.take();
    let needed = lines.iter().sum();
    if memory.len() < needed {
        memory = vec![Line([0.0; 16]); needed];
    }
    let start = memory.as_mut_ptr();
    body([0, lines[0], lines[0] + lines[1]].map(|line| start.wrapping_add(line).cast()));
    LINES.set(memory);
}
