import { defineProgram } from "../../program.js";
import { bytesOf, countOf } from "../../work.js";
import { ELEMENTWISE } from "../elementwise.js";
import attentionSource from "./attention.cu";
import keyGradientSource from "./key-gradient.cu";
import placesSource from "./places.cu";
import queryGradientSource from "./query-gradient.cu";
import receivedSource from "./received.cu";
import { overKeys, overQueries } from "./work.js";

/** Columns of a head that a block works on at a time. */
const CHUNK = 32;
/** Chunks of sums that blocks can hold; wider heads take several blocks. */
const CHUNKS = [1, 2, 3, 4, 8] as const;
const MOST_CHUNKS = 8;
/** With more chunks of sums, eight rows of them a thread would leave the registers. */
const CHUNKS_OF_EIGHT_ROWS = 4;

/** Threads of all kernels that work on tiles. */
const THREADS = 128;

/** Compile-time sizes of a kernel: see tiles.cuh. */
interface Variant {
  /** Rows of a tile that a thread has. */
  readonly rows: 1 | 4 | 8;
  readonly chunks: (typeof CHUNKS)[number];
  /** That the registers of a multiprocessor hold at once. */
  readonly blocks: 2 | 3;
}

/** Rows of a tile. */
function tileRows({ rows }: Pick<Variant, "rows">): number {
  return 8 * rows;
}

/** Rows of a thread where there are enough of them. `results` are summed up for each row. */
function manyRows(chunks: number, results: 1 | 2): 4 | 8 {
  return results * chunks > CHUNKS_OF_EIGHT_ROWS ? 4 : 8;
}

function chunksOf(width: number): Variant["chunks"] {
  return CHUNKS.find((chunks) => chunks * CHUNK >= width) ?? MOST_CHUNKS;
}

/** Blocks that share the columns of a head. */
export function columnParts(width: number): number {
  return Math.ceil(width / (CHUNK * MOST_CHUNKS));
}

const scores = {
  kv_heads: "i32",
  group: "i32",
  width: "i32",
  causal: "i32",
  window: "i32",
  scale: "f32",
  softcap: "f32",
} as const;

function compiled(kernel: string, { rows, chunks, blocks }: Variant) {
  return {
    name: `${kernel}, ${tileRows({ rows })} rows, heads of ${chunks} chunks`,
    defines: { ROWS: rows, CHUNKS: chunks, BLOCKS: blocks },
    block: THREADS,
  } as const;
}

/** Outputs and log-sum-exps, of all keys or of parts of them. */
function forwardProgram(variant: Variant) {
  return defineProgram({
    ...compiled("attention", variant),
    source: attentionSource,
    entry: "attention_forward",
    params: {
      ...({ tiles: "pointer", q: "pointer", k: "pointer", v: "pointer" } as const),
      ...({ y_parts: "pointer", log_sum_exp: "pointer" } as const),
      ...scores,
      ...({ part: "i32", places: "i64", nothing: "f32" } as const),
    },
    work: ({ q, y_parts, log_sum_exp, kv_heads, width, ...scores }, [, , blocks]) => {
      const { pairs, rows } = overQueries(scores, tileRows(variant));
      return {
        bytes: bytesOf(q, y_parts, log_sum_exp) + 8 * rows * kv_heads * width,
        flops: 2 * (blocks + 1) * width * pairs * kv_heads,
      };
    },
  });
}

const saved = {
  ...({ tiles: "pointer", q: "pointer", k: "pointer", v: "pointer" } as const),
  ...({ dy: "pointer", statistics: "pointer" } as const),
} as const;

/** The gradient of the queries. */
function queryGradientProgram(variant: Variant) {
  return defineProgram({
    ...compiled("attention, gradient of queries", variant),
    source: queryGradientSource,
    entry: "attention_query_gradient",
    params: { ...saved, dq: "pointer", ...scores },
    work: ({ q, dy, statistics, dq, kv_heads, width, ...scores }, [, , blocks]) => {
      const { pairs, rows } = overQueries(scores, tileRows(variant));
      return {
        bytes: bytesOf(q, dy, statistics, dq) + 12 * rows * kv_heads * width,
        flops: (4 * blocks + 2) * width * pairs * kv_heads,
      };
    },
  });
}

/** The gradients of the keys and values. */
function keyGradientProgram(variant: Variant) {
  return defineProgram({
    ...compiled("attention, gradient of keys", variant),
    source: keyGradientSource,
    entry: "attention_key_gradient",
    params: { ...saved, dk: "pointer", dv: "pointer", ...scores },
    work: ({ k, v, dk, dv, kv_heads, group, width, ...scores }, [, , blocks]) => {
      const { pairs, rows } = overKeys({ ...scores, group }, tileRows(variant));
      return {
        bytes: bytesOf(k, v, dk, dv) + 16 * rows * kv_heads * group * width,
        flops: (4 * blocks + 4) * width * pairs * kv_heads,
      };
    },
  });
}

