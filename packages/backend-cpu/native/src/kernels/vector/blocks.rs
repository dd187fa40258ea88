//! Values of packed weights, decoded in registers.

use super::{Portable, Vector};
use crate::kernels::quantised::half;

/// A vector that knows the formats of packed weights.
///
/// # Safety
/// As [`Vector`]; pointers must be valid for the bytes that are read.
pub trait Blocks: Vector {
    /// The two halves at `from`, each in all lanes.
    unsafe fn halves(from: *const u8) -> [Self; 2];
    /// Calls `each(i, values)` for values i and on of 16 bytes with two of them each: `scale * q + base`, the low half of
    /// byte i for value i and its high half for value i + 16.
    unsafe fn nibbles(from: *const u8, scale: Self, base: Self, each: impl FnMut(usize, Self));
    /// `LANES` signed bytes.
    unsafe fn signed_bytes(from: *const u8) -> Self;
    /// `LANES` bfloat16.
    unsafe fn bfloats(from: *const u8) -> Self;
    /// `LANES` float16.
    unsafe fn half_floats(from: *const u8) -> Self;
    /// All lanes, in an order that the type fixes.
    unsafe fn total(self) -> f32;
    /// Fetches what will be read some blocks later.
    unsafe fn fetch(from: *const u8);
}

// SAFETY (all blocks): valid pointers and the instruction set are the caller's promise.
impl Blocks for Portable {
    #[inline(always)]
    unsafe fn halves(from: *const u8) -> [Self; 2] {
        // SAFETY: see above.
        let bits = unsafe { from.cast::<[[u8; 2]; 2]>().read_unaligned() };
        bits.map(|bits| Self([half(&bits); 8]))
    }

    #[inline(always)]
    unsafe fn nibbles(from: *const u8, scale: Self, base: Self, mut each: impl FnMut(usize, Self)) {
        // SAFETY: see above.
        let bytes = unsafe { from.cast::<[u8; 16]>().read_unaligned() };
        for (shift, start) in [(0, 0), (4, 16)] {
            for (i, bytes) in bytes.as_chunks::<8>().0.iter().enumerate() {
                let levels = Self(bytes.map(|byte| f32::from(byte >> shift & 15)));
                // SAFETY: needs no features.
                each(start + 8 * i, unsafe { levels.fma(scale, base) });
            }
        }
    }

    #[inline(always)]
    unsafe fn signed_bytes(from: *const u8) -> Self {
        // SAFETY: see above.
        Self(unsafe { from.cast::<[i8; 8]>().read_unaligned() }.map(f32::from))
    }

    #[inline(always)]
    unsafe fn bfloats(from: *const u8) -> Self {
        // SAFETY: see above.
        let pairs = unsafe { from.cast::<[[u8; 2]; 8]>().read_unaligned() };
        Self(pairs.map(|pair| f32::from_bits(u32::from(u16::from_le_bytes(pair)) << 16)))
    }

    #[inline(always)]
    unsafe fn half_floats(from: *const u8) -> Self {
        // SAFETY: see above.
        let pairs = unsafe { from.cast::<[[u8; 2]; 8]>().read_unaligned() };
        Self(pairs.map(|pair| half(&pair)))
    }

    #[inline(always)]
    unsafe fn total(self) -> f32 {
        let [a, b, c, d, e, f, g, h] = self.0;
        ((a + e) + (b + f)) + ((c + g) + (d + h))
    }

    #[inline(always)]
    unsafe fn fetch(_: *const u8) {}
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::super::{Avx2, Avx512};
    use super::Blocks;

    impl Blocks for Avx512 {
        #[inline(always)]
        unsafe fn halves(from: *const u8) -> [Self; 2] {
            // SAFETY: see above.
            unsafe {
                let both = _mm_cvtph_ps(_mm_loadu_si32(from.cast()));
                [
                    Self(_mm512_broadcastss_ps(both)),
                    Self(_mm512_broadcastss_ps(_mm_movehdup_ps(both))),
                ]
            }
        }

