//! The bfloat16 micro-kernel for AMX: tiles of 32 x 32, 32 values of k at a time.
//!
//! The instruction treats subnormal numbers as 0.

use std::arch::asm;
use std::arch::x86_64::*;
use std::sync::OnceLock;

use super::avx512::{store, transposed};
use super::kernel::{Kernel, Rows, Strip, Tile};
use super::pairs::{interleaved, pack, pairs};

const ROWS: usize = 32;
const COLUMNS: usize = 32;
const LANES: usize = 16;
/// Values of k that one instruction takes.
const CHUNK: usize = 32;

/// Panels of a hold chunks: 32 rows of 16 pairs. Panels of b hold a row of 32 pairs per two values of k.
pub struct Amx;

/// What `ldtilecfg` reads: eight registers of 16 rows of 64 bytes.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start: u8,
    reserved: [u8; 14],
    bytes: [u16; 16],
    rows: [u8; 16],
}

static CONFIGURATION: Configuration = {
    let mut bytes = [0; 16];
    let mut rows = [0; 16];
    let mut i = 0;
    while i < 8 {
        bytes[i] = 64;
        rows[i] = 16;
        i += 1;
    }
    Configuration {
        palette: 1,
        start: 0,
        reserved: [0; 14],
        bytes,
        rows,
    }
};

impl Kernel for Amx {
    const ROWS: usize = ROWS;
    const COLUMNS: usize = COLUMNS;
    const IN_PLACE: bool = false;

    fn depth(k: usize) -> usize {
        k.next_multiple_of(CHUNK) / 2
    }

    #[inline(always)]
    unsafe fn begin() {
        // SAFETY: the CPU has AMX, by the caller's promise, and the configuration is 64 bytes.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const CONFIGURATION, options(nostack, readonly));
        }
    }

    #[inline(always)]
    unsafe fn end() {
        // SAFETY: as above.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }

    #[inline(always)]
    unsafe fn pack_a(strip: Strip, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { pack_rows(strip, to) }
    }

    #[inline(always)]
    unsafe fn pack_b(strip: Strip, to: *mut f32) {
        let (packed, all) = (COLUMNS * strip.k.div_ceil(2), COLUMNS * Self::depth(strip.k));
        // SAFETY: the caller's promise.
        unsafe {
            pack::<COLUMNS>(strip, to);
            to.add(packed).write_bytes(0, all - packed);
        }
    }

    #[inline(always)]
    unsafe fn tile(tile: &Tile) {
        let Rows::Packed(a) = tile.a else {
            unreachable!("a is packed");
        };
        // SAFETY: the caller's promise.
        unsafe { product(tile, a) }
    }
}

/// # Safety
/// As [`Kernel::pack_a`].
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn pack_rows(strip: Strip, to: *mut f32) {
    for p in (0..strip.k).step_by(CHUNK) {
        let left = strip.k - p;
        for group in (0..ROWS).step_by(LANES) {
            let lines = strip.lines.saturating_sub(group).min(LANES);
            let from = strip
                .from
                .wrapping_add(group.min(strip.lines) * strip.line + p * strip.step);
            let part = Strip {
                from,
                lines,
                k: left.min(CHUNK),
                ..strip
            };
            let to = to.wrapping_add(p / CHUNK * ROWS * LANES + group * LANES);
            // SAFETY: the caller's promise; what lies past the lines and past k is not read.
            let words = unsafe {
                if strip.step == 1 {
                    neighbours(part)
                } else {
                    transposed(columns(part))
                }
            };
            for (i, word) in words.into_iter().enumerate() {
                // SAFETY: a panel has 32 rows of 16 words per chunk.
                unsafe { _mm512_storeu_ps(to.add(i * LANES), word) };
            }
        }
    }
}

