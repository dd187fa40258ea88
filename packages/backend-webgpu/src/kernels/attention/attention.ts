import {
  type AttentionAttrs,
  type AttentionReceivedAttrs,
  attention,
  attentionBackward,
  attentionReceived,
} from "@basic-mllm/core";
import { packedSamples, type SampleRows } from "@basic-mllm/core/device";
import type * as tf from "@tensorflow/tfjs-core";

import type { WebGpuBackend } from "../../backend.js";
import { sumColumns } from "../column-sums/column-sums.js";
import { overElements } from "../elementwise.js";
import { type Call, implement, spread } from "../implement.js";
import { firstCounting, keyTiles, queryTiles, type Tiles } from "./layout.js";
import {
  combineProgram,
  forwardProgram,
  keyGradientProgram,
  queryGradientProgram,
  receivedProgram,
  statisticsProgram,
} from "./programs.js";
import { type AttentionVariant, TILE } from "./tiles.wgsl.js";

// BasicAttention on WebGPU.
// v1  32 x 32 tiles of scores in workgroup memory, streaming softmax; backward recomputes them twice, for dq and for dk, dv

/** Workgroups that keep a device busy; with fewer, several share the keys of a tile. */
const BUSY = 64;
/** Keys of such a part, at least, and how many parts there may be. */
const PART = 64;
const MOST_PARTS = 16;

/** BasicAttention, BasicAttentionReceived and BasicAttentionBackward. */
export function registerAttention(): void {
  implement(attention, runForward);
  implement(attentionReceived, (call) => {
    runForward(call);
    runReceived(call);
  });
  implement(attentionBackward, runBackward);
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

/** Adds attention to the commands: see core's `attention`. */
export function attend(
  backend: WebGpuBackend,
  { q, k, v, y, logSumExp, samples, attrs, scratch }: Attend,
): void {
  const width = widthOf(q, attrs);
  const { heads, kvHeads } = attrs;
  const rows = q.shape[0] as number;
  const tiles = queryTiles(samples, heads / kvHeads);
  const run = overTiles(backend, tiles, { ...attrs, width });
  const { parts, part } = partsOf(run.uniforms.count, samples);
  const whole = parts === 1;
  const places = rows * heads;
  const attended = whole ? y : scratch([parts, rows, heads * width]);
  const sums = whole ? logSumExp : scratch([parts, rows, heads]);
  backend.dispatch(forwardProgram(variantOf(width)), {
    reads: { tiles: tiles.entries, q, k, v },
    writes: { attended, log_sum_exp: sums },
    uniforms: { ...run.uniforms, part, places, nothing: whole ? 0 : -1e30 },
    workgroups: [...run.workgroups, parts],
  });
  if (whole) return;
  const { uniforms, workgroups } = overElements(y, backend);
  backend.dispatch(combineProgram, {
    reads: { part_y: attended, part_log_sum_exp: sums },
    writes: { y, log_sum_exp: logSumExp },
    uniforms: { ...uniforms, parts, places, width },
    workgroups,
  });
}

/** Parts of the keys, each of a workgroup of its own, and keys in each. */
function partsOf(workgroups: number, samples: readonly SampleRows[]): { parts: number; part: number } {
  const longest = samples.reduce((most, { keys }) => Math.max(most, keys), 0);
  const parts = workgroups >= BUSY ? 1 : Math.min(MOST_PARTS, Math.floor(longest / PART));
  if (parts <= 1) return { parts: 1, part: Math.max(longest, 1) };
  return { parts, part: Math.ceil(longest / parts) };
}

/** Each key-value head's sum, then over those. */
function runReceived({
  backend,
  inputs,
  attrs,
  out,
  scratch,
}: Call<"q" | "k" | "v", AttentionReceivedAttrs>): void {
  const { q, k } = inputs;
  const { countsAsText, receiveFrom, kvHeads } = attrs;
  const width = widthOf(q, attrs);
  const tiles = keyTiles(packedSamples(attrs), firstCounting(receiveFrom));
  const keys = k.shape[0] as number;
  const received = kvHeads === 1 ? out(2) : scratch([kvHeads, keys]);
  const { uniforms, workgroups } = overTiles(backend, tiles, { ...attrs, width });
  backend.dispatch(receivedProgram(variantOf(width)), {
    reads: {
      tiles: tiles.entries,
      q,
      k,
      log_sum_exp: out(1),
      counts_as_text: countsAsText,
      receive_from: receiveFrom,
    },
    writes: { received },
    uniforms: { ...uniforms, keys },
    workgroups,
  });
  if (kvHeads > 1)
    sumColumns(backend, { x: received, rows: kvHeads, columns: keys, result: out(2), scratch });
}

function runBackward({
  inputs,
  attrs,
  backend,
  out,
  scratch,
  dispatch,
}: Call<"dy" | "q" | "k" | "v" | "y" | "logSumExp", AttentionAttrs>): void {
  const { dy, q, k, v, y, logSumExp } = inputs;
  const width = widthOf(q, attrs);
  const statistics = scratch([...logSumExp.shape, 2]);
  const each = overElements(logSumExp, backend);
  dispatch(statisticsProgram, {
    reads: { dy, y, log_sum_exp: logSumExp },
    writes: { statistics },
    uniforms: { ...each.uniforms, width },
    workgroups: each.workgroups,
  });
  const samples = packedSamples(attrs);
  const reads = { q, k, v, dy, statistics };
  const ofQueries = queryTiles(samples, attrs.heads / attrs.kvHeads);
  dispatch(queryGradientProgram(variantOf(width)), {
    reads: { tiles: ofQueries.entries, ...reads },
    writes: { dq: out(0) },
    ...overTiles(backend, ofQueries, { ...attrs, width }),
  });
  const ofKeys = keyTiles(samples);
  dispatch(keyGradientProgram(variantOf(width)), {
    reads: { tiles: ofKeys.entries, ...reads },
    writes: { dk: out(1), dv: out(2) },
    ...overTiles(backend, ofKeys, { ...attrs, width }),
  });
}

function widthOf(q: tf.TensorInfo, { heads }: ScoreAttrs): number {
  return (q.shape[1] as number) / heads;
}

function variantOf(width: number): AttentionVariant {
  return { chunks: Math.ceil(width / TILE), vectors: width % 4 === 0 };
}

function overTiles(backend: WebGpuBackend, { count }: Tiles, attrs: ScoreAttrs & { readonly width: number }) {
  const { heads, kvHeads: kv_heads, width, causal, window, scale, softcap } = attrs;
  const all = count * kv_heads;
  return {
    uniforms: {
      ...{ count: all, kv_heads, group: heads / kv_heads, width },
      ...{ causal: Number(causal), window, scale, softcap },
    },
    workgroups: spread(all, backend),
  };
}
