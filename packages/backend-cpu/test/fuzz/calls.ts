import type { NativeBindings } from "../../src/bindings.js";
import { type Argument, bytes, floats, ints, out, outBytes, outInts } from "./arguments.js";

/** What a call's shapes are made from. */
export interface Sizes {
  /** Rows or batches, often 0 or 1. */
  readonly rows: number;
  readonly width: number;
  readonly columns: number;
  readonly few: number;
  /** Chooses among kinds, and integers in a range. */
  readonly pick: (below: number) => number;
}

type Call = (sizes: Sizes) => Argument[];

const KINDS = ["none", "gelu-erf", "gelu-tanh", "quick-gelu", "silu"];
const STORAGES = ["bf16", "f16", "q8_0", "q4_0", "q4_1"] as const;
/** Bytes of 32 values. */
const BYTES = { bf16: 64, f16: 64, q8_0: 34, q4_0: 18, q4_1: 20 } as const;

/** Calls that move nothing: settings, and memory itself, which tests of their own cover. */
export const NOT_FUZZED = [
  "allocateBlock",
  "freeBlock",
  "blockBytes",
  "returnFreedMemory",
  "threadCount",
  "setThreadCount",
  "instructionSet",
  "instructionSets",
  "setInstructionSet",
  "setBf16Products",
  "bf16Products",
] as const;

const MOMENTS = ["bfloat16", "int8"] as const;
/** Words of packed moments. */
const PACKED = {
  bfloat16: (length: number) => Math.ceil(length / 2),
  int8: (length: number) => Math.ceil(length / 256) + Math.ceil(length / 4),
} as const;

/** Lengths of the tensors of a call that takes several. */
const tensorLengths = ({ rows, width, few, columns }: Sizes) =>
  [rows * width, few, columns].slice(0, 1 + (few % 3));

const numbered = (lengths: readonly number[], make: (length: number) => Argument): Argument =>
  Object.fromEntries(lengths.map((length, i) => [i, make(length)]));

function adamwSettings(lengths: readonly number[]): Argument {
  const each = (value: number) => numbered(lengths, () => value);
  const shared = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step: 3 };
  return { count: lengths.length, learningRates: each(1e-3), weightDecays: each(0.1), ...shared };
}

const kind = ({ pick }: Sizes) => KINDS[pick(KINDS.length)] as string;
const list = (length: number, value: (i: number) => number) =>
  ints(Array.from({ length }, (_, i) => value(i)));

/** Loops of a broadcast: axes of the first or the second operand may stand still. */
function broadcast({ rows, width, few, pick }: Sizes): {
  a: number;
  b: number;
  out: number;
  loops: Argument;
} {
  const sizes = [few, rows, width];
  const [still, mine] = [pick(3), pick(8)];
  const strides = (moves: (axis: number) => boolean) => {
    let stride = 1;
    const result = [0, 0, 0];
    for (const axis of [2, 1, 0]) {
      if (!moves(axis)) continue;
      result[axis] = stride;
      stride *= sizes[axis] as number;
    }
    return { result, length: stride };
  };
  const [a, b] = [strides((axis) => axis !== still), strides((axis) => ((mine >> axis) & 1) === 1)];
  const loops = sizes.flatMap((size, axis) => [size, a.result[axis] as number, b.result[axis] as number]);
  return { a: a.length, b: b.length, out: few * rows * width, loops: ints(loops) };
}

/** A permutation of three axes. */
function permuted({ rows, width, few, pick }: Sizes): Argument[] {
  const orders = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ];
  const order = orders[pick(6)] as number[];
  const sizes = [few, rows, width];
  const strides = [rows * width, width, 1];
  const shape = order.map((axis) => sizes[axis] as number) as [number, number, number];
  const to = [shape[1] * shape[2], shape[2], 1];
  const loops = order.flatMap((axis, i) => [sizes[axis] as number, strides[axis] as number, to[i] as number]);
  const [before, after] = [pick(5), pick(5)];
  const length = few * rows * width;
  return [floats(length + before), before, out(length + after), after, ints(loops)];
}

function attention({ rows, few, pick }: Sizes) {
  const keyHeads = 1 + pick(2);
  const heads = keyHeads * (1 + pick(3));
  const headWidth = 1 + pick(40);
  const samples = 1 + few;
  const cut = (total: number) => {
    const inner = Array.from({ length: samples - 1 }, () => pick(total + 1)).sort((a, b) => a - b);
    return ints([0, ...inner, total]);
  };
  const keys = pick(2) === 0 ? rows : rows + pick(20);
  const [query, key] = [rows * heads * headWidth, keys * keyHeads * headWidth];
  const offsets = cut(rows);
  const layout = {
    queryOffsets: offsets,
    keyOffsets: keys === rows ? offsets : cut(keys),
    heads,
    keyHeads,
    headWidth,
    scale: 0.3,
    causal: pick(2) === 0,
    window: pick(3) === 0 ? 1 + pick(9) : 0,
    softcap: pick(3) === 0 ? 5 : 0,
  };
  return { layout, query, key, keys, sums: rows * heads };
}

