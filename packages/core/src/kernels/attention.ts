import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../errors.js";
import { bindShapes, formatShape } from "../shape.js";
import { attentionBackwardCases, attentionCases, attentionReceivedCases } from "./attention-cases.js";
import { attend, attendBackward } from "./attention-reference.js";
import type { KernelContract } from "./contract.js";
import { runKernel } from "./run.js";

/** Attributes of {@link attention}. B samples. */
export type AttentionAttrs = {
  /** `[B + 1]`: sample b has the query rows `qOffsets[b] .. qOffsets[b + 1]`. */
  readonly qOffsets: Int32Array;
  /** `[B + 1]`: the same for key and value rows. */
  readonly kvOffsets: Int32Array;
  /** H. */
  readonly heads: number;
  /** G, a divisor of H: query head h reads key-value head `⌊h G / H⌋`. */
  readonly kvHeads: number;
  /** Factor of the scores, usually 1/√w. */
  readonly scale: number;
  /** Query row t of a sample stands at `keys − queries + t` and sees the keys up to there. */
  readonly causal: boolean;
  /** Position i sees j with `0 ≤ i − j < window`; 0 = no window. Needs `causal`. */
  readonly window: number;
  /** Scores become `softcap · tanh(score / softcap)` before the mask; 0 = none. */
  readonly softcap: number;
};

/** Attributes of {@link attentionReceived}. */
export type AttentionReceivedAttrs = AttentionAttrs & {
  /** `[Rq]`: 1 where the query row counts. */
  readonly countsAsText: Int32Array;
  /** `[Rk]`: first packed query row that counts for this key row; Rq = never. */
  readonly receiveFrom: Int32Array;
};

/** Inputs of the contract. */
export type AttentionInput = "q" | "k" | "v";
/** Inputs of the contract. */
export type AttentionBackwardInput = "dy" | AttentionInput | "y" | "logSumExp";

/**
 * Attention over packed rows: `P = softmax(mask(cap(scale · q kᵀ)))` and `y = P v`, per sample and head.
 *
 * H query heads, G key-value heads of width w: `q`, `y` `[Rq, H·w]`; `k`, `v` `[Rk, G·w]`; `logSumExp` `[Rq, H]` of
 * the visible scores, without gradient. A row that sees no key gives 0 in both outputs.
 */
export const attention: KernelContract<AttentionInput, AttentionAttrs> = {
  name: "BasicAttention",
  inputs: ["q", "k", "v"],
  infer: ({ q, k, v }, attrs) => {
    const rows = checkAttention("attention", { q, k, v }, attrs);
    return [q, [rows.q, attrs.heads]];
  },
  reference: (inputs, attrs) => tf.tidy(() => attend(inputs, attrs).slice(0, 2)),
  save: { inputs: ["q", "k", "v"], outputs: [true, true] },
  gradient: ([dy], { inputs, outputs }, attrs) => gradients(dy, inputs, outputs, attrs),
  differentiable: ["q", "k", "v"],
  cases: attentionCases(),
  // A score is a sum of w products, taken through an exponential; y is a mean of the values.
  tolerance: { absolute: 1e-6, relative: 8e-6 },
};

/**
 * {@link attention} with a third output `received` `[Rk]`, without gradient: `received_j = Σ P^h[t, j]` over the query
 * heads h and the query rows `t ≥ receiveFrom_j` of the same sample that count as text.
 */
export const attentionReceived: KernelContract<AttentionInput, AttentionReceivedAttrs> = {
  name: "BasicAttentionReceived",
  inputs: ["q", "k", "v"],
  infer: ({ q, k, v }, attrs) => {
    const rows = checkAttention("attentionReceived", { q, k, v }, attrs);
    bindShapes("attentionReceived", {
      q: ["QA", q],
      k: ["KC", k],
      countsAsText: ["Q", [attrs.countsAsText.length]],
      receiveFrom: ["K", [attrs.receiveFrom.length]],
    });
    return [q, [rows.q, attrs.heads], [rows.k]];
  },
  reference: (inputs, attrs) => tf.tidy(() => attend(inputs, attrs, attrs)),
  save: { inputs: ["q", "k", "v"], outputs: [true, true, false] },
  gradient: ([dy], { inputs, outputs }, attrs) => {
    const { countsAsText: _counts, receiveFrom: _from, ...plain } = attrs;
    return gradients(dy, inputs, outputs, plain);
  },
  differentiable: ["q", "k", "v"],
  cases: attentionReceivedCases(),
  tolerance: { absolute: 1e-6, relative: 8e-6 },
};

