import {
  type Attributes,
  adamw,
  attention,
  direction,
  embedding,
  frozenLinear,
  gatedActivation,
  type KernelContract,
  linear,
  linearCrossEntropy,
  linearKl,
  rmsNorm,
  rotary,
  runKernel,
  squaredNorm,
  valueAndGradients,
  wordCount,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { startedBackend } from "../src/index.js";

/** Sizes that the timed kernels are run at. */
export interface ModelSize {
  /** Packed rows of a batch. */
  readonly rows: number;
  readonly width: number;
  readonly heads: number;
  /** Width of the gated MLP. */
  readonly inner: number;
  readonly words: number;
}

/** A layer of LLaVA-1.5-7B (hidden size 4096, 32 heads, MLP 11008, 32000 words) on three samples of some 680 rows. */
export const LLAVA_7B: ModelSize = { rows: 2048, width: 4096, heads: 32, inner: 11_008, words: 32_000 };

/** For the emulator, which only shows that the measurement runs. */
export const TINY: ModelSize = { rows: 8, width: 64, heads: 2, inner: 96, words: 64 };

/** What was measured of one kernel. */
export interface Timing {
  readonly name: string;
  /** Median of the rounds, of one call. */
  readonly ms: number;
  /** Floating-point operations of the products of a call; 0 for kernels that only pass over memory. */
  readonly flops: number;
  /** Bytes of the tensors that a call reads and writes, each once. */
  readonly bytes: number;
  /** Kernels and products that a call launches. */
  readonly launches: number;
}

/** Something to time: `run` is one call. */
interface Timed {
  readonly name: string;
  readonly flops: number;
  /** Tensors that it reads, and how often arrays of their size are written or read besides. */
  readonly bytes: number;
  readonly run: () => tf.Tensor[];
}

/**
 * Times kernels of the started CUDA backend: rounds of calls that are enqueued one after the other, ended by one wait.
 * A kernel that is shorter than its launch takes on the host shows the time of the host.
 */
export async function timeKernels(size: ModelSize, { rounds = 5, roundMs = 100 } = {}): Promise<Timing[]> {
  const timings: Timing[] = [];
  for (const open of CASES) {
    const before = tf.engine().state.numTensors;
    const cases = open(size);
    for (const each of cases.timed) timings.push(await timeOne(each, rounds, roundMs));
    tf.dispose([...cases.tensors]);
    const left = tf.engine().state.numTensors - before;
    if (left !== 0) throw new Error(`The timing of ${cases.timed[0]?.name} leaks ${left} tensors.`);
  }
  return timings;
}

async function timeOne({ name, flops, bytes, run }: Timed, rounds: number, roundMs: number): Promise<Timing> {
  const { session } = startedBackend();
  const call = () => tf.dispose(run());
  call();
  session.synchronize();
  const launchesBefore = session.launches;
  const once = elapsed(call);
  const launches = session.launches - launchesBefore;
  const repeats = Math.max(1, Math.min(200, Math.floor(roundMs / once)));
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const total = elapsed(() => {
      for (let i = 0; i < repeats; i++) call();
    });
    times.push(total / repeats);
    // Other work of the process gets its turn.
    await new Promise(setImmediate);
  }
  times.sort((a, b) => a - b);
  return { name, ms: times[Math.floor(times.length / 2)] ?? Number.NaN, flops, bytes, launches };
}

function elapsed(action: () => void): number {
  const from = performance.now();
  action();
  startedBackend().session.synchronize();
  return performance.now() - from;
}

interface Opened {
  readonly tensors: readonly tf.Tensor[];
  readonly timed: readonly Timed[];
}

const CASES: readonly ((size: ModelSize) => Opened)[] = [
  openLinear,
  openFrozenLinear,
  openRows,
  openGated,
  openAttention,
  openCrossEntropy,
  openKl,
  openDirection,
  openUpdate,
  openStock,
];

const random = (...shape: number[]) => tf.randomNormal(shape, 0, 1, "float32", 7);
const bytesOf = (...tensors: readonly tf.Tensor[]) => tensors.reduce((sum, { size }) => sum + 4 * size, 0);

function call<Name extends string, Attrs extends Attributes>(
  contract: KernelContract<Name, Attrs>,
  inputs: Readonly<Record<NoInfer<Name>, tf.Tensor>>,
  attrs: NoInfer<Attrs>,
): tf.Tensor[] {
  return [...runKernel(contract, inputs, attrs)];
}

