//! Attention.

use napi::Result;
use napi_derive::napi;

use crate::args::{In, Ints, Memory, Out, guard, invalid, length, outputs, product};
use crate::kernels::attention::{self, Counting, Layout, Outputs, Saved};

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
