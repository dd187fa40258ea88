//! Packed weights: bfloat16, float16 and GGUF's block formats, 32 values a block.

use napi::Result;

use crate::args::invalid;
use crate::multiversion;

/// Values of one block.
pub const BLOCK: usize = 32;

/// How a frozen weight is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    Bf16,
    F16,
    Q8,
    Q4,
    Q4WithMinimum,
}

impl Storage {
    pub fn parse(name: &str) -> Result<Self> {
        Ok(match name {
            "bf16" => Self::Bf16,
            "f16" => Self::F16,
            "q8_0" => Self::Q8,
            "q4_0" => Self::Q4,
            "q4_1" => Self::Q4WithMinimum,
            _ => return Err(invalid(format!("unknown storage `{name}`"))),
        })
    }

    /// Values that are stored together, and their bytes.
    fn block(self) -> (usize, usize) {
        match self {
            Self::Bf16 | Self::F16 => (1, 2),
            Self::Q8 => (BLOCK, 34),
            Self::Q4 => (BLOCK, 18),
            Self::Q4WithMinimum => (BLOCK, 20),
        }
    }

    /// int32 words that `count` values take; fails where they are no whole number of blocks.
    pub fn words(self, count: usize) -> Result<usize> {
        let (values, bytes) = self.block();
        if !count.is_multiple_of(values) {
            return Err(invalid(format!("{count} values are no whole blocks of {values}")));
        }
        Ok((count / values * bytes).div_ceil(4))
    }

    /// Decodes values `start .. start + out.len()`. Both are whole blocks.
    pub fn decode(self, packed: &[u8], start: usize, out: &mut [f32]) {
        let (values, bytes) = self.block();
        let packed = &packed[start / values * bytes..(start + out.len()) / values * bytes];
        match self {
            Self::Bf16 => decode_bf16(packed, out),
            Self::F16 => decode_f16(packed, out),
            Self::Q8 => decode_q8(packed, out),
            Self::Q4 | Self::Q4WithMinimum => decode_q4(packed, bytes, out),
        }
    }
}

/// A packed weight [outputs, inputs].
#[derive(Clone, Copy)]
pub struct Packed<'a> {
    pub bytes: &'a [u8],
    pub storage: Storage,
    pub inputs: usize,
    pub outputs: usize,
}

/// A side of a weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Inputs,
    Outputs,
}

impl Packed<'_> {
    /// Decodes `rows` outputs and `columns` inputs, each (first, number), to rows of `out`.
    pub fn decode_tile(&self, rows: (usize, usize), columns: (usize, usize), out: &mut [f32]) {
        let (values, _) = self.storage.block();
        let (first, count) = columns;
        let before = first % values;
        let cover = (before + count).next_multiple_of(values);
        for (i, out) in out.chunks_exact_mut(count.max(1)).take(rows.1).enumerate() {
            let start = (rows.0 + i) * self.inputs + first - before;
            if cover == count {
                self.storage.decode(self.bytes, start, out);
                continue;
            }
            let mut whole = [0.0; BLOCK];
            for block in (0..cover).step_by(values) {
                self.storage
                    .decode(self.bytes, start + block, &mut whole[..values]);
                let from = before.saturating_sub(block);
                let to = (before + count - block).min(values);
                let at = block + from - before;
                out[at..at + to - from].copy_from_slice(&whole[from..to]);
            }
        }
    }
}

/// The bytes of little-endian words, in order.
pub fn bytes_of(words: &[i32]) -> &[u8] {
    // SAFETY: every byte of an i32 is a valid u8, and the length is the same in bytes.
    unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), size_of_val(words)) }
}

/// 2¹¹²: exponents of a float16 count from −15, those of a float32 from −127.
const HALF_UNIT: f32 = f32::from_bits((112 + 127) << 23);

/// The value of a little-endian float16.
#[inline(always)]
pub fn half(bytes: &[u8]) -> f32 {
    let bits = u32::from(u16::from_le_bytes([bytes[0], bytes[1]]));
    let magnitude = f32::from_bits((bits & 0x7fff) << 13);
    let value = if bits & 0x7c00 == 0x7c00 {
        magnitude.to_bits() | 0x7f80_0000
    } else {
        (magnitude * HALF_UNIT).to_bits()
    };
    f32::from_bits(value | (bits & 0x8000) << 16)
}

