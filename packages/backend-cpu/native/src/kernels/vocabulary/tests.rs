use super::cross_entropy::{Inputs, Outputs, cross_entropy};
use super::cross_entropy_backward::cross_entropy_backward;
use super::kl::{self, linear_kl};
use super::kl_backward::{Saved, linear_kl_backward};
use super::*;

fn wave(n: usize, step: f32) -> Vec<f32> {
    (0..n).map(|i| (i as f32 * step).sin()).collect()
}

/// Loss, log-sum-exp, slope; and both gradients for a loss gradient of 1.
fn cross_entropies(count: usize, chunk_bytes: usize, softcap: f32) -> [Vec<f32>; 5] {
    cross_entropies_of(count, chunk_bytes, softcap, |i| {
        if i % 5 == 0 { -100 } else { i * 18 }
    })
}

fn cross_entropies_of(
    count: usize,
    chunk_bytes: usize,
    softcap: f32,
    label: impl Fn(i32) -> i32,
) -> [Vec<f32>; 5] {
    let (rows, width) = (37, 19);
    let (x, weight) = (wave(rows * width, 0.37), wave(count * width, 0.11));
    let labels: Vec<i32> = (0..rows as i32).map(label).collect();
    let inputs = Inputs {
        x: &x,
        weight: &weight,
        labels: &labels,
        width,
        vocabulary: count,
        softcap,
        chunk_bytes,
    };
    let mut out = [rows, rows, x.len(), x.len(), weight.len()].map(|n| vec![9f32; n]);
    let [loss, log_sum_exp, slope, dx, dweight] = &mut out;
    cross_entropy(
        inputs,
        Outputs {
            loss,
            log_sum_exp,
            slope,
        },
    );
    cross_entropy_backward(inputs, [&vec![1.0; rows], log_sum_exp], dx, dweight);
    out
}

/// Loss, divergence, both log-sum-exps, slope; and both gradients for a loss gradient of 1.
fn divergences(count: usize, chunk_bytes: usize) -> [Vec<f32>; 7] {
    let (rows, width) = (37, 19);
    let [v, r] = [0.37, 0.41].map(|step| wave(rows * width, step));
    let (vocabulary, a) = (wave(count * width, 0.11), wave(rows, 0.05));
    let inputs = kl::Inputs {
        v: &v,
        r: &r,
        vocabulary: &vocabulary,
        a: &a,
        sizes: [width, count],
        chunk_bytes,
    };
    let mut out = [rows, rows, rows, rows, v.len(), v.len(), v.len()].map(|n| vec![9f32; n]);
    let [loss, kl, lse_v, lse_r, slope, dv, dr] = &mut out;
    linear_kl(
        inputs,
        kl::Outputs {
            loss,
            kl,
            lse_v,
            lse_r,
            slope,
        },
    );
    let saved = Saved {
        dloss: &vec![1.0; rows],
        kl,
        lse_v,
        lse_r,
    };
    linear_kl_backward(inputs, saved, dv, dr);
    for (slope, a) in slope.chunks_exact_mut(width).zip(&a) {
        slope.iter_mut().for_each(|slope| *slope *= a);
    }
    out
}

/// Gradients are recomputed from log-sum-exps that were rounded to float32.
fn agree(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 4e-5)
}

/// Bytes for all words at once, for some rows, and for a part of the words of one row.
const CHUNKS: [usize; 3] = [1 << 24, 40_000, 1_000];

#[test]
fn any_cut_gives_the_same_cross_entropy_and_slope() {
    for (count, softcap) in [(700, 0.0), (700, 2.0), (4200, 0.0)] {
        let [whole, others @ ..] = CHUNKS.map(|bytes| cross_entropies(count, bytes, softcap));
        let [_, _, slope, dx, _] = &whole;
        assert!(agree(slope, dx), "slope of {count} words");
        for (i, (other, result)) in others
            .iter()
            .flat_map(|other| other.iter().zip(&whole))
            .enumerate()
        {
            let worst = other
                .iter()
                .zip(result)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f32::max);
            assert!(
                agree(other, result),
                "result {i}, {count} words, cap {softcap}: {worst}"
            );
        }
    }
}

#[test]
fn any_cut_gives_the_same_divergence_and_slope() {
    for count in [700, 4200] {
        let [whole, others @ ..] = CHUNKS.map(|bytes| divergences(count, bytes));
        let [_, _, _, _, slope, dv, _] = &whole;
        assert!(agree(slope, dv), "slope of {count} words");
        for (other, result) in others.iter().flat_map(|other| other.iter().zip(&whole)) {
            assert!(agree(other, result), "{count} words");
        }
    }
}

#[test]
fn logits_stay_within_the_bytes() {
    let words = |count, width| Words {
        table: &[],
        count,
        width,
    };
    let all = words(2000, 8).cut(100, 2, 1 << 24);
    assert_eq!([all.rows, all.span], [100, 2000]);
    assert_eq!(words(151_936, 8).cut(100, 2, 1 << 24).span, SPAN);
    for (count, chunk_bytes) in [(1, 1 << 24), (1300, 1 << 16), (513, 4), (100_000, 1 << 14)] {
        for (rows, arrays) in [(1, 1), (700, 2)] {
            let cut = words(count, 64).cut(rows, arrays, chunk_bytes);
            assert!((1..=count).contains(&cut.span) && (1..=rows).contains(&cut.rows));
            let one = cut.rows == 1 && cut.span == 1;
            assert!(
                cut.rows * cut.stride() * arrays * 4 <= chunk_bytes || one,
                "{cut:?}"
            );
        }
    }
}

#[test]
fn blocks_of_wide_rows_are_short() {
    let words = Words {
        table: &[],
        count: 32_000,
        width: 4096,
    };
    assert_eq!(words.cut(10_000, 1, 1 << 24).rows, 256);
}

#[test]
fn without_words_nothing_is_read() {
    let [_, _, _, _, slope, dv, dr] = divergences(0, 1 << 24);
    assert!([slope, dv, dr].iter().flatten().all(|&value| value == 0.0));
    let [_, _, slope, ..] = cross_entropies_of(0, 1 << 24, 0.0, |_| -100);
    assert!(slope.iter().all(|&value| value == 0.0));
}
