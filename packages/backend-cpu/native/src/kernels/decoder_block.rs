//! BasicDecoderBlock: a block of a decoder on new rows, by the kernels that its parts have of their own.

use std::cell::Cell;

use super::activation::{Kind, gated_activation};
use super::attention::{Cache, CachedRows, cached_attention};
use super::linear::{Matrix, multiply, multiply_all};
use super::norm::{Weight, rms_norm};
use super::rotary::{Rotation, rotary};
use crate::multiversion;

/// Weights and settings of a block.
pub struct Block<'a> {
    pub attention_norm: &'a [f32],
    pub mlp_norm: &'a [f32],
    pub epsilon: f32,
    pub add_one: bool,
    pub query: Matrix<'a>,
    pub key: Matrix<'a>,
    pub value: Matrix<'a>,
    pub output: Matrix<'a>,
    pub gate: Matrix<'a>,
    pub up: Matrix<'a>,
    pub down: Matrix<'a>,
    pub activation: Kind,
    pub positions: &'a [i32],
    pub frequencies: &'a [f32],
    pub rotary_scale: f32,
    pub rows: CachedRows<'a>,
}

/// Scratch above this many floats is given back after use.
const KEPT: usize = 1 << 22;

thread_local! {
    static SCRATCH: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// The block on rows x [R, D], into y; keys and values go into the buffers.
pub fn decoder_block(block: &Block, x: &[f32], cache: &mut Cache, y: &mut [f32]) {
    let width = block.attention_norm.len();
    let rows = x.len() / width.max(1);
    let [wide, narrow, inner] = [block.query.outputs, block.key.outputs, block.gate.outputs];
    let sizes = [
        1, width, wide, wide, narrow, narrow, narrow, width, inner, inner, inner,
    ]
    .map(|size| size * rows);
    let mut scratch = SCRATCH.take();
    let needed = sizes.iter().sum();
    if scratch.len() < needed {
        scratch = vec![0.0; needed];
    }
    let mut left = &mut scratch[..];
    let parts = sizes.map(|size| left.split_off_mut(..size).unwrap_or(&mut []));
    run(block, x, cache, y, parts);
    if scratch.len() <= KEPT {
        SCRATCH.set(scratch);
    }
}

fn run(block: &Block, x: &[f32], cache: &mut Cache, y: &mut [f32], scratch: [&mut [f32]; 11]) {
    let [
        inverse,
        normed,
        q,
        q_turned,
        k,
        k_turned,
        v,
        middle,
        gate,
        up,
        mixed,
    ] = scratch;
    let norm = |x: &[f32], values, y: &mut [f32], inverse: &mut [f32]| {
        let weight = Weight {
            values,
            add_one: block.add_one,
        };
        rms_norm(x, weight, block.epsilon, y, inverse);
    };
    norm(x, block.attention_norm, normed, inverse);
    multiply_all(
        normed,
        [
            (&block.query, &mut *q),
            (&block.key, &mut *k),
            (&block.value, &mut *v),
        ],
    );
    let turn = |x: &[f32], heads, y: &mut [f32]| {
        let rotation = Rotation {
            heads,
            positions: block.positions,
            frequencies: block.frequencies,
            scale: block.rotary_scale,
            inverse: false,
        };
        rotary(x, rotation, y);
    };
    turn(q, block.rows.heads, q_turned);
    turn(k, block.rows.key_heads, k_turned);
    // The queries have been turned: their memory takes the result.
    cached_attention(&block.rows, [q_turned, k_turned, v], cache, q);
    multiply(q, &block.output, normed);
    add(x, normed, middle);
    norm(middle, block.mlp_norm, normed, inverse);
    multiply_all(normed, [(&block.gate, &mut *gate), (&block.up, &mut *up)]);
    gated_activation(block.activation, gate, up, mixed);
    multiply(mixed, &block.down, normed);
    add(middle, normed, y);
}

multiversion! {
    fn add(a: &[f32], b: &[f32], y: &mut [f32]) {
        for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
            *y = a + b;
        }
    }
}
