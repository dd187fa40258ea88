import { offsetsOf } from "../offsets.js";
import { seededValues } from "./case-values.js";
import type { InputSpec, KernelCase } from "./contract.js";
import type { DecoderBlockAttrs, DecoderBlockInput, DecoderBlockMatrix } from "./decoder-block.js";
import { packers, type Storage } from "./quantised.js";

interface BlockShape {
  readonly title: string;
  /** New rows of each sample, and those in the buffers. */
  readonly rows: readonly number[];
  readonly starts: readonly number[];
  readonly room: number;
  readonly width: number;
  readonly heads: readonly [heads: number, kvHeads: number, width: number];
  readonly inner: number;
  /** Of all matrices. Default f32. */
  readonly storage?: Storage;
  /** Of the two last ones. */
  readonly mixed?: Storage;
  readonly changes?: Partial<DecoderBlockAttrs>;
}

const shapes: readonly BlockShape[] = [
  { title: "f32, one row", rows: [1], starts: [5], room: 8, width: 12, heads: [3, 1, 4], inner: 20 },
  { title: "f32, first rows", rows: [7], starts: [0], room: 9, width: 9, heads: [2, 2, 6], inner: 11 },
  {
    title: "two samples, window, softcap, gelu and part of a head turns",
    rows: [2, 1],
    starts: [3, 6],
    room: 7,
    width: 10,
    heads: [4, 2, 6],
    inner: 12,
    changes: {
      window: 4,
      softcap: 5,
      activation: "gelu-tanh",
      addOne: true,
      frequencies: Float32Array.of(1, 0.1),
    },
  },
  ...(["bf16", "f16"] as const).map((storage) => ({
    title: `${storage}, one row`,
    rows: [1],
    starts: [2],
    room: 4,
    width: 9,
    heads: [3, 1, 4] as const,
    inner: 7,
    storage,
  })),
  ...(["q8_0", "q4_0", "q4_1"] as const).map((storage) => ({
    title: `${storage}, one row`,
    rows: [1],
    starts: [3],
    room: 4,
    width: 64,
    heads: [4, 2, 16] as const,
    inner: 96,
    storage,
  })),
  {
    title: "q4_1 and bf16, three samples of which one has no new rows",
    rows: [1, 0, 3],
    starts: [2, 1, 0],
    room: 3,
    width: 32,
    heads: [2, 1, 16],
    inner: 64,
    storage: "q4_1",
    mixed: "bf16",
  },
  { title: "no rows", rows: [0], starts: [1], room: 2, width: 4, heads: [1, 1, 4], inner: 3 },
];

/** Cases of `decoderBlock`. */
export function decoderBlockCases(): readonly KernelCase<DecoderBlockInput, DecoderBlockAttrs>[] {
  return shapes.map((shape) => {
    const { title, rows, starts, room, width, heads, inner, changes } = shape;
    const [count, kvHeads, headWidth] = heads;
    const total = rows.reduce((sum, own) => sum + own, 0);
    const buffer = { shape: [rows.length, room, kvHeads * headWidth] };
    const [wide, narrow] = [count * headWidth, kvHeads * headWidth];
    const sizes: Readonly<Record<DecoderBlockMatrix, readonly [number, number]>> = {
      query: [wide, width],
      key: [narrow, width],
      value: [narrow, width],
      output: [width, wide],
      gate: [inner, width],
      up: [inner, width],
      down: [width, inner],
    };
    const names = Object.keys(sizes) as DecoderBlockMatrix[];
    const storageOf = (index: number): Storage =>
      (index >= 5 ? shape.mixed : undefined) ?? shape.storage ?? "f32";
    const norm = { shape: [width] };
    return {
      title,
      inputs: {
        x: { shape: [total, width] },
        keys: buffer,
        values: buffer,
        attentionNorm: norm,
        mlpNorm: norm,
        ...(Object.fromEntries(
          names.map((name, i) => [name, matrix(sizes[name], storageOf(i), i)]),
        ) as Record<DecoderBlockMatrix, InputSpec>),
      },
      attrs: {
        ...layoutOf(rows, starts),
        frequencies: Float32Array.from({ length: headWidth / 2 }, (_, i) => 100 ** ((-2 * i) / headWidth)),
        rotaryScale: 1,
        heads: count,
        kvHeads,
        headWidth,
        inner,
        scale: headWidth ** -0.5,
        window: 0,
        softcap: 0,
        epsilon: 1e-5,
        addOne: false,
        activation: "silu",
        ...(Object.fromEntries(names.map((name, i) => [`${name}Storage`, storageOf(i)])) as Pick<
          DecoderBlockAttrs,
          `${DecoderBlockMatrix}Storage`
        >),
        ...changes,
      },
    };
  });
}

function layoutOf(rows: readonly number[], starts: readonly number[]) {
  const positions = rows.flatMap((own, s) =>
    Array.from({ length: own }, (_, i) => (starts[s] as number) + i),
  );
  return { offsets: offsetsOf(rows), starts: Int32Array.from(starts), positions: Int32Array.from(positions) };
}

/** A matrix whose products are about as large as its inputs. */
function matrix(shape: readonly [number, number], storage: Storage, seed: number): InputSpec {
  const scale = shape[1] ** -0.5;
  if (storage === "f32") return { shape, scale };
  const words = Array.from(packers[storage](seededValues(shape[0] * shape[1], seed, scale)));
  return { shape: [words.length], values: words, dtype: "int32" };
}
