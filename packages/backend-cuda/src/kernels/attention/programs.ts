import { defineProgram } from "../../program.js";
import { bytesOf, countOf } from "../../work.js";
import { ELEMENTWISE } from "../elementwise.js";
import placesSource from "./places.cu";
import {
  forwardProgram,
  keyGradientProgram,
  queryGradientProgram,
  receivedProgram,
} from "./tile-programs.js";
import { CHUNK, CHUNKS, type Operands, type Variant } from "./variant.js";

/** With more chunks of sums, eight rows of them a thread would leave the registers. */
const CHUNKS_OF_EIGHT_ROWS = 4;
/** With more chunks of sums, tensor cores take 32 columns of scores at a time. */
const CHUNKS_OF_WIDE_SCORES = 4;
/** Chunks of sums of the widest heads. */
const MOST_CHUNKS = 8;

/** A program, and how much of the rows and columns its blocks take. */
interface Tiled<P> {
  readonly program: P;
  readonly tileRows: number;
  /** Columns of a head that a block sums up. */
  readonly columns: number;
}

function tiled<P>(define: (variant: Variant) => P, variant: Variant): Tiled<P> {
  return { program: define(variant), tileRows: variant.tileRows, columns: CHUNK * variant.chunks };
}

/** Blocks that share the columns of a head. */
export function columnParts(width: number, { columns }: Tiled<unknown>): number {
  return Math.ceil(width / columns);
}

type Chunks = Variant["chunks"];

/** Rows of a tile where there are enough of them. `results` are summed up for each row. */
function manyRows(chunks: Chunks, results: 1 | 2): 32 | 64 {
  return results * chunks > CHUNKS_OF_EIGHT_ROWS ? 32 : 64;
}

function usualBlocks(chunks: Chunks): 2 | 3 {
  return chunks > CHUNKS_OF_EIGHT_ROWS ? 2 : 3;
}

function plainPrograms(chunks: Chunks) {
  const usual = usualBlocks(chunks);
  const [one, two] = [manyRows(chunks, 1), manyRows(chunks, 2)];
  const plain = { operands: "f32", scoreColumns: 64, chunks, blocks: usual } as const;
  // Two tiles of scores and as many sums as eight rows have: registers for two blocks.
  const ofGradient = (tileRows: 32 | 64, results: 1 | 2): Variant => {
    const full = tileRows === 64 && results * chunks === CHUNKS_OF_EIGHT_ROWS;
    return { ...plain, tileRows, blocks: full ? 2 : usual };
  };
  return {
    few: fewRows[chunks],
    many: tiled(forwardProgram, { ...plain, tileRows: one }),
    queryGradient: tiled(queryGradientProgram, ofGradient(one, 1)),
    keyGradient: tiled(keyGradientProgram, ofGradient(two, 2)),
  };
}

/** Tiles of 64 rows. The more sums a thread has, the fewer scores: registers for two blocks. */
function tensorPrograms(operands: "tf32" | "bf16", chunks: Chunks) {
  const variant = (own: Chunks, results: 1 | 2): Variant => {
    const scoreColumns = results * own > CHUNKS_OF_WIDE_SCORES ? 32 : 64;
    return { operands, tileRows: 64, scoreColumns, chunks: own, blocks: 2 };
  };
  // Both sums of the widest heads are more than there are registers.
  const half = chunks === MOST_CHUNKS ? 4 : chunks;
  return {
    few: fewRows[chunks],
    many: tiled(forwardProgram, variant(chunks, 1)),
    queryGradient: tiled(queryGradientProgram, variant(chunks, 1)),
    keyGradient: tiled(keyGradientProgram, variant(half, 2)),
  };
}

function byChunks<T>(make: (chunks: Chunks) => T): Record<Chunks, T> {
  return Object.fromEntries(CHUNKS.map((chunks) => [chunks, make(chunks)])) as Record<Chunks, T>;
}

/** Too few rows for tensor cores: in float32 for every precision. */
const fewRows = byChunks((chunks) =>
  tiled(forwardProgram, {
    operands: "f32",
    tileRows: 8,
    scoreColumns: 64,
    chunks,
    blocks: usualBlocks(chunks),
  }),
);

const programs = {
  f32: byChunks(plainPrograms),
  tf32: byChunks((chunks) => tensorPrograms("tf32", chunks)),
  bf16: byChunks((chunks) => tensorPrograms("bf16", chunks)),
};

function programsOf(width: number, operands: Operands) {
  return programs[operands][CHUNKS.find((chunks) => chunks * CHUNK >= width) ?? MOST_CHUNKS];
}

/** The forward kernel for heads of a width; `rows` of a sample that tiles cover, at most: a few take small tiles. */
export function forwardOf(
  width: number,
  rows: number,
  operands: Operands,
): Tiled<ReturnType<typeof forwardProgram>> {
  const { few, many } = programsOf(width, operands);
  return rows <= few.tileRows ? few : many;
}

/** The backward kernels for heads of a width. */
export function gradientsOf(width: number, operands: Operands) {
  const { queryGradient, keyGradient } = programsOf(width, operands);
  return { queryGradient, keyGradient };
}

/** What each key row receives, by key-value head. */
export const received = tiled(receivedProgram, {
  ...({ operands: "f32", tileRows: 64, scoreColumns: 64, chunks: 1, blocks: 3 } as const),
});

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

/** What the gradients need of each query row and head; `dy` as the products of the gradients take it. */
function statisticsOf(rounded: boolean) {
  return defineProgram({
    name: `attention, statistics of rows${rounded ? " in bf16" : ""}`,
    source: placesSource,
    entry: "attention_statistics",
    ...(rounded && { defines: { ROUNDED: 1 } }),
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
}

const [statisticsProgram, roundedStatisticsProgram] = [statisticsOf(false), statisticsOf(true)];

/** The program of the statistics for products of these operands. */
export function statisticsFor(operands: Operands) {
  return operands === "bf16" ? roundedStatisticsProgram : statisticsProgram;
}

/** Places that a block of {@link statisticsFor} has. */
export const STATISTICS_PLACES = 32;

const tiledPrograms = Object.values(programs)
  .flatMap((ofWidths) => Object.values(ofWidths).flatMap((each) => Object.values(each)))
  .map(({ program }) => program);

/** Every program of this folder, each once. */
export const attentionPrograms = [
  ...new Map(tiledPrograms.map((program) => [program.name, program])).values(),
  ...[received.program, combineProgram, receivedSumProgram, statisticsProgram, roundedStatisticsProgram],
];