/** A call and its gradients by `parameters`, for a loss that is the sum of the first output. */
function withGradients(forward: () => tf.Tensor[], parameters: readonly tf.Tensor[]): tf.Tensor[] {
  const loss = () => tf.sum(forward()[0] as tf.Tensor) as tf.Scalar;
  const { value, gradients } = valueAndGradients(loss, parameters);
  return [value, ...gradients];
}

function openLinear({ rows, width, inner }: ModelSize): Opened {
  const [x, weight] = [random(rows, width), random(inner, width)];
  const forward = () => call(linear, { x, weight }, { activation: "none" });
  const [flops, bytes] = [2 * rows * width * inner, bytesOf(x, weight) + 4 * rows * inner];
  return {
    tensors: [x, weight],
    timed: [
      { name: `linear ${rows}x${width}x${inner}`, flops, bytes, run: forward },
      {
        name: `linear ${rows}x${width}x${inner}, with gradients of x and W`,
        flops: 3 * flops,
        bytes: 3 * bytes,
        run: () => withGradients(forward, [x, weight]),
      },
    ],
  };
}

function openFrozenLinear({ rows, width, inner }: ModelSize): Opened {
  const x = random(rows, width);
  const row = random(1, width);
  const opened = (["bf16", "f16", "q8_0", "q4_0"] as const).map((storage) => {
    const weight = tf.zeros([wordCount(storage, inner * width)], "int32");
    const attrs = { storage, inFeatures: width, outFeatures: inner };
    const timed = [x, row].map((input) => {
      const count = input.shape[0] as number;
      return {
        name: `frozen linear ${count}x${width}x${inner}, ${storage}`,
        flops: 2 * count * width * inner,
        bytes: bytesOf(input, weight) + 4 * count * inner,
        run: () => call(frozenLinear, { x: input, weight }, attrs),
      };
    });
    return { weight, timed };
  });
  return {
    tensors: [x, row, ...opened.map(({ weight }) => weight)],
    timed: opened.flatMap(({ timed }) => timed),
  };
}

function openRows({ rows, width, heads, words }: ModelSize): Opened {
  const [x, weight, table] = [random(rows, width), random(width), random(words, width)];
  const ids = Int32Array.from({ length: rows }, (_, row) => (row * 7919) % words);
  const turned = {
    heads,
    rotaryWidth: width / heads,
    positions: Int32Array.from({ length: rows }, (_, row) => row),
    frequencies: Float32Array.from(
      { length: width / heads / 2 },
      (_, i) => 10_000 ** ((-2 * i * heads) / width),
    ),
    scale: 1,
    inverse: false,
  };
  const norm = () => call(rmsNorm, { x, weight }, { epsilon: 1e-5, addOne: false });
  const size = bytesOf(x);
  return {
    tensors: [x, weight, table],
    timed: [
      { name: `rms norm ${rows}x${width}`, flops: 0, bytes: 2 * size, run: norm },
      {
        name: `rms norm ${rows}x${width}, with gradients`,
        flops: 0,
        bytes: 5 * size,
        run: () => withGradients(norm, [x, weight]),
      },
      { name: `rotary ${rows}x${width}`, flops: 0, bytes: 2 * size, run: () => call(rotary, { x }, turned) },
      {
        name: `embedding ${rows}x${width}`,
        flops: 0,
        bytes: 2 * size,
        run: () => call(embedding, { table }, { ids }),
      },
    ],
  };
}

function openGated({ rows, inner }: ModelSize): Opened {
  const [gate, up] = [random(rows, inner), random(rows, inner)];
  const forward = () => call(gatedActivation, { gate, up }, { kind: "silu" });
  const size = bytesOf(gate);
  return {
    tensors: [gate, up],
    timed: [
      { name: `gated silu ${rows}x${inner}`, flops: 0, bytes: 3 * size, run: forward },
      {
        name: `gated silu ${rows}x${inner}, with gradients`,
        flops: 0,
        bytes: 8 * size,
        run: () => withGradients(forward, [gate, up]),
      },
    ],
  };
}

