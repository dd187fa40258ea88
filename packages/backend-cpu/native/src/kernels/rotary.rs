//! BasicRotary: half rotation of the first columns of each head.

use std::cell::RefCell;
use std::rc::Rc;

use super::support::{Shared, block, tasks};
use super::vector::{Vector, load_some, store_some};
use crate::with_vectors;

/// Rows of a task.
const ROWS: usize = 32;

/// How far and where rows are turned.
#[derive(Clone, Copy)]
pub struct Rotation<'a> {
    pub heads: usize,
    /// Position of each row.
    pub positions: &'a [i32],
    /// Radians per position; the first `2 * frequencies.len()` columns of a head turn.
    pub frequencies: &'a [f32],
    /// Factor of cosine and sine.
    pub scale: f32,
    /// Turns back.
    pub inverse: bool,
}

/// Turns every head of x [R, heads * w].
pub fn rotary(x: &[f32], rotation: Rotation, y: &mut [f32]) {
    let rows = rotation.positions.len();
    if rows == 0 || x.is_empty() {
        return;
    }
    let table = Table::new(rotation);
    let table = &*table;
    let width = x.len() / rows;
    let y = Shared::new(y);
    tasks(rows.div_ceil(ROWS), x.len() * 16, |task| {
        let (first, count) = block(task, ROWS, rows);
        // SAFETY: tasks own disjoint rows.
        unsafe {
            turn_rows(Turn {
                x: &x[first * width..(first + count) * width],
                y: y.part(first * width, count * width),
                table,
                rotation,
                first,
                width,
            });
        }
    });
}

/// Cosines and sines, computed in float64: of every position in use where they are dense, else of every row.
struct Table {
    values: Vec<f32>,
    first: Option<i32>,
}

/// What the table of dense positions depends on.
#[derive(PartialEq)]
struct Key {
    range: (i32, i32),
    frequencies: Vec<f32>,
    scale: f32,
}

thread_local! {
    /// The last dense table: every block of a model turns by the same one.
    static LAST: RefCell<Option<(Key, Rc<Table>)>> = const { RefCell::new(None) };
}

impl Table {
    fn new(rotation: Rotation) -> Rc<Self> {
        let Rotation {
            positions,
            frequencies,
            scale,
            ..
        } = rotation;
        let (first, last) = positions
            .iter()
            .fold((i32::MAX, i32::MIN), |(a, b), &p| (a.min(p), b.max(p)));
        if i64::from(last) - i64::from(first) >= positions.len() as i64 {
            return Rc::new(Self {
                values: angles(positions.iter().copied(), rotation),
                first: None,
            });
        }
        let key = Key {
            range: (first, last),
            frequencies: frequencies.to_vec(),
            scale,
        };
        LAST.with_borrow_mut(|cached| match cached {
            Some((known, table)) if *known == key => table.clone(),
            _ => {
                let values = angles(first..=last, rotation);
                let table = Rc::new(Self {
                    values,
                    first: Some(first),
                });
                *cached = Some((key, table.clone()));
                table
            }
        })
    }

    fn row(&self, rotation: Rotation, row: usize) -> (&[f32], &[f32]) {
        let half = rotation.frequencies.len();
        let index = self
            .first
            .map_or(row, |first| (rotation.positions[row] - first) as usize);
        self.values[index * 2 * half..(index + 1) * 2 * half].split_at(half)
    }
}

/// Per position all cosines, then all sines.
fn angles(positions: impl Iterator<Item = i32>, rotation: Rotation) -> Vec<f32> {
    let scale = f64::from(rotation.scale);
    let mut values = Vec::new();
    for position in positions {
        let angle = |frequency: &f32| f64::from(position) * f64::from(*frequency);
        values.extend(
            rotation
                .frequencies
                .iter()
                .map(|f| (angle(f).cos() * scale) as f32),
        );
        values.extend(
            rotation
                .frequencies
                .iter()
                .map(|f| (angle(f).sin() * scale) as f32),
        );
    }
    values
}

/// Some rows of a call.
struct Turn<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
    table: &'a Table,
    rotation: Rotation<'a>,
    first: usize,
    width: usize,
}

with_vectors! {
    /// # Safety
    /// None beyond the slices' own checks.
    unsafe fn turn_rows(rows: Turn) = turn[avx512: ; avx2: ; portable: ]
}

#[inline(always)]
unsafe fn turn<V: Vector>(rows: Turn) {
    let Turn {
        x,
        y,
        table,
        rotation,
        first,
        width,
    } = rows;
    let head_width = width / rotation.heads;
    let half = rotation.frequencies.len();
    let rows = x.chunks_exact(width).zip(y.chunks_exact_mut(width));
    for (row, (x, y)) in rows.enumerate() {
        let (cosines, sines) = table.row(rotation, first + row);
        for (x, y) in x.chunks_exact(head_width).zip(y.chunks_exact_mut(head_width)) {
            for i in (0..half).step_by(V::LANES) {
                let n = V::LANES.min(half - i);
                // SAFETY: columns i .. i + n of both halves, of cosines and of sines exist; the caller of this body
                // has checked the features.
                unsafe {
                    let load = |from: &[f32], at: usize| load_some::<V>(from[at..].as_ptr(), n);
                    let (cosine, mut sine) = (load(cosines, i), load(sines, i));
                    if rotation.inverse {
                        sine = V::splat(0.0).sub(sine);
                    }
                    let (low, high) = (load(x, i), load(x, half + i));
                    let turned_low = low.mul(cosine).sub(high.mul(sine));
                    let turned_high = high.mul(cosine).add(low.mul(sine));
                    store_some(turned_low, y[i..].as_mut_ptr(), n);
                    store_some(turned_high, y[half + i..].as_mut_ptr(), n);
                }
            }
            if head_width > 2 * half {
                y[2 * half..].copy_from_slice(&x[2 * half..]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned(x: &[f32], positions: &[i32], inverse: bool) -> Vec<f32> {
        let frequencies = &[1.0, 0.1];
        let mut y = vec![0.0; x.len()];
        rotary(
            x,
            Rotation {
                heads: 2,
                positions,
                frequencies,
                scale: 1.0,
                inverse,
            },
            &mut y,
        );
        y
    }

    #[test]
    fn turning_back_gives_the_rows_again_and_columns_beyond_pass_through() {
        let x: Vec<f32> = (0..30).map(|i| (i as f32 * 0.7).sin()).collect();
        // Heads of 5 columns, 4 of which turn; the second set of positions is too far apart for a dense table.
        for positions in [[3, 4, 3], [7, 1000, -20]] {
            let y = turned(&x, &positions, false);
            assert_eq!(y[4], x[4]);
            assert!((y[0] - x[0]).abs() > 1e-3);
            let back = turned(&y, &positions, true);
            assert!(x.iter().zip(&back).all(|(a, b)| (a - b).abs() < 1e-6));
        }
    }
}
