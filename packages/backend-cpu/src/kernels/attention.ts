import { type AttentionAttrs, attention, attentionBackward, attentionReceived } from "@basic-mllm/core";

import type { AttentionLayout } from "./bindings.js";
import { type Call, implement } from "./implement.js";

/** BasicAttention, BasicAttentionReceived and BasicAttentionBackward. */
export function registerAttention(): void {
  implement(attention, (call) => {
    const { native, floats, out } = call;
    native.attention(floats("q"), floats("k"), floats("v"), layoutOf(call), out(0), out(1));
  });
  implement(attentionReceived, (call) => {
    const { native, attrs, floats, out } = call;
    native.attentionReceived(
      floats("q"),
      floats("k"),
      floats("v"),
      layoutOf(call),
      attrs.countsAsText,
      attrs.receiveFrom,
      out(0),
      out(1),
      out(2),
    );
  });
  implement(attentionBackward, (call) => {
    const { native, floats, out } = call;
    native.attentionBackward(
      floats("dy"),
      floats("q"),
      floats("k"),
      floats("v"),
      floats("y"),
      floats("logSumExp"),
      layoutOf(call),
      out(0),
      out(1),
      out(2),
    );
  });
}

function layoutOf({ attrs, size }: Pick<Call<"q", AttentionAttrs>, "attrs" | "size">): AttentionLayout {
  const { qOffsets, kvOffsets, heads, kvHeads, scale, causal, window, softcap } = attrs;
  return {
    queryOffsets: qOffsets,
    keyOffsets: kvOffsets,
    heads,
    keyHeads: kvHeads,
    headWidth: size("q", 1) / heads,
    scale,
    causal,
    window,
    softcap,
  };
}
