//! Blocks, chunks, tails of heads and masks against a plain evaluation in float64.

use super::*;

fn values(length: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state as i32 as f32 / 2_147_483_648.0
    };
    (0..length).map(next).collect()
}

/// y, log-sum-exp, dq, dk, dv.
type Results<T> = [Vec<T>; 5];

struct Case<'a> {
    layout: Layout<'a>,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    dy: Vec<f32>,
}

impl<'a> Case<'a> {
    fn new(layout: Layout<'a>) -> Self {
        let rows = |offsets: &[i32]| offsets[offsets.len() - 1] as usize;
        let queries = rows(layout.query_offsets) * layout.query_width();
        let keys = rows(layout.key_offsets) * layout.key_width();
        Self {
            q: values(queries, 1),
            k: values(keys, 2),
            v: values(keys, 3),
            dy: values(queries, 4),
            layout,
        }
    }

    fn exact(&self) -> Results<f64> {
        let (layout, width) = (&self.layout, self.layout.head_width);
        let zeros = |length| vec![0f64; length];
        let mut out = [
            self.q.len(),
            self.q.len() / width,
            self.q.len(),
            self.k.len(),
            self.k.len(),
        ]
        .map(zeros);
        for sample in (0..layout.samples()).map(|b| layout.sample(b)) {
            for (t, h) in (0..sample.queries).flat_map(|t| (0..layout.heads).map(move |h| (t, h))) {
                self.exact_row(sample, t, h, &mut out);
            }
        }
        out
    }

    fn exact_row(&self, sample: Sample, t: usize, h: usize, [y, lse, dq, dk, dv]: &mut Results<f64>) {
        let (layout, width) = (&self.layout, self.layout.head_width);
        let (from, to) = layout.seen(sample, t);
        if from == to {
            return;
        }
        let row = (sample.query + t) * layout.query_width() + h * width;
        let keys: Vec<usize> = (from..to).map(|j| layout.key_start(sample.key + j, h)).collect();
        let dot = |a: &[f32], i: usize, b: &[f32], j: usize| {
            (0..width)
                .map(|d| f64::from(a[i + d]) * f64::from(b[j + d]))
                .sum::<f64>()
        };
        let (scale, cap) = (f64::from(layout.scale), f64::from(layout.softcap));
        let bounded = |score: f64| if cap > 0.0 { (score / cap).tanh() } else { 0.0 };
        let raw: Vec<f64> = keys
            .iter()
            .map(|&key| scale * dot(&self.q, row, &self.k, key))
            .collect();
        let scores: Vec<f64> = raw
            .iter()
            .map(|&score| if cap > 0.0 { cap * bounded(score) } else { score })
            .collect();
        let most = scores.iter().copied().fold(f64::MIN, f64::max);
        let sum: f64 = scores.iter().map(|score| (score - most).exp()).sum();
        lse[(sample.query + t) * layout.heads + h] = most + sum.ln();
        let p: Vec<f64> = scores.iter().map(|score| (score - most).exp() / sum).collect();
        for (&key, p) in keys.iter().zip(&p) {
            (0..width).for_each(|d| y[row + d] += p * f64::from(self.v[key + d]));
        }
        let delta: f64 = (0..width).map(|d| y[row + d] * f64::from(self.dy[row + d])).sum();
        for ((&key, p), &raw) in keys.iter().zip(&p).zip(&raw) {
            let slope = scale * (1.0 - bounded(raw).powi(2));
            let ds = p * (dot(&self.dy, row, &self.v, key) - delta) * slope;
            for d in 0..width {
                dq[row + d] += ds * f64::from(self.k[key + d]);
                dk[key + d] += ds * f64::from(self.q[row + d]);
                dv[key + d] += p * f64::from(self.dy[row + d]);
            }
        }
    }

    fn ours(&self) -> Results<f32> {
        let Self { layout, q, k, v, dy } = self;
        let mut out =
            [q.len(), q.len() / layout.head_width, q.len(), k.len(), k.len()].map(|n| vec![9f32; n]);
        let [y, log_sum_exp, dq, dk, dv] = &mut out;
        attention(layout, [q, k, v], Outputs { y, log_sum_exp }, None);
        let saved = Saved {
            dy,
            q,
            k,
            v,
            y,
            log_sum_exp,
        };
        attention_backward(layout, saved, [dq, dk, dv]);
        out
    }

    fn check(&self, title: &str) {
        for (name, (ours, exact)) in ["y", "lse", "dq", "dk", "dv"]
            .iter()
            .zip(self.ours().iter().zip(self.exact()))
        {
            let size = exact.iter().fold(1e-3f64, |size, value| size.max(value.abs()));
            let worst = ours
                .iter()
                .zip(&exact)
                .fold(0f64, |worst, (&a, b)| worst.max((f64::from(a) - b).abs()));
            assert!(worst < 2e-6 * size, "{title}, {name}: {worst} of {size}");
        }
    }
}

#[test]
fn blocks_agree_with_a_plain_evaluation() {
    let plain = Layout {
        query_offsets: &[0, 40, 73, 74],
        key_offsets: &[0, 40, 73, 74],
        key_counts: &[],
        heads: 4,
        key_heads: 2,
        head_width: 32,
        scale: 0.3,
        causal: true,
        window: 0,
        softcap: 0.0,
    };
    Case::new(Layout { ..plain }).check("causal");
    let more_keys: &[i32] = &[0, 60, 73, 250];
    Case::new(Layout {
        key_offsets: more_keys,
        head_width: 20,
        window: 7,
        ..plain
    })
    .check("window");
    Case::new(Layout {
        key_offsets: more_keys,
        head_width: 7,
        softcap: 0.5,
        ..plain
    })
    .check("softcap");
    Case::new(Layout {
        key_offsets: more_keys,
        head_width: 33,
        causal: false,
        ..plain
    })
    .check("full");
    Case::new(Layout {
        query_offsets: &[0, 300],
        key_offsets: &[0, 290],
        key_counts: &[],
        ..plain
    })
    .check("long");
    let many = Layout {
        query_offsets: &[0, 30, 45],
        key_offsets: &[0, 513, 1100],
        head_width: 5,
        ..plain
    };
    Case::new(Layout { ..many }).check("many keys, side by side");
    Case::new(Layout {
        causal: false,
        window: 40,
        ..many
    })
    .check("many keys, window");
    Case::new(Layout {
        query_offsets: &[0, 1, 2],
        key_offsets: &[0, 300, 450],
        key_counts: &[],
        heads: 40,
        window: 100,
        ..plain
    })
    .check("one query");
}
