import { allContracts, type KernelContract } from "@basic-mllm/core";

import { attentionAndLossContracts, attentionOver, type Heads } from "./attention-shapes.js";

/** What attention on tensor cores is tested with: samples of more than a few rows, and bounds that follow from its operands. */

/** Every width of a row: aligned or not, less than a chunk, several chunks, several blocks. Rows are no multiples of tiles. */
const shapes: readonly Heads[] = [
  { title: "heads of 1", queries: [70], heads: 1, kvHeads: 1, width: 1 },
  {
    title: "heads of 20 and an empty sample",
    queries: [11, 0, 40],
    heads: 3,
    kvHeads: 1,
    width: 20,
    window: 7,
  },
  { title: "heads of 33", queries: [30], keys: [101], heads: 2, kvHeads: 2, width: 33, softcap: 2 },
  { title: "grouped heads of 64", queries: [10, 67], heads: 2, kvHeads: 1, width: 64 },
  { title: "heads of 96", queries: [33], heads: 1, kvHeads: 1, width: 96, full: true },
  { title: "full, heads of 128", queries: [65], heads: 2, kvHeads: 2, width: 128, full: true },
  { title: "heads of 160", queries: [37], heads: 1, kvHeads: 1, width: 160, window: 33, softcap: 3 },
  { title: "keys that blocks share", queries: [12, 9], keys: [300, 70], heads: 2, kvHeads: 1, width: 36 },
  {
    title: "keys that blocks share, of which some are out of the window",
    ...{ queries: [10], keys: [300], heads: 1, kvHeads: 1, width: 8, window: 70 },
  },
];

const NAMES = ["BasicAttention", "BasicAttentionBackward", "BasicAttentionReceived", "BasicCachedAttention"];

/** Products in a row: scores, their gradients, and what either weights. */
const PRODUCTS = 3;
/** Of scores, in cases that have a tolerance of their own. */
const LARGE = 1000;

/**
 * Attention's contracts with bounds for operands that are rounded to `bits` of mantissa: such an operand is off by 2^-(bits + 1) of
 * itself, a product by 2^-bits, and inputs are of size 1. A weight is off by as much as its score, which is no more than
 * finite where scores are around 1e3.
 */
export function boundedContracts(bits: number): readonly KernelContract[] {
  const bound = PRODUCTS * 2 ** -bits;
  const tolerance = { absolute: bound, relative: bound };
  const large = { absolute: LARGE * bound, relative: LARGE * bound };
  return [...allContracts, ...attentionAndLossContracts, ...attentionOver(shapes)]
    .filter(({ name }) => NAMES.includes(name))
    .map((contract) => ({
      ...contract,
      tolerance,
      cases: contract.cases.map((own) => (own.tolerance === undefined ? own : { ...own, tolerance: large })),
    }));
}

/** Bits of mantissa that are kept of operands. */
export const MANTISSA = { tf32: 10, bf16: 7 } as const;