/// Pairs of 16 lines whose values lie side by side, a vector per line.
///
/// # Safety
/// The strip must be readable.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn neighbours(strip: Strip) -> [__m512; LANES] {
    let some = |count: usize| ((1u32 << count.min(LANES)) - 1) as __mmask16;
    let (low, high) = (some(strip.k), some(strip.k.saturating_sub(LANES)));
    let mut words = [_mm512_setzero_ps(); LANES];
    for (i, word) in words.iter_mut().enumerate() {
        if i < strip.lines {
            let at = strip.from.wrapping_add(i * strip.line);
            // SAFETY: masked to k.
            let (x, y) = unsafe {
                (
                    _mm512_maskz_loadu_ps(low, at),
                    _mm512_maskz_loadu_ps(high, at.wrapping_add(LANES)),
                )
            };
            *word = _mm512_castsi512_ps(pairs(x, y));
        }
    }
    words
}

/// Pairs of 16 other lines, a vector per two values of k.
///
/// # Safety
/// The strip must be readable.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn columns(strip: Strip) -> [__m512; LANES] {
    let mut words = [_mm512_setzero_ps(); LANES];
    for (i, word) in words.iter_mut().enumerate() {
        // SAFETY: the caller's promise; nothing is read past k.
        *word = unsafe { interleaved(strip, 2 * i) };
    }
    words
}

/// # Safety
/// As [`Kernel::tile`].
#[target_feature(enable = "avx512f")]
unsafe fn product(tile: &Tile, a: *const f32) {
    #[repr(align(64))]
    struct Sums([f32; ROWS * COLUMNS]);
    let mut sums = std::mem::MaybeUninit::<Sums>::uninit();
    // SAFETY: only an address is taken.
    let to: *mut f32 = unsafe { (&raw mut (*sums.as_mut_ptr()).0).cast() };
    // SAFETY: panels hold whole chunks, the registers are configured, and `to` has room for 32 rows of 128 bytes.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "2:",
            "tileloadd tmm4, [{a} + {narrow}]",
            "tileloadd tmm6, [{b} + {wide}]",
            "tileloadd tmm7, [{b} + {wide} + 64]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tileloadd tmm5, [{a} + {narrow} + 1024]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "add {a}, 2048",
            "add {b}, 2048",
            "dec {chunks}",
            "jnz 2b",
            "tilestored [{to} + {wide}], tmm0",
            "tilestored [{to} + {wide} + 64], tmm1",
            "tilestored [{to} + {wide} + 2048], tmm2",
            "tilestored [{to} + {wide} + 2112], tmm3",
            a = inout(reg) a => _,
            b = inout(reg) tile.b => _,
            chunks = inout(reg) tile.k.div_ceil(CHUNK) => _,
            to = in(reg) to,
            narrow = in(reg) 64usize,
            wide = in(reg) 128usize,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
        for i in 0..tile.rows {
            let row = to.add(i * COLUMNS);
            let values = [_mm512_loadu_ps(row), _mm512_loadu_ps(row.add(LANES))];
            let c = tile.c.wrapping_add(i * tile.c_row);
            store(&Tile { c, ..*tile }, [values]);
        }
    }
}

/// Whether the CPU has AMX for bfloat16.
pub fn in_cpu() -> bool {
    const BF16: u32 = 1 << 22;
    const TILE: u32 = 1 << 24;
    // SAFETY: every x86-64 CPU has cpuid; newer compilers know that.
    #[allow(unused_unsafe)]
    let features = unsafe { __cpuid_count(7, 0) }.edx;
    features & BF16 != 0 && features & TILE != 0
}

/// Whether the CPU has AMX for bfloat16 and the system lets this process use it.
pub fn available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| in_cpu() && permitted())
}

/// Asks Linux for the tile registers, which a process has to do once.
#[cfg(target_os = "linux")]
fn permitted() -> bool {
    use std::ffi::c_long;
    unsafe extern "C" {
        fn syscall(number: c_long, ...) -> c_long;
    }
    const ARCH_PRCTL: c_long = 158;
    const REQUEST_PERMISSION: c_long = 0x1023;
    const TILE_DATA: c_long = 18;
    // SAFETY: the call has two plain arguments and touches no memory of ours.
    unsafe { syscall(ARCH_PRCTL, REQUEST_PERMISSION, TILE_DATA) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    false
}