        #[inline(always)]
        unsafe fn nibbles(from: *const u8, scale: Self, base: Self, mut each: impl FnMut(usize, Self)) {
            // SAFETY: see above.
            unsafe {
                let levels = _mm512_set_ps(
                    15.0, 14.0, 13.0, 12.0, 11.0, 10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0,
                );
                // What each level stands for: the permutation looks at the lower four bits of an index.
                let values = _mm512_fmadd_ps(levels, scale.0, base.0);
                let bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast()));
                each(0, Self(_mm512_permutexvar_ps(bytes, values)));
                let high = _mm512_srli_epi32::<4>(bytes);
                each(16, Self(_mm512_permutexvar_ps(high, values)));
            }
        }

        #[inline(always)]
        unsafe fn signed_bytes(from: *const u8) -> Self {
            // SAFETY: see above.
            Self(unsafe { _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(from.cast()))) })
        }

        #[inline(always)]
        unsafe fn bfloats(from: *const u8) -> Self {
            // SAFETY: see above.
            unsafe {
                let bits = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast()));
                Self(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(bits)))
            }
        }

        #[inline(always)]
        unsafe fn half_floats(from: *const u8) -> Self {
            // SAFETY: see above.
            unsafe { Self(_mm512_cvtph_ps(_mm256_loadu_si256(from.cast()))) }
        }

        #[inline(always)]
        unsafe fn total(self) -> f32 {
            // SAFETY: see above.
            unsafe { _mm512_reduce_add_ps(self.0) }
        }

        #[inline(always)]
        unsafe fn fetch(from: *const u8) {
            // SAFETY: any address may be fetched.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
        }
    }

    impl Blocks for Avx2 {
        #[inline(always)]
        unsafe fn halves(from: *const u8) -> [Self; 2] {
            // SAFETY: see above.
            unsafe {
                let both = _mm_cvtph_ps(_mm_loadu_si32(from.cast()));
                [
                    Self(_mm256_broadcastss_ps(both)),
                    Self(_mm256_broadcastss_ps(_mm_movehdup_ps(both))),
                ]
            }
        }

        #[inline(always)]
        unsafe fn nibbles(from: *const u8, scale: Self, base: Self, mut each: impl FnMut(usize, Self)) {
            // SAFETY: see above.
            unsafe {
                let low = _mm256_set1_epi32(15);
                for i in [0, 8] {
                    let bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64(from.add(i).cast()));
                    let value = |levels| Self(_mm256_fmadd_ps(_mm256_cvtepi32_ps(levels), scale.0, base.0));
                    each(i, value(_mm256_and_si256(bytes, low)));
                    each(i + 16, value(_mm256_srli_epi32::<4>(bytes)));
                }
            }
        }

        #[inline(always)]
        unsafe fn signed_bytes(from: *const u8) -> Self {
            // SAFETY: see above.
            Self(unsafe { _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(from.cast()))) })
        }

        #[inline(always)]
        unsafe fn bfloats(from: *const u8) -> Self {
            // SAFETY: see above.
            unsafe {
                let bits = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast()));
                Self(_mm256_castsi256_ps(_mm256_slli_epi32::<16>(bits)))
            }
        }

        #[inline(always)]
        unsafe fn half_floats(from: *const u8) -> Self {
            // SAFETY: see above.
            unsafe { Self(_mm256_cvtph_ps(_mm_loadu_si128(from.cast()))) }
        }

        #[inline(always)]
        unsafe fn total(self) -> f32 {
            // SAFETY: see above.
            unsafe {
                let half = _mm_add_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps::<1>(self.0));
                let pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
                _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)))
            }
        }

        #[inline(always)]
        unsafe fn fetch(from: *const u8) {
            // SAFETY: any address may be fetched.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::with_vectors;

    fn read<V: Vector>(vector: V) -> Vec<f32> {
        let mut out = vec![0.0; V::LANES];
        // SAFETY: `out` has all lanes.
        unsafe { vector.store(out.as_mut_ptr()) };
        out
    }

    #[inline(always)]
    unsafe fn decodes<V: Blocks>() {
        let bytes: [u8; 64] = std::array::from_fn(|i| (i * 37 + 11) as u8);
        // SAFETY: all reads are within the array; the caller has checked the features.
        unsafe {
            // 1.5 and the smallest number there is.
            let [scale, base] = V::halves([0x00u8, 0x3e, 0x01, 0x00].as_ptr());
            assert_eq!((read(scale)[0], read(base)[V::LANES - 1]), (1.5, 2f32.powi(-24)));
            let mut values = [0f32; 32];
            V::nibbles(bytes.as_ptr(), scale, V::splat(-3.0), |i, part: V| {
                part.store(values[i..].as_mut_ptr());
            });
            for i in 0..16 {
                let levels = [bytes[i] & 15, bytes[i] >> 4].map(|level| 1.5 * f32::from(level) - 3.0);
                assert_eq!([values[i], values[i + 16]], levels);
            }
            let signed: Vec<f32> = bytes[..V::LANES]
                .iter()
                .map(|&byte| f32::from(byte as i8))
                .collect();
            assert_eq!(read(V::signed_bytes(bytes.as_ptr())), signed);
            let pairs = bytes.as_chunks::<2>().0[..V::LANES].iter();
            let floats: Vec<u32> = pairs
                .map(|&pair| u32::from(u16::from_le_bytes(pair)) << 16)
                .collect();
            let found = read(V::bfloats(bytes.as_ptr()));
            assert_eq!(
                found.iter().map(|value| value.to_bits()).collect::<Vec<_>>(),
                floats
            );
            // A processor makes signalling numbers quiet ones.
            let halves: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
            for bytes in halves.chunks(2 * V::LANES) {
                let expected = bytes.as_chunks::<2>().0.iter().map(|pair| half(pair));
                let found = read(V::half_floats(bytes.as_ptr()));
                assert!(found.iter().zip(expected).all(|(value, expected)| {
                    value.to_bits() == expected.to_bits() || value.is_nan() && expected.is_nan()
                }));
            }
            assert_eq!(
                V::signed_bytes(bytes.as_ptr()).total(),
                signed.iter().sum::<f32>()
            );
            V::fetch(bytes.as_ptr());
        }
    }

    with_vectors! {
        unsafe fn check() = decodes[avx512: ; avx2: ; portable: ]
    }

    #[test]
    fn every_vector_decodes_blocks() {
        // SAFETY: dispatched by level; the portable type needs no features.
        unsafe {
            check();
            decodes::<Portable>();
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn avx2_does_the_same() {
        #[target_feature(enable = "avx2,fma,f16c")]
        unsafe fn avx2() {
            // SAFETY: this function has the features.
            unsafe { decodes::<super::super::Avx2>() }
        }
        if crate::simd::level() >= crate::simd::Level::Avx2 {
            // SAFETY: checked above.
            unsafe { avx2() };
        }
    }
}
