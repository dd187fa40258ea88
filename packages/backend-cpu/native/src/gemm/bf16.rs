//! bfloat16 products: operands rounded to bfloat16, sums in float32.

use super::kernel::{Kernel, Strip, Tile};
use crate::multiversion;

/// A float32 kernel on rounded operands: what `bf16` means where the CPU has no instruction for it.
pub struct Rounded<K>(std::marker::PhantomData<K>);

impl<K: Kernel> Kernel for Rounded<K> {
    const ROWS: usize = K::ROWS;
    const COLUMNS: usize = K::COLUMNS;
    const IN_PLACE: bool = false;

    #[inline(always)]
    unsafe fn pack_a(strip: Strip, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe {
            K::pack_a(strip, to);
            round(std::slice::from_raw_parts_mut(to, K::ROWS * strip.k));
        }
    }

    #[inline(always)]
    unsafe fn pack_b(strip: Strip, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe {
            K::pack_b(strip, to);
            round(std::slice::from_raw_parts_mut(to, K::COLUMNS * strip.k));
        }
    }

    #[inline(always)]
    unsafe fn tile(tile: &Tile) {
        // SAFETY: the caller's promise.
        unsafe { K::tile(tile) }
    }
}

multiversion! {
    /// Rounds to the nearest bfloat16, ties to even. A NaN stays one.
    pub fn round(values: &mut [f32]) {
        for value in values {
            let bits = value.to_bits();
            let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) & 0xffff_0000;
            let quiet = (bits | 0x0040_0000) & 0xffff_0000;
            let nan = bits & 0x7fff_ffff > 0x7f80_0000;
            *value = f32::from_bits(if nan { quiet } else { rounded });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_as_the_half_crate_does() {
        let mut values: Vec<f32> = (0..1 << 16)
            .map(|i| f32::from_bits((i as u32) << 16 | (i as u32).wrapping_mul(0x9e37) & 0xffff))
            .collect();
        values.extend([1.003_906_2, 1.011_718_8, f32::MAX, f32::INFINITY, -0.0, f32::NAN]);
        let expected: Vec<f32> = values.iter().map(|&v| half::bf16::from_f32(v).to_f32()).collect();
        round(&mut values);
        for (a, b) in values.iter().zip(&expected) {
            assert!(
                a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
                "{a} is not {b}"
            );
        }
    }
}
