import { defineProgram } from "../../program.js";
import { forEachElement } from "../elementwise.js";
import { attentionCode, combineCode } from "./attention.wgsl.js";
import { keyGradientCode, queryGradientCode, receivedCode, statisticsCode } from "./backward.wgsl.js";
import { type AttentionVariant, elementOf } from "./tiles.wgsl.js";

const uniforms = {
  count: "u32",
  kv_heads: "u32",
  group: "i32",
  width: "u32",
  causal: "u32",
  window: "i32",
  scale: "f32",
  softcap: "f32",
} as const;

function nameOf(kernel: string, { chunks, vectors }: AttentionVariant): string {
  return `${kernel}, heads of ${chunks} tiles${vectors ? "" : " of scalars"}`;
}

/** Outputs and log-sum-exps, of all keys or of parts of them. */
export function forwardProgram(variant: AttentionVariant) {
  const element = elementOf(variant);
  return defineProgram({
    name: nameOf("attention", variant),
    reads: { tiles: "i32", q: element, k: element, v: element },
    writes: { attended: element, log_sum_exp: "f32" },
    uniforms: { ...uniforms, part: "i32", places: "u32", nothing: "f32" },
    code: () => attentionCode(variant),
  });
}

/** The outputs of parts of the keys, combined. */
export const combineProgram = defineProgram({
  name: "attention, parts combined",
  reads: { part_y: "f32", part_log_sum_exp: "f32" },
  writes: { y: "f32", log_sum_exp: "f32" },
  uniforms: { count: "u32", parts: "u32", places: "u32", width: "u32" },
  code: `${combineCode}\n${forEachElement}`,
});

/** What each key row receives, by key-value head. */
export function receivedProgram(variant: AttentionVariant) {
  const element = elementOf(variant);
  return defineProgram({
    name: nameOf("attention received", variant),
    reads: {
      tiles: "i32",
      q: element,
      k: element,
      log_sum_exp: "f32",
      counts_as_text: "i32",
      receive_from: "i32",
    },
    writes: { received: "f32" },
    uniforms: { ...uniforms, keys: "u32" },
    code: () => receivedCode(variant),
  });
}

/** What the gradients need of each query row and head. */
export const statisticsProgram = defineProgram({
  name: "attention backward, statistics",
  reads: { dy: "f32", y: "f32", log_sum_exp: "f32" },
  writes: { statistics: "f32" },
  uniforms: { count: "u32", width: "u32" },
  code: statisticsCode,
});

function readsOf(variant: AttentionVariant) {
  const element = elementOf(variant);
  return { tiles: "i32", q: element, k: element, v: element, dy: element, statistics: "f32" } as const;
}

/** The gradient of the queries. */
export function queryGradientProgram(variant: AttentionVariant) {
  return defineProgram({
    name: nameOf("attention backward, queries", variant),
    reads: readsOf(variant),
    writes: { dq: elementOf(variant) },
    uniforms,
    code: () => queryGradientCode(variant),
  });
}

/** The gradients of the keys and values. */
export function keyGradientProgram(variant: AttentionVariant) {
  const element = elementOf(variant);
  return defineProgram({
    name: nameOf("attention backward, keys", variant),
    reads: readsOf(variant),
    writes: { dk: element, dv: element },
    uniforms,
    code: () => keyGradientCode(variant),
  });
}
