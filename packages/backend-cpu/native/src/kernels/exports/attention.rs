//! Attention.

use napi::Result;
use napi_derive::napi;

use crate::args::{In, Ints, Memory, Out, guard, invalid, length, outputs, product};
use crate::kernels::attention::{self, Cache, CachedRows, Counting, Layout, Outputs, Saved};

use super::{offsets, row_count};

/// Shapes and masks of a call.
#[napi(object, object_to_js = false)]
pub struct AttentionLayout {
    pub query_offsets: Ints,
    pub key_offsets: Ints,
    pub heads: u32,
    pub key_heads: u32,
    pub head_width: u32,
    pub scale: f64,
    pub causal: bool,
    pub window: u32,
    pub softcap: f64,
}

/// All that outputs must not touch.
fn with_offsets<'a, const N: usize>(
    layout: &'a AttentionLayout,
    inputs: [&'a dyn Memory; N],
) -> Vec<&'a dyn Memory> {
    let offsets: [&dyn Memory; 2] = [&layout.query_offsets, &layout.key_offsets];
    inputs.into_iter().chain(offsets).collect()
}

fn checked<'a>(layout: &AttentionLayout, [q, k, v]: [&[f32]; 3]) -> Result<Layout<'a>> {
    let checked = Layout {
        query_offsets: layout.query_offsets.slice(),
        key_offsets: layout.key_offsets.slice(),
        key_counts: &[],
        heads: layout.heads as usize,
        key_heads: layout.key_heads as usize,
        head_width: layout.head_width as usize,
        scale: layout.scale as f32,
        causal: layout.causal,
        window: layout.window as usize,
        softcap: layout.softcap as f32,
    };
    if checked.key_heads == 0 || !checked.heads.is_multiple_of(checked.key_heads) || checked.heads == 0 {
        return Err(invalid(format!(
            "{} heads do not share {} key heads",
            checked.heads, checked.key_heads
        )));
    }
    // Widths are products, which must not wrap around where addresses have 32 bits.
    product(&[checked.heads, checked.head_width])?;
    offsets(
        "query_offsets",
        checked.query_offsets,
        row_count("q", q, checked.query_width())?,
    )?;
    offsets(
        "key_offsets",
        checked.key_offsets,
        row_count("k", k, checked.key_width())?,
    )?;
    length("v", v, k.len())?;
    length("key_offsets", checked.key_offsets, checked.query_offsets.len())?;
    Ok(checked)
}

fn check_rows(layout: &Layout, q: &[f32], out: &Outputs) -> Result<usize> {
    let rows = q.len() / layout.query_width();
    length("y", out.y, q.len())?;
    length("log_sum_exp", out.log_sum_exp, rows * layout.heads)?;
    Ok(rows)
}

/// y and the log-sum-exp of each row and head.
#[napi]
pub fn attention(q: In, k: In, v: In, layout: AttentionLayout, y: Out, log_sum_exp: Out) -> Result<()> {
    guard("attention", || {
        let [y, log_sum_exp] = outputs([y, log_sum_exp], &with_offsets(&layout, [&q, &k, &v]))?;
        let inputs = [q.slice(), k.slice(), v.slice()];
        let layout = checked(&layout, inputs)?;
        let out = Outputs { y, log_sum_exp };
        check_rows(&layout, inputs[0], &out)?;
        attention::attention(&layout, inputs, out, None);
        Ok(())
    })
}

/// As [`attention`], and per key row the sum of the probabilities that counting query rows give it.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn attention_received(
    q: In,
    k: In,
    v: In,
    layout: AttentionLayout,
    counts_as_text: Ints,
    receive_from: Ints,
    y: Out,
    log_sum_exp: Out,
    received: Out,
) -> Result<()> {
    guard("attention_received", || {
        let memory = with_offsets(&layout, [&q, &k, &v, &counts_as_text, &receive_from]);
        let [y, log_sum_exp, received] = outputs([y, log_sum_exp, received], &memory)?;
        let inputs = [q.slice(), k.slice(), v.slice()];
        let layout = checked(&layout, inputs)?;
        let out = Outputs { y, log_sum_exp };
        let rows = check_rows(&layout, inputs[0], &out)?;
        let (counts_as_text, receive_from) = (counts_as_text.slice(), receive_from.slice());
        length("counts_as_text", counts_as_text, rows)?;
        length("receive_from", receive_from, inputs[1].len() / layout.key_width())?;
        length("received", received, receive_from.len())?;
        attention::attention(
            &layout,
            inputs,
            out,
            Some(Counting {
                counts_as_text,
                receive_from,
                received,
            }),
        );
        Ok(())
    })
}

