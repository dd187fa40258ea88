use super::*;
use crate::kernels::quantised::Storage;
use crate::kernels::support::Shared;
use crate::matmul::{row_major, transposed};
use crate::threads::set_thread_count;

/// Sizes around every edge of tiles and blocks.
const SIZES: &[[usize; 3]] = &[
    [1, 1, 1],
    [9, 7, 41],
    [12, 32, 16],
    [13, 33, 17],
    [4, 100, 65],
    [25, 31, 385],
    [97, 70, 130],
    [7, 1030, 33],
    [200, 17, 5],
    [300, 300, 800],
];

fn values(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn write(product: &Product, method: Method, out: &mut [f32], width: usize, start: usize) {
    let out = Shared::new(out);
    // SAFETY: the slice is this call's.
    unsafe { product.write_by(method, Columns { out, start, width }, true) };
}

fn rounded(values: &[f32], precision: Precision) -> Vec<f64> {
    let round = |&v: &f32| match precision {
        Precision::Exact => f64::from(v),
        Precision::Bf16 => half::bf16::from_f32(v).to_f64(),
    };
    values.iter().map(round).collect()
}

/// The definition, in double precision.
fn expected(p: &Product, b: (&[f32], Strides), c: &[f32]) -> Vec<f64> {
    let Size { m, n, k } = p.size;
    let (a, b_values) = (rounded(p.a.0, p.precision), rounded(b.0, p.precision));
    let at = |s: Strides, i: usize, j: usize| i * s.rows + j * s.columns;
    let element = |i: usize, j: usize| {
        let sum: f64 = (0..k).map(|q| a[at(p.a.1, i, q)] * b_values[at(b.1, q, j)]).sum();
        let old = if p.add { f64::from(c[i * n + j]) } else { 0.0 };
        let value = sum * f64::from(p.scale) + old + p.finish.bias.get(j).map_or(0.0, |&v| f64::from(v));
        if p.finish.activation == Kind::Relu {
            value.max(0.0)
        } else {
            value
        }
    };
    (0..m * n).map(|i| element(i / n, i % n)).collect()
}

fn check(p: &Product, b: (&[f32], Strides)) {
    let Size { m, n, k } = p.size;
    let c = values(m * n, 3);
    let expected = expected(p, b, &c);
    // One more column on each side: nobody may touch it.
    let width = n + 2;
    for method in Method::all(p) {
        let mut out = vec![7.0; m * width];
        for (i, row) in out.chunks_exact_mut(width).enumerate() {
            row[1..=n].copy_from_slice(&c[i * n..(i + 1) * n]);
        }
        write(p, method, &mut out, width, 1);
        for (i, row) in out.chunks_exact(width).enumerate() {
            assert_eq!(
                (row[0], row[n + 1]),
                (7.0, 7.0),
                "{method:?} writes beyond its columns"
            );
            for (j, &value) in row[1..=n].iter().enumerate() {
                let error = (f64::from(value) - expected[i * n + j]).abs();
                let most = 1e-6 * (1.0 + (k as f64).sqrt());
                assert!(error < most, "{method:?} {m} x {n} x {k}: {error} at {i}, {j}");
            }
        }
    }
}

#[test]
fn every_method_is_the_definition_for_every_layout() {
    for &[m, n, k] in SIZES {
        let size = Size { m, n, k };
        let (a, b, bias) = (values(m * k, 1), values(k * n, 2), values(n, 4));
        for layout in 0..4 {
            let a_strides = if layout & 1 == 0 {
                row_major(k)
            } else {
                transposed(m)
            };
            let b_strides = if layout & 2 == 0 {
                row_major(n)
            } else {
                transposed(k)
            };
            for precision in [Precision::Exact, Precision::Bf16] {
                let b = (&b[..], b_strides);
                let plain = Product {
                    precision,
                    ..Product::new(size, (&a, a_strides), Factor::Floats(b.0, b.1))
                };
                check(&plain, b);
                let finish = Finish {
                    bias: &bias,
                    activation: Kind::Relu,
                };
                check(
                    &Product {
                        scale: 0.5,
                        add: true,
                        finish,
                        ..plain
                    },
                    b,
                );
            }
        }
    }
}

const STORAGES: [Storage; 5] = [
    Storage::Bf16,
    Storage::F16,
    Storage::Q8,
    Storage::Q4,
    Storage::Q4WithMinimum,
];

#[test]
fn stored_weights_are_their_decoded_values() {
    for storage in STORAGES {
        let (outputs, inputs) = (45, 416);
        let bytes = packed(storage, outputs, inputs);
        let weight = Packed {
            bytes: &bytes,
            storage,
            inputs,
            outputs,
        };
        let mut decoded = vec![0.0; outputs * inputs];
        weight.decode_tile((0, outputs), (0, inputs), &mut decoded);
        for rows in [1, 2, 3, 5, 8, 30] {
            for precision in [Precision::Exact, Precision::Bf16] {
                for (side, n, k) in [(Side::Outputs, outputs, inputs), (Side::Inputs, inputs, outputs)] {
                    let a = values(rows * k, 5);
                    let strides = if side == Side::Outputs {
                        transposed(inputs)
                    } else {
                        row_major(inputs)
                    };
                    let product = Product::new(
                        Size { m: rows, n, k },
                        (&a, row_major(k)),
                        Factor::Stored(weight, side),
                    );
                    check(&Product { precision, ..product }, (&decoded, strides));
                }
            }
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let size = Size {
        m: 300,
        n: 300,
        k: 500,
    };
    let (a, b) = (values(size.m * size.k, 1), values(size.k * size.n, 2));
    for precision in [Precision::Exact, Precision::Bf16] {
        let factor = Factor::Floats(&b, transposed(size.k));
        let product = Product {
            precision,
            ..Product::new(size, (&a, row_major(size.k)), factor)
        };
        for method in Method::all(&product) {
            let results = [1, 2, 4].map(|threads| {
                set_thread_count(threads).unwrap();
                let mut out = vec![0.0; size.m * size.n];
                write(&product, method, &mut out, size.n, 0);
                out
            });
            set_thread_count(1).unwrap();
            assert!(results.iter().all(|result| *result == results[0]), "{method:?}");
        }
    }
}

#[test]
fn no_values_of_k_leave_the_bias() {
    let bias = [1.0, -2.0];
    let size = Size { m: 2, n: 2, k: 0 };
    let finish = Finish {
        bias: &bias,
        activation: Kind::Relu,
    };
    let mut out = [5.0; 4];
    let product = Product::new(size, (&[], row_major(0)), Factor::Floats(&[], row_major(2)));
    write(
        &Product { finish, ..product },
        Method::of(&product),
        &mut out,
        2,
        0,
    );
    assert_eq!(out, [1.0, 0.0, 1.0, 0.0]);
}

/// A packed weight of small values.
fn packed(storage: Storage, outputs: usize, inputs: usize) -> Vec<u8> {
    let (step, high) = match storage {
        Storage::Bf16 => (2, 0x3e),
        Storage::F16 => (2, 0x2c),
        Storage::Q8 => (34, 0x1c),
        Storage::Q4 => (18, 0x1c),
        Storage::Q4WithMinimum => (20, 0x1c),
    };
    let mut bytes: Vec<u8> = (0..4 * storage.words(outputs * inputs).unwrap())
        .map(|i| (i as u32).wrapping_mul(0x9e37_79b9) as u8)
        .collect();
    for block in bytes.chunks_mut(step) {
        block[1] = block[1] & 0x80 | high;
        if storage == Storage::Q4WithMinimum && block.len() > 3 {
            block[3] = block[3] & 0x80 | high;
        }
    }
    bytes
}

#[test]
fn few_rows_of_packed_weights_do_not_depend_on_threads_or_company() {
    for storage in STORAGES {
        // Rows of two bytes a value may end within a block.
        let halves = matches!(storage, Storage::Bf16 | Storage::F16);
        let (outputs, inputs) = (1500, if halves { 333 } else { 352 });
        let bytes = packed(storage, outputs, inputs);
        let weight = Packed {
            bytes: &bytes,
            storage,
            inputs,
            outputs,
        };
        for rows in [1, 7] {
            let a = values(rows * inputs, 5);
            let size = Size {
                m: rows,
                n: outputs,
                k: inputs,
            };
            let factor = Factor::Stored(weight, Side::Outputs);
            let product = Product {
                precision: Precision::Exact,
                ..Product::new(size, (&a, row_major(inputs)), factor)
            };
            assert_eq!(Method::of(&product), Method::Blocks);
            let mut results = Vec::new();
            for threads in [1, 2, 4] {
                set_thread_count(threads).unwrap();
                let mut alone = vec![0.0; rows * outputs];
                write(&product, Method::Blocks, &mut alone, outputs, 0);
                let mut together = [vec![0.0; rows * outputs], vec![0.0; rows * outputs]];
                let columns = together.each_mut().map(|out| Columns {
                    out: Shared::new(out),
                    start: 0,
                    width: outputs,
                });
                // SAFETY: two arrays of this test.
                unsafe { write_all(&columns.map(|columns| (product, columns))) };
                results.push(alone);
                results.extend(together);
            }
            set_thread_count(1).unwrap();
            assert!(results.iter().all(|result| *result == results[0]));
            let mut decoded = vec![0.0; outputs * inputs];
            weight.decode_tile((0, outputs), (0, inputs), &mut decoded);
            check(&product, (&decoded, transposed(inputs)));
        }
    }
}
