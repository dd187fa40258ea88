import { defineProgram } from "../../program.js";
import { bytesOf } from "../../work.js";
import attentionSource from "./attention.cu";
import keyGradientSource from "./key-gradient.cu";
import queryGradientSource from "./query-gradient.cu";
import receivedSource from "./received.cu";
import tensorAttentionSource from "./tensor-attention.cu";
import tensorKeyGradientSource from "./tensor-key-gradient.cu";
import tensorQueryGradientSource from "./tensor-query-gradient.cu";
import { compiled, unitsOf, type Variant } from "./variant.js";
import { overKeys, overQueries } from "./work.js";

/** How scores are made: parameters of every program that goes through tiles of them. */
const scores = {
  kv_heads: "i32",
  group: "i32",
  width: "i32",
  causal: "i32",
  window: "i32",
  scale: "f32",
  softcap: "f32",
} as const;

/** Outputs and log-sum-exps, of all keys or of parts of them. */
export function forwardProgram(variant: Variant) {
  return defineProgram({
    ...compiled("attention", variant),
    source: variant.operands === "f32" ? attentionSource : tensorAttentionSource,
    entry: `${prefixOf(variant)}attention_forward`,
    params: {
      ...({ tiles: "pointer", q: "pointer", k: "pointer", v: "pointer" } as const),
      ...({ y_parts: "pointer", log_sum_exp: "pointer" } as const),
      ...scores,
      ...({ part: "i32", places: "i64", nothing: "f32" } as const),
    },
    work: ({ q, y_parts, log_sum_exp, kv_heads, width, ...scores }, [, , blocks]) => {
      const { pairs, rows } = overQueries(scores, variant.tileRows);
      return {
        bytes: bytesOf(q, y_parts, log_sum_exp) + 8 * rows * kv_heads * width,
        flops: 2 * (blocks + 1) * width * pairs * kv_heads,
        ...unitsOf(variant),
      };
    },
  });
}

const saved = {
  ...({ tiles: "pointer", q: "pointer", k: "pointer", v: "pointer" } as const),
  ...({ dy: "pointer", statistics: "pointer" } as const),
} as const;

/** The gradient of the queries. */
export function queryGradientProgram(variant: Variant) {
  return defineProgram({
    ...compiled("attention, gradient of queries", variant),
    source: variant.operands === "f32" ? queryGradientSource : tensorQueryGradientSource,
    entry: `${prefixOf(variant)}attention_query_gradient`,
    params: { ...saved, dq: "pointer", ...scores },
    work: ({ q, dy, statistics, dq, kv_heads, width, ...scores }, [, , blocks]) => {
      const { pairs, rows } = overQueries(scores, variant.tileRows);
      return {
        bytes: bytesOf(q, dy, statistics, dq) + 12 * rows * kv_heads * width,
        flops: (4 * blocks + 2) * width * pairs * kv_heads,
        ...unitsOf(variant),
      };
    },
  });
}

/** The gradients of the keys and values. */
export function keyGradientProgram(variant: Variant) {
  return defineProgram({
    ...compiled("attention, gradient of keys", variant),
    source: variant.operands === "f32" ? keyGradientSource : tensorKeyGradientSource,
    entry: `${prefixOf(variant)}attention_key_gradient`,
    params: { ...saved, dk: "pointer", dv: "pointer", ...scores },
    work: ({ k, v, dk, dv, kv_heads, group, width, ...scores }, [, , blocks]) => {
      const { pairs, rows } = overKeys({ ...scores, group }, variant.tileRows);
      return {
        bytes: bytesOf(k, v, dk, dv) + 16 * rows * kv_heads * group * width,
        flops: (4 * blocks + 4) * width * pairs * kv_heads,
        ...unitsOf(variant),
      };
    },
  });
}

/** What each key row receives, by key-value head. */
export function receivedProgram(variant: Variant) {
  return defineProgram({
    ...compiled("attention received", variant),
    source: receivedSource,
    entry: "attention_received",
    params: {
      ...({ tiles: "pointer", q: "pointer", k: "pointer", log_sum_exp: "pointer" } as const),
      ...({ counts_as_text: "pointer", receive_from: "pointer", received: "pointer" } as const),
      ...scores,
      keys_in_all: "i64",
    },
    work: ({ k, received: sums, kv_heads, group, width, ...scores }) => {
      const { pairs, rows } = overKeys({ ...scores, group }, variant.tileRows);
      return {
        bytes: bytesOf(k, sums) + 8 * rows * kv_heads * group * width,
        flops: 2 * width * pairs * kv_heads,
      };
    },
  });
}

function prefixOf({ operands }: Variant): "" | "tensor_" {
  return operands === "f32" ? "" : "tensor_";
}