/** Buffers of keys and values, and new rows for them. */
function cached({ rows, few, pick }: Sizes) {
  const keyHeads = 1 + pick(2);
  const [heads, headWidth] = [keyHeads * (1 + pick(3)), 2 * (1 + pick(20))];
  const samples = 1 + few;
  const inner = Array.from({ length: samples - 1 }, () => pick(rows + 1)).sort((a, b) => a - b);
  const starts = Array.from({ length: samples }, () => pick(9));
  const room = rows + 8 + pick(3);
  const layout = {
    offsets: ints([0, ...inner, rows]),
    starts: ints(starts),
    room,
    heads,
    keyHeads,
    headWidth,
    scale: 0.3,
    window: pick(3) === 0 ? 1 + pick(9) : 0,
    softcap: pick(3) === 0 ? 5 : 0,
  };
  const [wide, narrow] = [heads * headWidth, keyHeads * headWidth];
  return { layout, wide, narrow, buffer: samples * room * narrow };
}

function decoderBlock(sizes: Sizes): Argument[] {
  const { rows, few, pick } = sizes;
  const { layout, wide, narrow, buffer } = cached(sizes);
  const [width, inner] = [32 * (1 + few), 32 * (1 + pick(2))];
  const shapes = {
    query: [wide, width],
    key: [narrow, width],
    value: [narrow, width],
    output: [width, wide],
    gate: [inner, width],
    up: [inner, width],
    down: [width, inner],
  } as const;
  const matrices = Object.entries(shapes).map(([name, [outputs, inputs]]) => {
    const storage = STORAGES[pick(STORAGES.length)] as (typeof STORAGES)[number];
    if (pick(2) === 0 || inputs % 32 !== 0) return [name, "f32", floats(outputs * inputs)] as const;
    const words = Math.ceil(((inputs / 32) * outputs * BYTES[storage]) / 4);
    return [name, storage, list(words, () => pick(0x7000) * 0x10000 + pick(0x7000))] as const;
  });
  const weights = {
    attentionNorm: floats(width),
    mlpNorm: floats(width),
    ...Object.fromEntries(matrices.map(([name, , values]) => [name, values])),
    ...Object.fromEntries(matrices.map(([name, storage]) => [`${name}Storage`, storage])),
  };
  const settings = {
    positions: list(rows, (i) => i),
    frequencies: floats(1 + pick(layout.headWidth / 2)),
    rotaryScale: 1,
    inner,
    epsilon: 1e-5,
    addOne: pick(2) === 0,
    activation: kind(sizes),
  };
  return [floats(rows * width), weights, layout, settings, out(buffer), out(buffer), out(rows * width)];
}

function crossEntropy({ rows, width, columns, pick }: Sizes) {
  const labels = list(rows, () => (pick(4) === 0 ? -100 : pick(columns)));
  return { labels, width, softcap: pick(2) * 5, chunkBytes: 1 << pick(24) };
}

function kl({ rows, width, columns, pick }: Sizes) {
  const [v, r, a] = [floats(rows * width), floats(rows * width), floats(rows)];
  return { v, r, vocabulary: floats(columns * width), a, width, chunkBytes: 1 << pick(24) };
}

function packed(sizes: Sizes) {
  const { rows, columns, few, pick } = sizes;
  const storage = STORAGES[pick(STORAGES.length)] as (typeof STORAGES)[number];
  const inputs = 32 * (1 + few);
  // Halves of a word that are no NaN and no infinity.
  const words = Math.ceil(((inputs / 32) * columns * BYTES[storage]) / 4);
  const weight = list(words, () => pick(0x7000) * 0x10000 + pick(0x7000));
  return { storage, inputs, weight, x: floats(rows * inputs), rows, columns };
}

const optional = ({ pick }: Sizes, length: number) => out(pick(2) * length);