function openAttention({ rows, width, heads }: ModelSize): Opened {
  const [q, k, v] = [random(rows, width), random(rows, width), random(rows, width)];
  const offsets = Int32Array.of(0, rows);
  const plain = { qOffsets: offsets, kvOffsets: offsets, heads, kvHeads: heads };
  const attrs = { ...plain, scale: Math.sqrt(heads / width), causal: true, window: 0, softcap: 0 };
  const forward = () => call(attention, { q, k, v }, attrs);
  // Two products over the pairs that see each other; five more backwards.
  const product = rows * (rows + 1) * width;
  return {
    tensors: [q, k, v],
    timed: [
      {
        name: `causal attention ${rows} rows, ${heads} heads of ${width / heads}`,
        flops: 2 * product,
        bytes: 4 * bytesOf(q),
        run: forward,
      },
      {
        name: `causal attention ${rows} rows, ${heads} heads of ${width / heads}, with gradients`,
        flops: 7 * product,
        bytes: 12 * bytesOf(q),
        run: () => withGradients(forward, [q, k, v]),
      },
    ],
  };
}

function openCrossEntropy({ rows, width, words }: ModelSize): Opened {
  const [x, weight] = [random(rows, width), random(words, width)];
  const labels = Int32Array.from({ length: rows }, (_, row) => (row * 7919) % words);
  const attrs = { labels, softcap: 0, chunkBytes: 64 * 2 ** 20, withSlope: true };
  return {
    tensors: [x, weight],
    timed: [
      {
        name: `linear cross-entropy ${rows} rows, ${words} words, with the gradient of x`,
        flops: 4 * rows * width * words,
        bytes: 2 * bytesOf(x, weight),
        run: () => withGradients(() => call(linearCrossEntropy, { x, weight }, attrs), [x]),
      },
    ],
  };
}

function openKl({ rows, width, words }: ModelSize): Opened {
  const visual = Math.ceil(rows / 2);
  const [v, r, vocabulary] = [random(visual, width), random(visual, width), random(words, width)];
  const a = tf.ones([visual]);
  const attrs = { chunkBytes: 64 * 2 ** 20, withSlope: true };
  return {
    tensors: [v, r, vocabulary, a],
    timed: [
      {
        name: `linear KL (DAS) ${visual} rows, ${words} words, with the gradient of v`,
        flops: 6 * visual * width * words,
        bytes: 2 * bytesOf(v, r, vocabulary),
        run: () => withGradients(() => call(linearKl, { v, r, vocabulary, a }, attrs), [v]),
      },
    ],
  };
}

function openDirection({ rows, width }: ModelSize): Opened {
  const [v, r, a] = [random(rows, width), random(rows, width), tf.ones([rows])];
  return {
    tensors: [v, r, a],
    timed: [
      {
        name: `direction (SDS) ${rows}x${width}, with the gradient of v`,
        flops: 0,
        bytes: 5 * bytesOf(v),
        run: () => withGradients(() => call(direction, { v, r, a }, {}), [v]),
      },
    ],
  };
}

function openUpdate({ width, inner }: ModelSize): Opened {
  const names = ["parameter0", "gradient0", "m0", "v0"] as const;
  const [parameter0, gradient0, m0, v0] = names.map(() => tf.zeros([inner, width])) as [
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
  ];
  const control = tf.tensor1d([1, 1]);
  const one = Float64Array.of(1e-3);
  const decay = { learningRates: one, weightDecays: one, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
  const inputs = { parameter0, gradient0, m0, v0, control };
  const update = () => call(adamw, inputs, { ...decay, step: 1, moments: "float32" });
  const size = bytesOf(parameter0);
  return {
    tensors: [parameter0, gradient0, m0, v0, control],
    timed: [
      { name: `AdamW of ${inner}x${width}`, flops: 0, bytes: 7 * size, run: update },
      {
        name: `squared norm of ${inner}x${width}`,
        flops: 0,
        bytes: size,
        run: () => call(squaredNorm, { x0: gradient0 }, {}),
      },
    ],
  };
}

function openStock({ rows, width }: ModelSize): Opened {
  const [a, b] = [random(rows, width), random(width)];
  const size = bytesOf(a);
  return {
    tensors: [a, b],
    timed: [
      { name: `add ${rows}x${width} and a row`, flops: 0, bytes: 2 * size, run: () => [tf.add(a, b)] },
      { name: `sum of rows ${rows}x${width}`, flops: 0, bytes: size, run: () => [tf.sum(a, 1)] },
      { name: `transpose ${rows}x${width}`, flops: 0, bytes: 2 * size, run: () => [tf.transpose(a)] },
    ],
  };
}
