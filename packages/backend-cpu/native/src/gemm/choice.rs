//! Which way a product is computed.
//!
//! GF/s on one thread of a Xeon with AMX (float32 peak about 185), `cargo run --release --example gemm`:
//!
//! | m x n x k, operands | crate | AVX2 | AVX-512 | bf16: AVX-512, rounded | bf16: AVX512_BF16 | bf16: AMX |
//! |---|---|---|---|---|---|---|
//! | 800 x 384 x 128 NT | 142 | 95 | 152 | 141 | 94 | 279 |
//! | 800 x 128 x 384 NN | 164 | 94 | 154 | 131 | 86 | 440 |
//! | 128 x 384 x 800 TN | 108 | 88 | 146 | 144 | 87 | 477 |
//! | 512 x 576 x 576 NN | 138 | 95 | 142 | 127 | 90 | 550 |
//! | 512 x 576 x 1536 NT | 130 | 94 | 132 | 124 | 87 | 442 |
//! | 64 x 128 x 128 NT | 111 | 89 | 139 | 111 | 91 | 518 |
//! | 512 x 1536 x 576 NN | 150 | 81 | 125 | 127 | 89 | 355 |
//! | 1024 x 1024 x 1024 NN | 140 | 80 | 122 | 120 | 88 | 467 |
//! | 16 x 576 x 576 NN | 160 | 74 | 132 | 82 | 77 | 243 |
//!
//! So float32 goes to the crate where both operands lie row by row and there are many columns or few rows, and to the
//! own kernel else. AVX512_BF16 takes bfloat16 on CPUs without AMX, where it is twice as fast as float32 (Zen 5); on
//! CPUs with AMX it is slower than float32, and stands aside even where the system withholds AMX.

use std::ops::Range;
#[cfg(target_arch = "x86_64")]
use std::sync::OnceLock;

use super::driver::Target;
use super::{Factor, Precision, Product, few, portable, stored};
use crate::kernels::activation::Kind;
use crate::simd::{Level, level};

/// A way to compute a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Dot products of few rows.
    Dots,
    /// Dot products of few rows with a packed weight.
    Blocks,
    /// The `gemm` crate.
    Crate,
    Avx2,
    Avx512,
    /// AVX512_BF16.
    Pairs,
    /// AMX with bfloat16.
    Amx,
}

/// With this many columns, or this few rows, the crate is faster where operands lie row by row.
const MANY_COLUMNS: usize = 1024;
const FEW_ROWS: usize = 16;

impl Method {
    /// The fastest for a product; chosen by its shape and precision alone.
    pub fn of(p: &Product) -> Self {
        if stored::suits(p) {
            return Self::Blocks;
        }
        if few::suits(p) {
            // 32 against 20 GF/s at 1 x 576 x 576.
            let vector = p.size.m == 1 && is_exact(p);
            return if vector { Self::Crate } else { Self::Dots };
        }
        match level() {
            Level::Baseline => Self::Crate,
            Level::Avx2 => Self::Avx2,
            Level::Avx512 if p.precision == Precision::Bf16 && has_amx() => Self::Amx,
            Level::Avx512 if p.precision == Precision::Bf16 && pairs_are_fast() => Self::Pairs,
            Level::Avx512 if crate_wins(p) => Self::Crate,
            Level::Avx512 => Self::Avx512,
        }
    }

    /// Every method of this CPU that can compute a product. The first is the `gemm` crate.
    pub fn all(p: &Product) -> Vec<Self> {
        let mut all = vec![Self::Crate];
        if level() >= Level::Avx2 {
            all.push(Self::Avx2);
        }
        if level() == Level::Avx512 {
            all.push(Self::Avx512);
        }
        if p.precision == Precision::Bf16 && has_pairs() {
            all.push(Self::Pairs);
        }
        if p.precision == Precision::Bf16 && has_amx() {
            all.push(Self::Amx);
        }
        if few::suits(p) {
            all.push(Self::Dots);
        }
        if stored::suits(p) {
            all.push(Self::Blocks);
        }
        all
    }

