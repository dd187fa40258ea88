//! Matrix products of every method that this CPU has, in turns: `cargo run --release --example gemm -- [filter]`.
//!
//! Prints a JSON line per shape and method: GF/s from the median of the rounds, by processor time on one thread and by
//! wall time on several (`--threads n`). A method whose result is wrong ends the run.

use std::time::Instant;

use basic_mllm_cpu::gemm::{Factor, Method, Precision, Product};
use basic_mllm_cpu::kernels::support::{Columns, Shared};
use basic_mllm_cpu::matmul::{Size, Strides, row_major, transposed};
use basic_mllm_cpu::threads::{set_thread_count, threads};

/// m, n, k: the quickstart's layers, SmolLM's, its head, decoding, attention.
const SHAPES: &[([usize; 3], &str)] = &[
    ([800, 128, 128], "NN NT"),
    ([800, 384, 128], "NN NT"),
    ([800, 128, 384], "NN NT"),
    ([128, 128, 800], "TN"),
    ([384, 128, 800], "TN"),
    ([128, 384, 800], "TN"),
    ([512, 576, 576], "NN NT TN"),
    ([512, 1536, 576], "NN NT"),
    ([512, 576, 1536], "NN NT"),
    ([576, 1536, 512], "TN"),
    ([512, 49152, 576], "NT"),
    ([512, 576, 49152], "NN"),
    ([49152, 576, 512], "TN"),
    ([1024, 1024, 1024], "NN NT TN"),
    ([64, 128, 128], "NN NT TN"),
    ([32, 96, 32], "NT"),
    ([32, 32, 96], "NN"),
    ([1, 576, 576], "NN NT"),
    ([4, 576, 576], "NN NT"),
    ([8, 576, 576], "NN NT"),
    ([16, 576, 576], "NN NT"),
];

/// Rounds per shape, and seconds that one lasts at least.
const ROUNDS: usize = 15;
const ROUND: f64 = 2e-3;

struct Case {
    size: Size,
    kind: String,
    a: Vec<f32>,
    b: Vec<f32>,
}

impl Case {
    fn new([m, n, k]: [usize; 3], kind: &str) -> Self {
        Self {
            size: Size { m, n, k },
            kind: kind.to_string(),
            a: values(m * k, 1),
            b: values(k * n, 2),
        }
    }

    fn product(&self, precision: Precision) -> Product<'_> {
        let Size { m, n, k } = self.size;
        let lie = |swap: bool, rows: usize, columns: usize| -> Strides {
            if swap {
                transposed(rows)
            } else {
                row_major(columns)
            }
        };
        let a = (&self.a[..], lie(self.kind.starts_with('T'), m, k));
        let b = Factor::Floats(&self.b, lie(self.kind.ends_with('T'), k, n));
        Product {
            precision,
            ..Product::new(self.size, a, b)
        }
    }

    /// Seconds of one product, over as many as fill a round.
    fn time(&self, method: Method, precision: Precision, c: &mut [f32], repeats: usize) -> f64 {
        let product = self.product(precision);
        let width = self.size.n;
        let begin = now();
        for _ in 0..repeats {
            let out = Shared::new(c);
            // SAFETY: c is ours, and the method is one of this CPU.
            unsafe { product.write_by(method, Columns { out, start: 0, width }, threads() > 1) };
        }
        (now() - begin) / repeats as f64
    }
}

/// Seconds: of this thread's processor time where it does all the work, so that other processes do not count.
fn now() -> f64 {
    thread_local!(static BEGIN: Instant = Instant::now());
    let wall = || BEGIN.with(|begin| begin.elapsed().as_secs_f64());
    if threads() == 1 {
        processor_time().unwrap_or_else(wall)
    } else {
        wall()
    }
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn processor_time() -> Option<f64> {
    unsafe extern "C" {
        fn clock_gettime(clock: i32, time: *mut [i64; 2]) -> i32;
    }
    const THREAD_CPUTIME: i32 = 3;
    let mut time = [0; 2];
    // SAFETY: on 64-bit Linux a timespec is two 64-bit numbers.
    let failed = unsafe { clock_gettime(THREAD_CPUTIME, &mut time) } != 0;
    (!failed).then_some(time[0] as f64 + time[1] as f64 * 1e-9)
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
fn processor_time() -> Option<f64> {
    None
}

fn values(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn run(case: &Case) {
    let Size { m, n, k } = case.size;
    let mut ways: Vec<(Method, Precision)> = Vec::new();
    for precision in [Precision::Exact, Precision::Bf16] {
        ways.extend(
            Method::all(&case.product(precision))
                .into_iter()
                .map(|method| (method, precision)),
        );
    }
    let mut results = vec![vec![0f32; m * n]; ways.len()];
    let mut times = vec![Vec::new(); ways.len()];
    let flops = 2.0 * (m * n * k) as f64;
    let repeats = ((ROUND * 1e11 / flops) as usize).clamp(1, 1000);
    for _ in 0..ROUNDS {
        for ((&(method, precision), result), times) in ways.iter().zip(&mut results).zip(&mut times) {
            times.push(case.time(method, precision, result, repeats));
        }
    }
    for ((&(method, precision), result), times) in ways.iter().zip(&results).zip(times) {
        let pairs = result.iter().zip(&results[0]);
        let error = pairs.map(|(x, y)| (x - y).abs()).fold(0f32, f32::max) / (k as f32).sqrt();
        let most = if precision == Precision::Exact { 1e-5 } else { 2e-2 };
        assert!(
            error < most,
            "{method:?} is wrong by {error} at {m} x {n} x {k} {}",
            case.kind
        );
        let chosen = method == Method::of(&case.product(precision));
        println!(
            "{{\"m\":{m},\"n\":{n},\"k\":{k},\"operands\":\"{}\",\"precision\":\"{precision:?}\",\"method\":\"{method:?}\",\
             \"chosen\":{chosen},\"threads\":{},\"gflops\":{:.1},\"error\":{error:.1e}}}",
            case.kind,
            threads(),
            flops / median(times) / 1e9
        );
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let count = arguments
        .iter()
        .position(|a| a == "--threads")
        .map_or(1, |i| arguments[i + 1].parse().expect("a number"));
    set_thread_count(count).expect("a pool");
    let filter = arguments
        .first()
        .filter(|a| !a.starts_with("--"))
        .cloned()
        .unwrap_or_default();
    for (shape, kinds) in SHAPES {
        for kind in kinds.split(' ') {
            let name = format!("{}x{}x{} {kind}", shape[0], shape[1], shape[2]);
            if name.contains(&filter) {
                run(&Case::new(*shape, kind));
            }
        }
    }
}