/// Gradients of q, k and v.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn attention_backward(
    dy: In,
    q: In,
    k: In,
    v: In,
    y: In,
    log_sum_exp: In,
    layout: AttentionLayout,
    dq: Out,
    dk: Out,
    dv: Out,
) -> Result<()> {
    guard("attention_backward", || {
        let memory = with_offsets(&layout, [&dy, &q, &k, &v, &y, &log_sum_exp]);
        let out = outputs([dq, dk, dv], &memory)?;
        let saved = Saved {
            dy: dy.slice(),
            q: q.slice(),
            k: k.slice(),
            v: v.slice(),
            y: y.slice(),
            log_sum_exp: log_sum_exp.slice(),
        };
        let layout = checked(&layout, [saved.q, saved.k, saved.v])?;
        for (name, slice) in [("dy", saved.dy), ("y", saved.y), ("dq", &*out[0])] {
            length(name, slice, saved.q.len())?;
        }
        length(
            "log_sum_exp",
            saved.log_sum_exp,
            saved.q.len() / layout.head_width,
        )?;
        length("dk", out[1], saved.k.len())?;
        length("dv", out[2], saved.v.len())?;
        attention::attention_backward(&layout, saved, out);
        Ok(())
    })
}

/// Shapes and masks of attention with buffers.
#[napi(object, object_to_js = false)]
pub struct CachedLayout {
    pub offsets: Ints,
    pub starts: Ints,
    /// Rows of room for each sample.
    pub room: u32,
    pub heads: u32,
    pub key_heads: u32,
    pub head_width: u32,
    pub scale: f64,
    pub window: u32,
    pub softcap: f64,
}

impl CachedLayout {
    /// Fails unless heads, rows and buffers fit together.
    pub(super) fn checked(&self, rows: usize, cache: &Cache) -> Result<CachedRows<'static>> {
        let [room, heads, key_heads, head_width] =
            [self.room, self.heads, self.key_heads, self.head_width].map(|size| size as usize);
        if key_heads == 0 || heads == 0 || !heads.is_multiple_of(key_heads) || head_width == 0 {
            return Err(invalid(format!(
                "{heads} heads do not share {key_heads} key heads of width {head_width}"
            )));
        }
        let (row_offsets, starts) = (self.offsets.slice(), self.starts.slice());
        offsets("offsets", row_offsets, rows)?;
        length("starts", starts, row_offsets.len() - 1)?;
        let size = product(&[starts.len(), room, key_heads, head_width])?;
        if i32::try_from(product(&[starts.len(), room])?).is_err() {
            return Err(invalid("the buffers have too many rows"));
        }
        length("keys", cache.keys, size)?;
        length("values", cache.values, size)?;
        product(&[rows, heads, head_width])?;
        for (s, &start) in starts.iter().enumerate() {
            let count = (row_offsets[s + 1] - row_offsets[s]) as usize;
            if start < 0 || start as usize + count > room {
                return Err(invalid(format!(
                    "sample {s} has {count} rows from {start} on, and room for {room}"
                )));
            }
        }
        Ok(CachedRows {
            offsets: row_offsets,
            starts,
            room,
            heads,
            key_heads,
            head_width,
            scale: self.scale as f32,
            window: self.window as usize,
            softcap: self.softcap as f32,
        })
    }
}

/// Writes rows k and v to the buffers, and y of the queries over the rows up to there.
#[napi]
#[allow(clippy::too_many_arguments)]
pub fn cached_attention(
    q: In,
    k: In,
    v: In,
    layout: CachedLayout,
    keys: Out,
    values: Out,
    y: Out,
) -> Result<()> {
    guard("cached_attention", || {
        let inputs: [&dyn Memory; 5] = [&q, &k, &v, &layout.offsets, &layout.starts];
        let [keys, values, y] = outputs([keys, values, y], &inputs)?;
        let (q, k, v) = (q.slice(), k.slice(), v.slice());
        let mut cache = Cache { keys, values };
        let rows = row_count(
            "q",
            q,
            product(&[layout.heads as usize, layout.head_width as usize])?,
        )?;
        let layout = layout.checked(rows, &cache)?;
        length("y", y, q.len())?;
        length("k", k, rows * layout.key_width())?;
        length("v", v, k.len())?;
        attention::cached_attention(&layout, [q, k, v], &mut cache, y);
        Ok(())
    })
}