    /// The tile of c at `rows` x `columns`, on this thread.
    ///
    /// # Safety
    /// As [`super::driver::region`].
    pub(super) unsafe fn region(self, p: &Product, c: Target, rows: Range<usize>, columns: Range<usize>) {
        // SAFETY: the caller's promise, and `of` has checked the CPU.
        unsafe {
            match self {
                Self::Dots => few::region(p, c, columns),
                Self::Blocks => stored::region(p, c, columns),
                Self::Crate => portable::region(p, c, rows, columns),
                #[cfg(target_arch = "x86_64")]
                Self::Avx2 => x86::avx2(p, c, rows, columns),
                #[cfg(target_arch = "x86_64")]
                Self::Avx512 => x86::avx512(p, c, rows, columns),
                #[cfg(target_arch = "x86_64")]
                Self::Pairs => x86::pairs(p, c, rows, columns),
                #[cfg(target_arch = "x86_64")]
                Self::Amx => x86::amx(p, c, rows, columns),
                #[cfg(not(target_arch = "x86_64"))]
                Self::Avx2 | Self::Avx512 | Self::Pairs | Self::Amx => unreachable!("{self:?} is for x86-64"),
            }
        }
    }
}

/// Whether the CPU multiplies pairs of bfloat16.
#[cfg(target_arch = "x86_64")]
fn has_pairs() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    level() == Level::Avx512 && *FOUND.get_or_init(|| is_x86_feature_detected!("avx512bf16"))
}

/// Whether the CPU multiplies tiles of bfloat16, and the system lets it.
#[cfg(target_arch = "x86_64")]
fn has_amx() -> bool {
    has_pairs() && super::amx::available()
}

/// CPUs with AMX have the instruction for pairs as well, at less than the speed of float32.
#[cfg(target_arch = "x86_64")]
fn pairs_are_fast() -> bool {
    has_pairs() && !super::amx::in_cpu()
}

#[cfg(not(target_arch = "x86_64"))]
fn pairs_are_fast() -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
fn has_pairs() -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
fn has_amx() -> bool {
    false
}

/// Whether the operands go into the product as they are.
fn is_exact(p: &Product) -> bool {
    p.precision == Precision::Exact && matches!(p.b, Factor::Floats(..))
}

fn crate_wins(p: &Product) -> bool {
    let plain =
        p.finish.bias.is_empty() && p.finish.activation == Kind::None && p.precision == Precision::Exact;
    let by_rows = p.a.1.columns == 1 && matches!(p.b, Factor::Floats(_, strides) if strides.columns == 1);
    plain && by_rows && (p.size.n >= MANY_COLUMNS || p.size.m <= FEW_ROWS)
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::super::amx::Amx;
    use super::super::avx2::Avx2;
    use super::super::avx512::Avx512;
    use super::super::bf16::Rounded;
    use super::super::driver::region;
    use super::super::pairs::Pairs;
    use super::{Precision, Product, Range, Target};

    /// # Safety
    /// As [`region`].
    #[target_feature(enable = "avx2,fma")]
    pub unsafe fn avx2(p: &Product, c: Target, rows: Range<usize>, columns: Range<usize>) {
        // SAFETY: the caller's promise.
        unsafe {
            match p.precision {
                Precision::Exact => region::<Avx2>(p, c, rows, columns),
                Precision::Bf16 => region::<Rounded<Avx2>>(p, c, rows, columns),
            }
        }
    }

    /// # Safety
    /// As [`region`].
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi1,bmi2")]
    pub unsafe fn avx512(p: &Product, c: Target, rows: Range<usize>, columns: Range<usize>) {
        // SAFETY: the caller's promise.
        unsafe {
            match p.precision {
                Precision::Exact => region::<Avx512>(p, c, rows, columns),
                Precision::Bf16 => region::<Rounded<Avx512>>(p, c, rows, columns),
            }
        }
    }

    /// # Safety
    /// As [`region`].
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,bmi1,bmi2")]
    pub unsafe fn pairs(p: &Product, c: Target, rows: Range<usize>, columns: Range<usize>) {
        // SAFETY: the caller's promise.
        unsafe { region::<Pairs>(p, c, rows, columns) }
    }

    /// # Safety
    /// As [`region`].
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,bmi1,bmi2")]
    pub unsafe fn amx(p: &Product, c: Target, rows: Range<usize>, columns: Range<usize>) {
        // SAFETY: the caller's promise.
        unsafe { region::<Amx>(p, c, rows, columns) }
    }
}
