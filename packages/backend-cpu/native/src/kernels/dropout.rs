//! BasicDropout: values that a counter-based generator drops, the others scaled.

use super::support::{Shared, block, tasks};

/// Values of a task at least; whole blocks of random bits.
const CHUNK: usize = 1 << 13;
/// Values that one block of 128 random bits decides on, with 16 bits each.
const PER_BLOCK: usize = 8;
/// Multiply-adds that deciding on a value costs about.
const VALUE_WORK: usize = 16;

const ROUNDS: usize = 10;
const MULTIPLIERS: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];
const WEYL: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];

/// Philox4x32-10 (Salmon et al., SC 2011): 128 random bits of a counter and a key.
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..ROUNDS {
        let [a, b] = [0, 1].map(|i| u64::from(MULTIPLIERS[i]) * u64::from(counter[2 * i]));
        counter = [
            (b >> 32) as u32 ^ counter[1] ^ key[0],
            b as u32,
            (a >> 32) as u32 ^ counter[3] ^ key[1],
            a as u32,
        ];
        key = [0, 1].map(|i| key[i].wrapping_add(WEYL[i]));
    }
    counter
}

/// Which values are dropped.
#[derive(Clone, Copy)]
pub struct Mask {
    /// In 65536ths: how many of the values.
    pub threshold: u32,
    /// The seed.
    pub key: [u32; 2],
    /// Upper half of the counter.
    pub stream: [u32; 2],
}

/// `y = x * mask / (1 - p)`.
pub fn dropout(mask: Mask, x: &[f32], y: &mut [f32]) {
    let out = Shared::new(y);
    tasks(x.len().div_ceil(CHUNK), x.len() * VALUE_WORK, |task| {
        let (start, count) = block(task, CHUNK, x.len());
        // SAFETY: tasks own disjoint elements.
        let y = unsafe { out.part(start, count) };
        drop_from(mask, start / PER_BLOCK, &x[start..start + count], y);
    });
}

/// As [`dropout`], for values that begin with a block of random bits.
fn drop_from(mask: Mask, first: usize, x: &[f32], y: &mut [f32]) {
    let factor = (1.0 / (1.0 - f64::from(mask.threshold) / 65_536.0)) as f32;
    for (i, (y, x)) in y.chunks_mut(PER_BLOCK).zip(x.chunks(PER_BLOCK)).enumerate() {
        let at = (first + i) as u64;
        let counter = [at as u32, (at >> 32) as u32, mask.stream[0], mask.stream[1]];
        let words = philox(counter, mask.key);
        for (j, (y, &x)) in y.iter_mut().zip(x).enumerate() {
            let bits = (words[j / 2] >> (16 * (j % 2))) & 0xffff;
            *y = x * if bits < mask.threshold { 0.0 } else { factor };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of Random123.
    #[test]
    fn philox_has_the_known_answers() {
        assert_eq!(
            philox([0; 4], [0; 2]),
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
        );
        assert_eq!(
            philox([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
    }

    #[test]
    fn a_value_is_dropped_or_scaled_wherever_its_task_begins() {
        let mask = Mask {
            threshold: 0x4000,
            key: [3, 4],
            stream: [5, 6],
        };
        let x = vec![3.0; 3 * CHUNK + 5];
        let mut whole = vec![0.0; x.len()];
        dropout(mask, &x, &mut whole);
        let mut end = vec![0.0; x.len() - CHUNK];
        drop_from(mask, CHUNK / PER_BLOCK, &x[CHUNK..], &mut end);
        assert_eq!(end, whole[CHUNK..]);
        assert!(whole.iter().all(|&y| y == 0.0 || y == 4.0));
        let dropped = whole.iter().filter(|&&y| y == 0.0).count() as f64 / x.len() as f64;
        assert!((dropped - 0.25).abs() < 0.02, "{dropped}");
    }
}