/** Right calls of every function. */
export const CALLS: Readonly<Record<Exclude<keyof NativeBindings, (typeof NOT_FUZZED)[number]>, Call>> = {
  unary: ({ rows, width, pick }) => [pick(14), floats(rows * width), out(rows * width), -0.5, 0.5],
  accumulate: ({ rows, width }) => [floats(rows * width), out(rows * width)],
  binary: (sizes) => {
    const { a, b, out: length, loops } = broadcast(sizes);
    return [sizes.pick(7), floats(a), floats(b), out(length), loops];
  },
  compare: (sizes) => {
    const { a, b, out: length, loops } = broadcast(sizes);
    return [sizes.pick(6), floats(a), floats(b), outBytes(length), loops];
  },
  select: ({ rows, width }) => [
    bytes(rows),
    floats(rows * width),
    floats(rows * width),
    out(rows * width),
    width,
  ],
  castIntegers: ({ rows, pick }) => [list(rows, () => pick(1000) - 500), out(rows)],
  castBooleans: ({ rows }) => [bytes(rows), out(rows)],
  castFloats: ({ rows, width }) => [floats(rows * width), outInts(rows * width)],
  softmax: ({ rows, width }) => [floats(rows * width), out(rows * width), width],
  reduce: ({ rows, width, few, pick }) => {
    const [outer, n] = [1 + few, Math.max(rows, 1)];
    return [pick(3), floats(outer * n * width), out(outer * width), outer, n, width];
  },
  argMax: ({ rows, width, few }) => {
    const [outer, n] = [1 + few, Math.max(rows, 1)];
    return [floats(outer * n * width), outInts(outer * width), outer, n, width];
  },
  fill: ({ rows, width }) => [out(rows * width), 1.5],
  copyStrided: permuted,
  gather: ({ rows, width, columns, few, pick }) => {
    const ids = list(rows, () => pick(columns));
    return [floats(few * columns * width), ids, out(few * rows * width), few, columns, width];
  },
  segmentSum: ({ rows, width, columns, pick }) => [
    floats(rows * width),
    list(rows, () => pick(columns)),
    out(columns * width),
    width,
  ],
  matmul: ({ rows, width, columns, few, pick }) => {
    const [a, b] = pick(2) === 0 ? [1 + few, 1] : [1 + few, 1 + few];
    const sizes = [rows, columns, width];
    const [x, y, z] = [a * rows * width, b * width * columns, a * rows * columns];
    return [floats(x), floats(y), out(z), a, b, ...sizes, pick(2) === 0, pick(2) === 0];
  },
  dropout: ({ rows, width, pick }) => [
    pick(1 << 16),
    ...[pick(1 << 30), pick(1 << 30), pick(1 << 30), pick(1 << 30)],
    floats(rows * width),
    out(rows * width),
  ],
  activation: (s) => [kind(s), floats(s.rows * s.width), out(s.rows * s.width)],
  activationBackward: (s) => [
    kind(s),
    floats(s.rows * s.width),
    floats(s.rows * s.width),
    out(s.rows * s.width),
  ],
  gatedActivation: (s) => {
    const n = s.rows * s.width;
    return [kind(s), floats(n), floats(n), out(n)];
  },
  gatedActivationBackward: (s) => {
    const n = s.rows * s.width;
    return [kind(s), floats(n), floats(n), floats(n), out(n), out(n)];
  },
  squaredNorm: (s) => {
    const lengths = tensorLengths(s);
    return [lengths.length, numbered(lengths, floats), out(1)];
  },
  adamw: (s) => {
    const lengths = tensorLengths(s);
    const [parameter, gradient, m, v] = [out, floats, out, out].map((make) => numbered(lengths, make));
    return [adamwSettings(lengths), parameter, gradient, m, v, floats(2)] as Argument[];
  },
  adamwPacked: (s) => {
    const lengths = tensorLengths(s);
    const storage = MOMENTS[s.pick(2)] as (typeof MOMENTS)[number];
    const words = (length: number) => outInts(PACKED[storage](length));
    const [parameter, gradient, m, v] = [out, floats, words, words].map((make) => numbered(lengths, make));
    return [adamwSettings(lengths), storage, parameter, gradient, m, v, floats(2)] as Argument[];
  },
  rmsNorm: ({ rows, width, pick }) => [
    floats(rows * width),
    floats(width),
    1e-5,
    pick(2) === 0,
    out(rows * width),
    out(rows),
  ],
  rmsNormBackward: (s) => {
    const n = s.rows * s.width;
    return [floats(n), floats(n), floats(s.width), floats(s.rows), true, out(n), optional(s, s.width)];
  },
  layerNorm: ({ rows, width }) => {
    const n = rows * width;
    return [floats(n), floats(width), floats(width), 1e-5, out(n), out(rows), out(rows)];
  },
  layerNormBackward: (s) => {
    const { rows, width } = s;
    const [dy, x, y] = [floats(rows * width), floats(rows * width), out(rows * width)];
    const saved = [floats(width), floats(rows), floats(rows)];
    return [dy, x, ...saved, y, optional(s, width), optional(s, width)];
  },
  rotary: ({ rows, few, pick }) => {
    const [heads, half, rest] = [1 + few, 1 + pick(20), pick(5)];
    const n = rows * heads * (2 * half + rest);
    const positions = list(rows, () => pick(5000));
    return [floats(n), heads, positions, floats(half), 1, pick(2) === 0, out(n)];
  },
  splice: ({ rows, width, columns, few, pick }) => {
    const ids = list(rows, () => (few > 0 && pick(3) === 0 ? -1 - pick(few) : pick(columns)));
    return [floats(columns * width), floats(few * width), ids, width, out(rows * width)];
  },
  scatterAddRows: ({ rows, width, columns, pick }) => [
    floats(rows * width),
    list(rows, () => pick(columns + 1) - 1),
    width,
    out(columns * width),
  ],
  linear: (s) => {
    const { rows, width, columns, pick } = s;
    const [x, w, y] = [floats(rows * width), floats(columns * width), out(rows * columns)];
    return [x, w, floats(pick(2) * columns), rows, width, columns, kind(s), y];
  },
  linearBackward: ({ rows, width, columns }) => {
    const [dy, w, dx] = [floats(rows * columns), floats(columns * width), out(rows * width)];
    return [dy, w, rows, width, columns, dx];
  },
  packedLinear: (sizes) => {
    const { x, weight, storage, rows, inputs, columns } = packed(sizes);
    const bias = floats(sizes.pick(2) * columns);
    return [x, weight, bias, storage, rows, inputs, columns, out(rows * columns)];
  },
  packedLinearBackward: (sizes) => {
    const { weight, storage, rows, inputs, columns } = packed(sizes);
    return [floats(rows * columns), weight, storage, rows, inputs, columns, out(rows * inputs)];
  },
  packedRows: (sizes) => {
    const { weight, storage, rows, inputs, columns } = packed(sizes);
    const ids = list(rows, () => sizes.pick(columns));
    return [weight, storage, columns, inputs, ids, out(rows * inputs)];
  },
  cachedAttention: (sizes) => {
    const { layout, wide, narrow, buffer } = cached(sizes);
    const [q, rows] = [floats(sizes.rows * wide), floats(sizes.rows * narrow)];
    return [q, rows, rows, layout, out(buffer), out(buffer), out(sizes.rows * wide)];
  },
  decoderBlock,
  attention: (sizes) => {
    const { layout, query, key, sums } = attention(sizes);
    return [floats(query), floats(key), floats(key), layout, out(query), out(sums)];
  },
  attentionReceived: (sizes) => {
    const { layout, query, key, keys, sums } = attention(sizes);
    const counts = list(sizes.rows, () => sizes.pick(2));
    const from = list(keys, () => sizes.pick(sizes.rows + 1));
    const inputs = [floats(query), floats(key), floats(key)];
    return [...inputs, layout, counts, from, out(query), out(sums), out(keys)];
  },
  attentionBackward: (sizes) => {
    const { layout, query, key, sums } = attention(sizes);
    const saved = [floats(query), floats(query), floats(key), floats(key), floats(query), floats(sums)];
    return [...saved, layout, out(query), out(key), out(key)];
  },
  linearCrossEntropy: (s) => {
    const inputs = [floats(s.rows * s.width), floats(s.columns * s.width)];
    return [...inputs, crossEntropy(s), out(s.rows), out(s.rows), optional(s, s.rows * s.width)];
  },
  linearCrossEntropyBackward: (s) => {
    const inputs = [floats(s.rows), floats(s.rows * s.width), floats(s.columns * s.width), floats(s.rows)];
    return [...inputs, crossEntropy(s), optional(s, s.rows * s.width), optional(s, s.columns * s.width)];
  },
  direction: ({ rows, width }) => [
    floats(rows * width),
    floats(rows * width),
    floats(rows),
    width,
    out(rows),
  ],
  directionBackward: (s) => {
    const n = s.rows * s.width;
    return [floats(s.rows), floats(n), floats(n), floats(s.rows), s.width, out(n), optional(s, n)];
  },
  linearKl: (s) => {
    const sums = [out(s.rows), out(s.rows), out(s.rows), out(s.rows)];
    return [kl(s), ...sums, optional(s, s.rows * s.width)];
  },
  linearKlBackward: (s) => {
    const saved = [floats(s.rows), floats(s.rows), floats(s.rows), floats(s.rows)];
    return [kl(s), ...saved, out(s.rows * s.width), optional(s, s.rows * s.width)];
  },
};
