//! Index arithmetic over strided dimensions.

use napi::Result;

use crate::args::{invalid, product};

/// Sizes of nested loops, outermost first, and the strides of two operands.
#[derive(Clone, Debug, PartialEq)]
pub struct Loops {
    pub sizes: Vec<usize>,
    pub first: Vec<usize>,
    pub second: Vec<usize>,
}

fn non_negative(values: &[i32]) -> Result<Vec<usize>> {
    values
        .iter()
        .map(|&value| usize::try_from(value).map_err(|_| invalid("sizes and strides must not be negative")))
        .collect()
}

impl Loops {
    /// From `[size, stride of the first, stride of the second]` for each dimension. Joins what can be joined.
    pub fn parse(dimensions: &[i32]) -> Result<Self> {
        let (dimensions, rest) = dimensions.as_chunks::<3>();
        if !rest.is_empty() {
            return Err(invalid("dimensions come in threes"));
        }
        let column = |i: usize| non_negative(&dimensions.iter().map(|d| d[i]).collect::<Vec<_>>());
        let loops = Self {
            sizes: column(0)?,
            first: column(1)?,
            second: column(2)?,
        };
        product(&loops.sizes)?;
        Ok(loops.joined())
    }

    /// Drops loops of one turn and joins neighbours that are one loop in both operands.
    fn joined(&self) -> Self {
        let mut out = Self {
            sizes: vec![],
            first: vec![],
            second: vec![],
        };
        for i in (0..self.sizes.len()).rev() {
            let (size, a, b) = (self.sizes[i], self.first[i], self.second[i]);
            if size == 1 {
                continue;
            }
            match out.sizes.last_mut() {
                Some(inner)
                    if out.first.last().is_some_and(|&s| s * *inner == a)
                        && out.second.last().is_some_and(|&s| s * *inner == b) =>
                {
                    *inner *= size;
                }
                _ => {
                    out.sizes.push(size);
                    out.first.push(a);
                    out.second.push(b);
                }
            }
        }
        if out.sizes.is_empty() {
            out = Self {
                sizes: vec![1],
                first: vec![1],
                second: vec![1],
            };
        }
        out.sizes.reverse();
        out.first.reverse();
        out.second.reverse();
        out
    }

    /// Turns of all loops together.
    pub fn count(&self) -> usize {
        self.sizes.iter().product()
    }

    /// Size and strides of the innermost loop.
    pub fn inner(&self) -> (usize, usize, usize) {
        let last = self.sizes.len() - 1;
        (self.sizes[last], self.first[last], self.second[last])
    }

    /// All loops but the one numbered `index`.
    pub fn without(&self, index: usize) -> Self {
        let mut rest = self.clone();
        rest.sizes.remove(index);
        rest.first.remove(index);
        rest.second.remove(index);
        rest
    }

    /// One more than the largest offset in an operand; fails on overflow.
    pub fn reach(&self, strides: &[usize]) -> Result<usize> {
        if self.sizes.contains(&0) {
            return Ok(0);
        }
        self.sizes
            .iter()
            .zip(strides)
            .try_fold(1usize, |sum, (&size, &stride)| {
                sum.checked_add((size - 1).checked_mul(stride)?)
            })
            .ok_or_else(|| invalid("offsets are too large"))
    }

    /// True when no two turns meet at the same place of the second operand.
    pub fn second_is_injective(&self) -> bool {
        let mut order: Vec<_> = self
            .second
            .iter()
            .zip(&self.sizes)
            .filter(|&(_, &size)| size > 1)
            .collect();
        order.sort();
        let mut reach = 1;
        order.iter().all(|&(&stride, &size)| {
            let free = stride >= reach;
            reach += (size - 1) * stride;
            free
        })
    }

    /// Walks the turns from number `start`; yields the offsets in both operands.
    pub fn offsets(&self, start: usize) -> Offsets<'_> {
        let mut index = vec![0; self.sizes.len()];
        let (mut rest, mut first, mut second) = (start, 0, 0);
        for i in (0..self.sizes.len()).rev() {
            index[i] = rest % self.sizes[i].max(1);
            rest /= self.sizes[i].max(1);
            first += index[i] * self.first[i];
            second += index[i] * self.second[i];
        }
        Offsets {
            loops: self,
            index,
            first,
            second,
        }
    }
}

/// See [`Loops::offsets`]. Never ends: take as many as there are turns.
pub struct Offsets<'a> {
    loops: &'a Loops,
    index: Vec<usize>,
    first: usize,
    second: usize,
}

impl Iterator for Offsets<'_> {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        let here = (self.first, self.second);
        for i in (0..self.index.len()).rev() {
            self.index[i] += 1;
            self.first += self.loops.first[i];
            self.second += self.loops.second[i];
            if self.index[i] < self.loops.sizes[i] {
                break;
            }
            self.first -= self.index[i] * self.loops.first[i];
            self.second -= self.index[i] * self.loops.second[i];
            self.index[i] = 0;
        }
        Some(here)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_that_are_one_loop_are_joined() {
        let loops = Loops::parse(&[2, 12, 0, 3, 4, 4, 1, 9, 9, 4, 1, 1]).unwrap();
        assert_eq!(
            loops,
            Loops {
                sizes: vec![2, 12],
                first: vec![12, 1],
                second: vec![0, 1]
            }
        );
    }

    #[test]
    fn offsets_start_anywhere() {
        let loops = Loops {
            sizes: vec![2, 3],
            first: vec![10, 1],
            second: vec![1, 2],
        };
        let all: Vec<_> = loops.offsets(0).take(6).collect();
        assert_eq!(all, [(0, 0), (1, 2), (2, 4), (10, 1), (11, 3), (12, 5)]);
        assert_eq!(loops.offsets(4).take(2).collect::<Vec<_>>(), all[4..]);
    }

    #[test]
    fn strides_that_meet_are_found() {
        let of = |sizes: &[usize], second: &[usize]| Loops {
            sizes: sizes.to_vec(),
            first: second.to_vec(),
            second: second.to_vec(),
        };
        assert!(of(&[2, 3], &[1, 2]).second_is_injective());
        assert!(!of(&[3, 3], &[1, 2]).second_is_injective());
        assert!(!of(&[2], &[0]).second_is_injective());
    }
}
