import {
  type AttentionAttrs,
  type AttentionReceivedAttrs,
  attention,
  attentionBackward,
  attentionReceived,
} from "@basic-mllm/core";
import { packedSamples, type SampleRows } from "@basic-mllm/core/device";
import type * as tf from "@tensorflow/tfjs-core";

import type { CudaBackend } from "../../backend.js";
import { overElements } from "../elementwise.js";
import { type Call, implement } from "../implement.js";
import { firstCounting, keyTiles, queryTiles, type Tiles } from "./layout.js";
import {
  columnParts,
  combineProgram,
  forwardOf,
  gradientsOf,
  received,
  receivedSumProgram,
  STATISTICS_PLACES,
  statisticsFor,
} from "./programs.js";
import { type Operands, operandsFor } from "./variant.js";

/** Blocks that keep a device busy; with fewer, several share the keys of a tile. */
const BUSY = 256;
/** Keys of such a part, at least, and how many parts there may be. */
const PART = 64;
const MOST_PARTS = 32;

/** BasicAttention, BasicAttentionReceived and BasicAttentionBackward. */
export function registerAttention(): void {
  implement(attention, runForward, { outputs: [0] });
  implement(
    attentionReceived,
    (call) => {
      runForward(call);
      runReceived(call);
    },
    { outputs: [0] },
  );
  implement(attentionBackward, runBackward, { outputs: [0, 1, 2] });
}

/** What to attend with. Of the attributes, samples replace the offsets. */
export interface Attend {
  readonly q: tf.TensorInfo;
  /** Rows of key-value heads; all that is not of a sample is skipped. */
  readonly k: tf.TensorInfo;
  readonly v: tf.TensorInfo;
  /** `[Rq, H·w]`. */
  readonly y: tf.TensorInfo;
  /** `[Rq, H]`. */
  readonly logSumExp: tf.TensorInfo;
  readonly samples: readonly SampleRows[];
  readonly attrs: ScoreAttrs;
  readonly scratch: (shape: readonly number[]) => tf.TensorInfo;
}

/** How scores are made. */
export type ScoreAttrs = Omit<AttentionAttrs, "qOffsets" | "kvOffsets">;

type Rows = Call<"q" | "k" | "v", AttentionAttrs>;

function runForward({ backend, inputs, attrs, out, scratch }: Rows): void {
  attend(backend, {
    ...inputs,
    y: out(0),
    logSumExp: out(1),
    samples: packedSamples(attrs),
    attrs,
    scratch,
  });
}

/** Queues attention: see core's `attention`. */
export function attend(
  backend: CudaBackend,
  { q, k, v, y, logSumExp, samples, attrs, scratch }: Attend,
): void {
  const width = widthOf(q, attrs);
  const group = attrs.heads / attrs.kvHeads;
  const chosen = forwardOf(width, group * longest(samples, "queries"), operandsOf(backend));
  const tiles = queryTiles(samples, group, chosen.tileRows);
  const { scores, grid } = overTiles(tiles, { ...attrs, width }, columnParts(width, chosen));
  const { parts, part } = partsOf(grid, samples);
  const places = (q.shape[0] as number) * attrs.heads;
  const whole = parts === 1;
  const partY = whole ? y : scratch([parts, places, width]);
  const partLogSumExp = whole ? logSumExp : scratch([parts, places]);
  const args = { tiles: tiles.entries, q, k, v, y_parts: partY, log_sum_exp: partLogSumExp };
  backend.dispatch(chosen.program, {
    grid: [grid[0], parts, grid[2]],
    args: { ...args, ...scores, part, places, nothing: whole ? 0 : -1e30 },
  });
  if (whole) return;
  backend.dispatch(combineProgram, {
    grid: overElements(places * width),
    args: {
      ...{ y_parts: partY, part_log_sum_exp: partLogSumExp, y, log_sum_exp: logSumExp },
      ...{ parts, places, width },
    },
  });
}

