//! A block of a decoder.

use napi::Result;
use napi_derive::napi;

use crate::args::{In, Ints, Memory, Numbers, Out, guard, invalid, length, outputs};
use crate::kernels::activation::Kind;
use crate::kernels::attention::{Cache, CachedRows};
use crate::kernels::decoder_block::{self, Block};

use super::attention::CachedLayout;
use super::linear::matrix;
use super::row_count;

/// Weights of a block, and how each is stored.
#[napi(object, object_to_js = false)]
pub struct BlockWeights {
    pub attention_norm: In,
    pub mlp_norm: In,
    pub query: Numbers,
    pub key: Numbers,
    pub value: Numbers,
    pub output: Numbers,
    pub gate: Numbers,
    pub up: Numbers,
    pub down: Numbers,
    pub query_storage: String,
    pub key_storage: String,
    pub value_storage: String,
    pub output_storage: String,
    pub gate_storage: String,
    pub up_storage: String,
    pub down_storage: String,
}

/// Settings of a block beside those of its attention.
#[napi(object, object_to_js = false)]
pub struct BlockSettings {
    pub positions: Ints,
    pub frequencies: In,
    pub rotary_scale: f64,
    pub inner: u32,
    pub epsilon: f64,
    pub add_one: bool,
    pub activation: String,
}

/// The block on new rows x, into y; their keys and values go into the buffers.
#[napi]
pub fn decoder_block(
    x: In,
    weights: BlockWeights,
    layout: CachedLayout,
    settings: BlockSettings,
    keys: Out,
    values: Out,
    y: Out,
) -> Result<()> {
    guard("decoder_block", || {
        let w = &weights;
        let inputs: [&dyn Memory; 14] = [
            &x,
            &w.attention_norm,
            &w.mlp_norm,
            &w.query,
            &w.key,
            &w.value,
            &w.output,
            &w.gate,
            &w.up,
            &w.down,
            &layout.offsets,
            &layout.starts,
            &settings.positions,
            &settings.frequencies,
        ];
        let [keys, values, y] = outputs([keys, values, y], &inputs)?;
        let (x, mut cache) = (x.slice(), Cache { keys, values });
        let width = w.attention_norm.slice().len();
        let rows = row_count("x", x, width)?;
        length("y", y, x.len())?;
        let block = checked(w, &settings, layout.checked(rows, &cache)?, width)?;
        length("positions", block.positions, rows)?;
        decoder_block::decoder_block(&block, x, &mut cache, y);
        Ok(())
    })
}

fn checked(
    w: &BlockWeights,
    settings: &BlockSettings,
    rows: CachedRows<'static>,
    width: usize,
) -> Result<Block<'static>> {
    let [wide, narrow] = [rows.heads * rows.head_width, rows.key_width()];
    let inner = settings.inner as usize;
    let frequencies = settings.frequencies.slice();
    length("mlp_norm", w.mlp_norm.slice(), width)?;
    if 2 * frequencies.len() > rows.head_width {
        return Err(invalid(format!(
            "heads of {} have no {} columns to turn",
            rows.head_width,
            2 * frequencies.len()
        )));
    }
    Ok(Block {
        attention_norm: w.attention_norm.slice(),
        mlp_norm: w.mlp_norm.slice(),
        epsilon: settings.epsilon as f32,
        add_one: settings.add_one,
        query: matrix("query", w.query, &w.query_storage, [width, wide])?,
        key: matrix("key", w.key, &w.key_storage, [width, narrow])?,
        value: matrix("value", w.value, &w.value_storage, [width, narrow])?,
        output: matrix("output", w.output, &w.output_storage, [wide, width])?,
        gate: matrix("gate", w.gate, &w.gate_storage, [width, inner])?,
        up: matrix("up", w.up, &w.up_storage, [width, inner])?,
        down: matrix("down", w.down, &w.down_storage, [inner, width])?,
        activation: Kind::parse(&settings.activation)?,
        positions: settings.positions.slice(),
        frequencies,
        rotary_scale: settings.rotary_scale as f32,
        rows,
    })
}
