//! Packed moments of AdamW: bfloat16, and blocks of 256 values with a scale. core/src/kernels/moments.ts defines them.

use napi::Result;

use super::update::{Factors, Moments, step};
use crate::args::invalid;
use crate::multiversion;

/// Values that share a scale.
pub const BLOCK: usize = 256;
/// Words of a whole block: the scale, and a byte a value.
pub const BLOCK_WORDS: usize = 1 + BLOCK / 4;

/// Highest codes of first moments, which have a sign, and of second ones.
const LEVELS: [f32; 2] = [127.0, 255.0];

/// How moments are packed.
#[derive(Clone, Copy)]
pub enum Packing {
    Bf16,
    Int8,
}

impl Packing {
    pub fn parse(name: &str) -> Result<Self> {
        match name {
            "bfloat16" => Ok(Self::Bf16),
            "int8" => Ok(Self::Int8),
            _ => Err(invalid(format!("unknown storage of moments `{name}`"))),
        }
    }

    /// Words of `count` values.
    pub fn words(self, count: usize) -> usize {
        match self {
            Self::Bf16 => count.div_ceil(2),
            Self::Int8 => count.div_ceil(BLOCK) + count.div_ceil(4),
        }
    }

    pub fn moments<'a>(self, m: &'a mut [i32], v: &'a mut [i32]) -> Moments<'a> {
        match self {
            Self::Bf16 => Moments::Bf16(halves(m), halves(v)),
            Self::Int8 => Moments::Int8(m, v),
        }
    }
}

fn halves(words: &mut [i32]) -> &mut [u16] {
    // SAFETY: every bit pattern is a valid u16, whose alignment is smaller; the length is the same in bytes.
    unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), words.len() * 2) }
}

fn bytes(words: &mut [i32]) -> &mut [u8] {
    // SAFETY: as above.
    unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), words.len() * 4) }
}

