//! What an instruction set provides: packing of panels and the product of two panels.

/// Lines of an operand that go into one panel: rows of a, or columns of b.
///
/// Value `p` of line `i` is at `from + i * line + p * step`.
#[derive(Clone, Copy)]
pub struct Strip {
    pub from: *const f32,
    /// Lines that exist; the panel has room for more, which packing fills with 0.
    pub lines: usize,
    pub line: usize,
    pub step: usize,
    /// Values of a line.
    pub k: usize,
}

/// Where a lies. Value `p` of row `i` of a panel:
#[derive(Clone, Copy)]
pub enum Rows {
    /// In panels of the kernel.
    Packed(*const f32),
    /// At `i * distance + p`: a row-major matrix as it is.
    InPlace { first: *const f32, distance: usize },
}

/// A tile of the output: `c = scale * a b (+ c) (+ bias)`.
#[derive(Clone, Copy)]
pub struct Tile {
    pub k: usize,
    pub a: Rows,
    pub b: *const f32,
    /// Elements from row to row of b: [`Kernel::COLUMNS`] where it is packed.
    pub b_row: usize,
    pub c: *mut f32,
    pub c_row: usize,
    /// At most [`Kernel::ROWS`].
    pub rows: usize,
    /// At most [`Kernel::COLUMNS`].
    pub columns: usize,
    pub scale: f32,
    pub add: bool,
    /// `columns` values, or null for none.
    pub bias: *const f32,
}

/// A micro-kernel with its panel layout. Memory of panels is counted in 4-byte words.
pub trait Kernel {
    /// Rows of a panel of a.
    const ROWS: usize;
    /// Columns of a panel of b.
    const COLUMNS: usize;
    /// Whether operands may be used where they lie, see [`Rows::InPlace`] and [`Tile::b_row`].
    const IN_PLACE: bool;

    /// Words that `k` values of a line take in a panel.
    fn depth(k: usize) -> usize {
        k
    }

    /// Prepares this thread for [`Kernel::tile`].
    ///
    /// # Safety
    /// The CPU must have the kernel's instructions, and [`Kernel::end`] must follow.
    #[inline(always)]
    unsafe fn begin() {}

    /// Undoes [`Kernel::begin`].
    ///
    /// # Safety
    /// As there.
    #[inline(always)]
    unsafe fn end() {}

    /// Packs a panel of a.
    ///
    /// # Safety
    /// The strip must be readable and `to` writable: `ROWS * depth(k)` words and [`SLACK`] more.
    /// The CPU must have the kernel's instructions.
    unsafe fn pack_a(strip: Strip, to: *mut f32);

    /// Packs a panel of b.
    ///
    /// # Safety
    /// As [`Kernel::pack_a`], with `COLUMNS`.
    unsafe fn pack_b(strip: Strip, to: *mut f32);

    /// Computes a tile.
    ///
    /// # Safety
    /// Panels, bias and the tile of c must be valid for its sizes, c for writing, and the CPU must have the
    /// kernel's instructions.
    unsafe fn tile(tile: &Tile);
}

/// Words that packing may write past the end of a panel.
pub const SLACK: usize = 16;

/// Packs a strip value by value: what is left over by vectors, and strides that no vector path has.
///
/// # Safety
/// As [`Kernel::pack_a`]; writes values `from ..` of every line.
#[inline(always)]
pub unsafe fn pack_scalar(strip: Strip, from: usize, width: usize, to: *mut f32) {
    for p in from..strip.k {
        for i in 0..width {
            // SAFETY: the caller's promise.
            unsafe {
                *to.add(p * width + i) = if i < strip.lines {
                    *strip.from.add(i * strip.line + p * strip.step)
                } else {
                    0.0
                };
            }
        }
    }
}

/// Packs a strip whose lines lie side by side (`line` is 1): copies `width` neighbours per value of k.
///
/// # Safety
/// As [`Kernel::pack_a`].
#[inline(always)]
pub unsafe fn pack_neighbours(strip: Strip, width: usize, to: *mut f32) {
    if strip.lines < width {
        // SAFETY: the caller's promise.
        return unsafe { pack_scalar(strip, 0, width, to) };
    }
    for p in 0..strip.k {
        // SAFETY: the caller's promise.
        unsafe {
            std::ptr::copy_nonoverlapping(strip.from.add(p * strip.step), to.add(p * width), width);
        }
    }
}

/// Packs a strip whose values lie side by side (`step` is 1), by square transposes of `LANES` lines.
///
/// `transpose(lines, from, line, to, to_row)` may write `LANES` words per row of a narrower panel: rows are written
/// in order, so that the next one repairs it, and the last one needs [`SLACK`].
///
/// # Safety
/// As [`Kernel::pack_a`].
#[inline(always)]
pub unsafe fn pack_transposed<const LANES: usize>(
    strip: Strip,
    width: usize,
    to: *mut f32,
    transpose: unsafe fn(usize, *const f32, usize, *mut f32, usize),
) {
    let whole = strip.k / LANES * LANES;
    for group in (0..width).step_by(LANES) {
        let lines = strip.lines.saturating_sub(group).min(LANES);
        // SAFETY: the caller's promise; lines past the last are not read.
        unsafe {
            let from = strip.from.add(group.min(strip.lines) * strip.line);
            for p in (0..whole).step_by(LANES) {
                transpose(lines, from.add(p), strip.line, to.add(p * width + group), width);
            }
        }
    }
    // SAFETY: the caller's promise.
    unsafe { pack_scalar(strip, whole, width, to) }
}