/**
 * With `P = exp(scores − logSumExp)`, `dP = dy vᵀ` and `dS = P (dP − Σ dy y)`, times the slope of the cap:
 * `dq = scale dS k`, `dk = scale dSᵀ q`, `dv = Pᵀ dy`; `dk` and `dv` add up over the query heads of a group.
 *
 * Shapes and attributes of {@link attention}; `dy` `[Rq, H·w]`.
 */
export const attentionBackward: KernelContract<AttentionBackwardInput, AttentionAttrs> = {
  name: "BasicAttentionBackward",
  inputs: ["dy", "q", "k", "v", "y", "logSumExp"],
  infer: ({ dy, q, k, v, y, logSumExp }, attrs) => {
    const where = "attentionBackward";
    bindShapes(where, { dy: ["QA", dy], q: ["QA", q], y: ["QA", y], logSumExp: ["QH", logSumExp] });
    checkAttention(where, { q, k, v }, attrs);
    bindShapes(where, { logSumExp: ["QH", logSumExp], heads: ["H", [attrs.heads]] });
    return [q, k, v];
  },
  reference: (inputs, attrs) => tf.tidy(() => attendBackward(inputs, attrs)),
  save: { inputs: [], outputs: [false, false, false] },
  gradient: null,
  differentiable: [],
  cases: attentionBackwardCases(),
  // dP − Σ dy y cancels: a few roundings of the largest term, then sums over rows.
  tolerance: { absolute: 2e-6, relative: 8e-6 },
};

function gradients(
  dy: tf.Tensor | undefined,
  inputs: Partial<Record<AttentionInput, tf.Tensor>>,
  outputs: readonly tf.Tensor[],
  attrs: AttentionAttrs,
): Record<AttentionInput, tf.Tensor> {
  const saved = inputs as Record<AttentionInput, tf.Tensor>;
  const [y, logSumExp] = outputs as [tf.Tensor, tf.Tensor];
  const [q, k, v] = runKernel(attentionBackward, { dy: dy as tf.Tensor, ...saved, y, logSumExp }, attrs) as [
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
  ];
  return { q, k, v };
}

/** Checks shapes, heads and offsets; returns the row counts. */
function checkAttention(
  where: string,
  { q, k, v }: Record<AttentionInput, readonly number[]>,
  attrs: AttentionAttrs,
): { q: number; k: number } {
  const bound = bindShapes(where, { q: ["QA", q], k: ["KC", k], v: ["KC", v] });
  const { heads, kvHeads, causal, window } = attrs;
  const [wide, narrow] = [bound["A"] as number, bound["C"] as number];
  if (heads < 1 || kvHeads < 1 || heads % kvHeads !== 0) {
    throw new BasicError(
      "E_SHAPE",
      `${where}: ${heads} query heads do not divide into groups of ${kvHeads} key-value heads. Give \`heads\` as a multiple of \`kvHeads\`.`,
    );
  }
  if (wide % heads !== 0 || narrow % kvHeads !== 0 || wide / heads !== narrow / kvHeads) {
    throw new BasicError(
      "E_SHAPE",
      `${where}: \`q\` ${formatShape(q)} in ${heads} heads and \`k\` ${formatShape(k)} in ${kvHeads} heads must give the same head width.`,
    );
  }
  if (window > 0 && !causal) {
    throw new BasicError(
      "E_CONFIG",
      `${where}: a window of ${window} needs \`causal\`: it looks back from each row. Set \`causal\`, or \`window\` to 0.`,
    );
  }
  const rows = { q: bound["Q"] as number, k: bound["K"] as number };
  checkOffsets(where, "qOffsets", attrs.qOffsets, rows.q);
  checkOffsets(where, "kvOffsets", attrs.kvOffsets, rows.k);
  bindShapes(where, { qOffsets: ["B", [attrs.qOffsets.length]], kvOffsets: ["B", [attrs.kvOffsets.length]] });
  return rows;
}

function checkOffsets(where: string, name: string, offsets: Int32Array, rows: number): void {
  const rises = offsets.every((offset, i) => i === 0 || offset >= (offsets[i - 1] as number));
  if (offsets.length > 0 && offsets[0] === 0 && rises && offsets[offsets.length - 1] === rows) return;
  throw new BasicError(
    "E_SHAPE",
    `${where}: \`${name}\` must rise from 0 to the ${rows} rows, got [${offsets.join(", ")}].`,
  );
}