multiversion! {
    fn decode_bf16(packed: &[u8], out: &mut [f32]) {
        for (out, pair) in out.iter_mut().zip(packed.as_chunks::<2>().0) {
            *out = f32::from_bits(u32::from(u16::from_le_bytes(*pair)) << 16);
        }
    }
}

multiversion! {
    fn decode_f16(packed: &[u8], out: &mut [f32]) {
        for (out, pair) in out.iter_mut().zip(packed.as_chunks::<2>().0) {
            *out = half(pair);
        }
    }
}

multiversion! {
    fn decode_q8(packed: &[u8], out: &mut [f32]) {
        for (out, block) in out.as_chunks_mut::<BLOCK>().0.iter_mut().zip(packed.as_chunks::<34>().0) {
            let scale = half(block);
            for i in 0..BLOCK {
                out[i] = scale * f32::from(block[2 + i] as i8);
            }
        }
    }
}

multiversion! {
    /// Value i is the low half of byte i, value i + 16 the high half.
    fn decode_q4(packed: &[u8], bytes: usize, out: &mut [f32]) {
        for (out, block) in out.as_chunks_mut::<BLOCK>().0.iter_mut().zip(packed.chunks_exact(bytes)) {
            let (head, nibbles) = block.split_at(bytes - BLOCK / 2);
            let scale = half(head);
            let base = if head.len() > 2 { half(&head[2..]) } else { -8.0 * scale };
            for i in 0..BLOCK / 2 {
                out[i] = scale * f32::from(nibbles[i] & 15) + base;
                out[i + BLOCK / 2] = scale * f32::from(nibbles[i] >> 4) + base;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;

    #[test]
    fn every_float16_has_its_value() {
        for bits in 0..=u16::MAX {
            let expected = f16::from_bits(bits).to_f32();
            let value = half(&bits.to_le_bytes());
            let same = value.to_bits() == expected.to_bits() || value.is_nan() && expected.is_nan();
            assert!(same, "{bits:#x}: {value} is not {expected}");
        }
    }

    #[test]
    fn blocks_decode_from_any_block_on() {
        let mut packed = vec![0u8; 36];
        for block in 0..2 {
            packed[block * 18..block * 18 + 2].copy_from_slice(&f16::from_f32(0.5).to_le_bytes());
            packed[block * 18 + 2] = if block == 0 { 0x1f } else { 0x80 };
        }
        let mut out = [0.0; 32];
        Storage::Q4.decode(&packed, 0, &mut out);
        assert_eq!([out[0], out[16], out[1]], [3.5, -3.5, -4.0]);
        Storage::Q4.decode(&packed, 32, &mut out);
        assert_eq!([out[0], out[16], out[1]], [-4.0, 0.0, -4.0]);
        assert!(Storage::Q4.words(33).is_err());
    }

    #[test]
    fn tiles_may_begin_and_end_within_a_block() {
        let bytes: Vec<u8> = (0..2 * 3 * 34)
            .map(|i| if i % 34 < 2 { 0x3c * (i % 2) as u8 } else { i as u8 })
            .collect();
        let weight = Packed {
            bytes: &bytes,
            storage: Storage::Q8,
            inputs: 96,
            outputs: 2,
        };
        let mut whole = [0.0; 192];
        Storage::Q8.decode(&bytes, 0, &mut whole);
        for (first, count) in [(0, 96), (16, 16), (48, 16), (5, 70), (31, 2), (64, 32)] {
            let mut tile = vec![0.0; 2 * count];
            weight.decode_tile((0, 2), (first, count), &mut tile);
            assert_eq!(tile[..count], whole[first..first + count]);
            assert_eq!(tile[count..], whole[96 + first..96 + first + count]);
        }
    }

    #[test]
    fn bfloat16_is_the_upper_half_of_a_float() {
        let mut out = [0.0; 1];
        Storage::Bf16.decode(&[0, 0, 0x40, 0xc0], 1, &mut out);
        assert_eq!(out, [-3.0]);
    }

    #[test]
    fn half_precision_has_small_and_infinite_numbers() {
        let bits: [u16; 6] = [0x3c00, 0xc200, 0x8001, 0x03ff, 0x7bff, 0xfc00];
        let bytes: Vec<u8> = bits.iter().flat_map(|bits| bits.to_le_bytes()).collect();
        let mut out = [0.0; 6];
        Storage::F16.decode(&bytes, 0, &mut out);
        let step = 2f32.powi(-24);
        assert_eq!(out, [1.0, -3.0, -step, 1023.0 * step, 65504.0, f32::NEG_INFINITY]);
    }
}