/// Random bits of an element in a step: the upper half is for the first moment, the lower for the second.
#[inline(always)]
fn noise(step: u32, index: u32) -> u32 {
    let mut x = index
        .wrapping_mul(0x9e37_79b1)
        .wrapping_add(step.wrapping_mul(0x85eb_ca77));
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

multiversion! {
    /// Updates elements from `first` on of a tensor.
    pub fn update_bf16(parameter: &mut [f32], gradient: &[f32], m: &mut [u16], v: &mut [u16], f: Factors, first: u32) {
        let elements = parameter.iter_mut().zip(gradient).zip(m).zip(v);
        for (i, (((p, &g), m), v)) in (first..).zip(elements) {
            let wide = |half: u16| f32::from_bits(u32::from(half) << 16);
            let (new_p, new_m, new_v) = step(*p, g, wide(*m), wide(*v), &f);
            let random = noise(f.step, i);
            *p = new_p;
            *m = (new_m.to_bits().wrapping_add(random >> 16) >> 16) as u16;
            *v = (new_v.to_bits().wrapping_add(random & 0xffff) >> 16) as u16;
        }
    }
}

multiversion! {
    /// Updates elements from `first` on, which begins a block.
    pub fn update_int8(parameter: &mut [f32], gradient: &[f32], m: &mut [i32], v: &mut [i32], f: Factors, first: u32) {
        let blocks = parameter.chunks_mut(BLOCK).zip(gradient.chunks(BLOCK));
        let words = m.chunks_mut(BLOCK_WORDS).zip(v.chunks_mut(BLOCK_WORDS));
        for ((start, (parameter, gradient)), (m, v)) in (first..).step_by(BLOCK).zip(blocks).zip(words) {
            let (mut new_m, mut new_v) = ([0.0; BLOCK], [0.0; BLOCK]);
            decode::<0>(m, &mut new_m);
            decode::<1>(v, &mut new_v);
            for (((p, &g), m), v) in parameter.iter_mut().zip(gradient).zip(&mut new_m).zip(&mut new_v) {
                (*p, *m, *v) = step(*p, g, *m, *v, &f);
            }
            encode::<0>(&new_m, m, f.step, start);
            encode::<1>(&new_v, v, f.step, start);
        }
    }
}

/// The fourth power of a code's share of the highest code.
#[inline(always)]
fn level<const SECOND: usize>(code: f32) -> f32 {
    let root = code * (1.0 / LEVELS[SECOND]);
    let square = root * root;
    square * square
}

/// Values of a block, zeros behind the end of a short one.
#[inline(always)]
fn decode<const SECOND: usize>(words: &mut [i32], out: &mut [f32; BLOCK]) {
    let scale = f32::from_bits(words[0] as u32);
    let mut codes = [0u8; BLOCK];
    let stored = bytes(&mut words[1..]);
    codes[..stored.len()].copy_from_slice(stored);
    for i in 0..BLOCK {
        let byte = codes[i];
        let code = if SECOND == 1 {
            i32::from(byte)
        } else {
            i32::from(byte as i8)
        } as f32;
        out[i] = (level::<SECOND>(code) * scale).copysign(code);
    }
}

/// Floats of this size have no fraction: the low byte of `x + WHOLE` is the whole number x.
const WHOLE: f32 = 12_582_912.0;

/// The largest whole number that is not above x, for x from 0 to 255, in arithmetic that every vector unit has.
#[inline(always)]
fn floor(x: f32) -> f32 {
    let nearest = (x + WHOLE) - WHOLE;
    if nearest > x { nearest - 1.0 } else { nearest }
}

/// Packs a block; values behind the end of a short one are zeros.
#[inline(always)]
fn encode<const SECOND: usize>(values: &[f32; BLOCK], words: &mut [i32], step: u32, start: u32) {
    // Sizes of floats order as their bits do.
    let largest = values
        .iter()
        .fold(0, |most: u32, value| most.max(value.abs().to_bits()));
    // Rounded up to bfloat16: no value is above 1 then.
    let scale = f32::from_bits(largest.wrapping_add(0xffff) & 0xffff_0000);
    words[0] = scale.to_bits() as i32;
    let mut codes = [0u8; BLOCK];
    for i in 0..BLOCK {
        let value = values[i];
        let size = if scale > 0.0 { value.abs() / scale } else { 0.0 };
        let bits = noise(step, start.wrapping_add(i as u32));
        let random = if SECOND == 1 { bits & 0xffff } else { bits >> 16 } as i32 as f32;
        let below = floor(size.sqrt().sqrt() * LEVELS[SECOND]);
        let low = level::<SECOND>(below);
        let gap = level::<SECOND>(below + 1.0) - low;
        let code = if random / 65536.0 * gap < size - low {
            below + 1.0
        } else {
            below
        };
        let code = if SECOND == 1 && value > 0.0 && code < 1.0 {
            1.0
        } else {
            code
        };
        codes[i] = (code.copysign(value) + WHOLE).to_bits() as u8;
    }
    let stored = bytes(&mut words[1..]);
    stored.copy_from_slice(&codes[..stored.len()]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_of(first: [f32; 2]) -> [f32; BLOCK] {
        let mut block = [0.0; BLOCK];
        block[..2].copy_from_slice(&first);
        block
    }

    fn mean_of_many<const SECOND: usize>(value: f32) -> f64 {
        let steps = 20_000;
        let sum: f64 = (0..steps)
            .map(|step| {
                let (mut words, mut out) = ([0; 2], [0.0; BLOCK]);
                encode::<SECOND>(&block_of([1.0, value]), &mut words, step, 0);
                decode::<SECOND>(&mut words, &mut out);
                assert_eq!(out[0], 1.0);
                f64::from(out[1])
            })
            .sum();
        sum / f64::from(steps)
    }

    #[test]
    fn values_are_right_in_the_mean() {
        for value in [0.9, 0.313, 1e-2, 1e-4] {
            assert!((mean_of_many::<0>(-value) / -f64::from(value) - 1.0).abs() < 5e-3);
            assert!((mean_of_many::<1>(value) / f64::from(value) - 1.0).abs() < 5e-3);
        }
    }

    #[test]
    fn a_second_moment_above_zero_stays_above_zero() {
        let (mut words, mut out) = ([0; 2], [0.0; BLOCK]);
        encode::<1>(&block_of([1.0, 1e-30]), &mut words, 1, 0);
        decode::<1>(&mut words, &mut out);
        assert!(out[1] > 0.0 && out[2] == 0.0);
    }
}