/** A program, and the rows of its tiles. */
interface Tiled<P> {
  readonly program: P;
  readonly tileRows: number;
}

function tiled<P>(define: (variant: Variant) => P, variant: Variant): Tiled<P> {
  return { program: define(variant), tileRows: tileRows(variant) };
}

function programsOf(chunks: Variant["chunks"]) {
  const usual = chunks > CHUNKS_OF_EIGHT_ROWS ? 2 : 3;
  const [one, two] = [manyRows(chunks, 1), manyRows(chunks, 2)];
  // Two tiles of scores and as many sums as eight rows have: registers for two blocks.
  const ofGradient = (rows: 4 | 8, results: 1 | 2) =>
    rows === 8 && results * chunks === CHUNKS_OF_EIGHT_ROWS ? 2 : usual;
  return {
    few: tiled(forwardProgram, { rows: 1, chunks, blocks: usual }),
    many: tiled(forwardProgram, { rows: one, chunks, blocks: usual }),
    queryGradient: tiled(queryGradientProgram, { rows: one, chunks, blocks: ofGradient(one, 1) }),
    keyGradient: tiled(keyGradientProgram, { rows: two, chunks, blocks: ofGradient(two, 2) }),
  };
}

const programs = Object.fromEntries(CHUNKS.map((chunks) => [chunks, programsOf(chunks)])) as Record<
  Variant["chunks"],
  ReturnType<typeof programsOf>
>;

/** The forward kernel for heads of a width; `rows` of a sample that tiles cover, at most: a few take small tiles. */
export function forwardOf(width: number, rows: number): Tiled<ReturnType<typeof forwardProgram>> {
  const { few, many } = programs[chunksOf(width)];
  return rows <= few.tileRows ? few : many;
}

/** The backward kernels for heads of a width. */
export function gradientsOf(width: number) {
  const { queryGradient, keyGradient } = programs[chunksOf(width)];
  return { queryGradient, keyGradient };
}

/** What each key row receives, by key-value head. */
export const received = tiled(
  (variant) =>
    defineProgram({
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
        const { pairs, rows } = overKeys({ ...scores, group }, tileRows(variant));
        return {
          bytes: bytesOf(k, sums) + 8 * rows * kv_heads * group * width,
          flops: 2 * width * pairs * kv_heads,
        };
      },
    }),
  { rows: 8, chunks: 1, blocks: 3 },
);

/** The outputs of parts of the keys, combined. */
export const combineProgram = defineProgram({
  name: "attention, parts combined",
  source: placesSource,
  entry: "attention_combine",
  params: {
    ...({ y_parts: "pointer", part_log_sum_exp: "pointer", y: "pointer", log_sum_exp: "pointer" } as const),
    ...({ parts: "i32", places: "i64", width: "i32" } as const),
  },
  block: ELEMENTWISE.threads,
  work: ({ y_parts, part_log_sum_exp, y, log_sum_exp }) => ({
    bytes: bytesOf(y_parts, part_log_sum_exp, y, log_sum_exp),
    flops: 2 * countOf(y_parts),
  }),
});

/** Sums over key-value heads. */
export const receivedSumProgram = defineProgram({
  name: "attention received, sum over heads",
  source: placesSource,
  entry: "attention_received_sum",
  params: { by_head: "pointer", received: "pointer", heads: "i32", keys: "i64" },
  block: ELEMENTWISE.threads,
  work: ({ by_head, received: sums }) => ({ bytes: bytesOf(by_head, sums), flops: countOf(by_head) }),
});

/** What the gradients need of each query row and head. */
export const statisticsProgram = defineProgram({
  name: "attention, statistics of rows",
  source: placesSource,
  entry: "attention_statistics",
  params: {
    ...({ dy: "pointer", y: "pointer", log_sum_exp: "pointer", statistics: "pointer" } as const),
    ...({ places: "i64", width: "i32" } as const),
  },
  block: ELEMENTWISE.threads,
  work: ({ dy, y, log_sum_exp, statistics }) => ({
    bytes: bytesOf(dy, y, log_sum_exp, statistics),
    flops: 2 * countOf(dy),
  }),
});

/** Places that a block of {@link statisticsProgram} has. */
export const STATISTICS_PLACES = 32;

/** Every program of this folder. */
export const attentionPrograms = [
  ...Object.values(programs).flatMap((each) => Object.values(each).map(({ program }) => program)),
  ...[received.program, combineProgram, receivedSumProgram, statisticsProgram],
];