/** Parts of the keys, each of a block of its own, and keys in each. */
function partsOf([x, , z]: Grid, samples: readonly SampleRows[]): { parts: number; part: number } {
  const keys = Math.max(longest(samples, "keys"), 1);
  const wanted = Math.min(Math.ceil(BUSY / Math.max(x * z, 1)), MOST_PARTS, Math.floor(keys / PART));
  const part = Math.ceil(keys / Math.max(wanted, 1));
  return { parts: Math.ceil(keys / part), part };
}

/** Each key-value head's sum, then over those. */
function runReceived({ inputs, attrs, out, scratch, dispatch }: Received): void {
  const { q, k } = inputs;
  const { countsAsText, receiveFrom, kvHeads } = attrs;
  const width = widthOf(q, attrs);
  const samples = packedSamples(attrs);
  const tiles = keyTiles(samples, received.tileRows, firstCounting(receiveFrom));
  const keys = k.shape[0] as number;
  const byHead = kvHeads === 1 ? out(2) : scratch([kvHeads, keys]);
  const { scores, grid } = overTiles(tiles, { ...attrs, width }, 1);
  dispatch(received.program, {
    grid,
    args: {
      ...{ tiles: tiles.entries, q, k, log_sum_exp: out(1), counts_as_text: countsAsText },
      ...{ receive_from: receiveFrom, received: byHead, ...scores, keys_in_all: keys },
    },
  });
  if (kvHeads === 1) return;
  dispatch(receivedSumProgram, {
    grid: overElements(keys),
    args: { by_head: byHead, received: out(2), heads: kvHeads, keys },
  });
}

type Received = Call<"q" | "k" | "v", AttentionReceivedAttrs>;
type Backward = Call<"dy" | "q" | "k" | "v" | "y" | "logSumExp", AttentionAttrs>;

function runBackward({ backend, inputs, attrs, out, scratch, dispatch }: Backward): void {
  const { dy, q, k, v, y, logSumExp } = inputs;
  const width = widthOf(q, attrs);
  const group = attrs.heads / attrs.kvHeads;
  const places = (q.shape[0] as number) * attrs.heads;
  const statistics = scratch([places, 2]);
  const operands = operandsOf(backend);
  dispatch(statisticsFor(operands), {
    grid: [Math.ceil(places / STATISTICS_PLACES)],
    args: { dy, y, log_sum_exp: logSumExp, statistics, places, width },
  });
  const samples = packedSamples(attrs);
  const { queryGradient, keyGradient } = gradientsOf(width, operands);
  const queries = queryTiles(samples, group, queryGradient.tileRows);
  const overQueries = overTiles(queries, { ...attrs, width }, columnParts(width, queryGradient));
  const saved = { q, k, v, dy, statistics };
  dispatch(queryGradient.program, {
    grid: overQueries.grid,
    args: { tiles: queries.entries, ...saved, dq: out(0), ...overQueries.scores },
  });
  const keys = keyTiles(samples, keyGradient.tileRows);
  const overKeys = overTiles(keys, { ...attrs, width }, columnParts(width, keyGradient));
  dispatch(keyGradient.program, {
    grid: overKeys.grid,
    args: { tiles: keys.entries, ...saved, dk: out(1), dv: out(2), ...overKeys.scores },
  });
}

/** An imagined GPU has tensor cores. */
function operandsOf({ precision, imagined, session }: CudaBackend): Operands {
  return imagined ? precision : operandsFor(precision, session.device.architecture);
}

function widthOf(q: tf.TensorInfo, { heads }: ScoreAttrs): number {
  return (q.shape[1] as number) / heads;
}

function longest(samples: readonly SampleRows[], side: "queries" | "keys"): number {
  return samples.reduce((most, sample) => Math.max(most, sample[side]), 0);
}

type Grid = readonly [x: number, y: number, z: number];

/** `parts`: blocks that share the columns of a head. */
function overTiles({ count }: Tiles, attrs: ScoreAttrs & { readonly width: number }, parts: number) {
  const { heads, kvHeads: kv_heads, width, causal, window, scale, softcap } = attrs;
  const grid: Grid = [count * kv_heads, 1, parts];
  const shape = { kv_heads, group: heads / kv_heads, width };
  return { grid, scores: { ...shape, causal: Number(causal), window, scale, softcap } };
}
