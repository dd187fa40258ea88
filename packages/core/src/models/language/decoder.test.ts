import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { valueAndGradients } from "../../autodiff.js";
import { registerStockGradients } from "../../gradients.js";
import { packQ8_0, unpack } from "../../kernels/quantised.js";
import { setFallback } from "../../kernels/run.js";
import { parameterShapes, randomValues, type ValueSource } from "../../layers/builder.js";
import { createRandom } from "../../random.js";
import type { Observe, PackedRows } from "../interfaces.js";
import { type DecoderConfig, decoderConfig } from "./config.js";
import { createDecoder, type Decoder } from "./decoder.js";

const config = decoderConfig({
  vocabularySize: 11,
  width: 8,
  depth: 3,
  heads: 2,
  keyValueHeads: 1,
  inner: 12,
  initialStd: 0.4,
});

/** `t I I t t` and `I I t`. */
const packed: PackedRows = {
  ids: Int32Array.of(5, -1, -2, 6, 7, -3, -4, 2),
  offsets: Int32Array.of(0, 5, 8),
  positions: Int32Array.of(0, 1, 2, 3, 4, 0, 1, 2),
  images: [
    { sample: 0, start: 1, length: 2 },
    { sample: 1, start: 5, length: 2 },
  ],
  countsAsText: Int32Array.of(1, 0, 0, 1, 1, 0, 0, 1),
  labels: Int32Array.of(-100, -100, 6, 7, -100, -100, 2, -100),
};
const visualValues = createRandom(1, "visual").fillNormal(new Float32Array(4 * 8), 0.5);
const observe: Observe = {
  layerWeights: [0.2, 0.8],
  patchWeights: true,
  stopGradient: true,
  blocks: [0, 2, 3],
};

let decoder: Decoder;
let visual: tf.Tensor2D;

beforeAll(async () => {
  await tf.setBackend("cpu");
  registerStockGradients();
  setFallback("reference");
  decoder = createDecoder(config, { seed: 2 });
  visual = tf.tensor2d(visualValues, [4, 8]);
});

afterAll(() => {
  decoder.parameters.dispose();
  visual.dispose();
});

function expectClose(actual: tf.Tensor, expected: ArrayLike<number>, digits = 5): void {
  const values = actual.dataSync();
  expect(values).toHaveLength(expected.length);
  for (const [i, value] of values.entries()) expect(value).toBeCloseTo(expected[i] ?? Number.NaN, digits);
}

/** Text of one sample after the other. */
function textRows(...samples: readonly (readonly number[])[]): PackedRows {
  const ids = Int32Array.from(samples.flat());
  return {
    ids,
    offsets: Int32Array.from([0, ...samples.map((_, i) => samples.slice(0, i + 1).flat().length)]),
    positions: Int32Array.from(samples.flatMap((sample) => sample.map((_, i) => i))),
    images: [],
    countsAsText: ids.map(() => 1),
    labels: ids.map(() => -100),
  };
}

describe("forward", () => {
  it("treats packed samples as if each were alone", () => {
    const together = decoder.forward({ packed: textRows([1, 2, 3], [4, 5]), visual: null }).hidden;
    const first = decoder.forward({ packed: textRows([1, 2, 3]), visual: null }).hidden;
    const second = decoder.forward({ packed: textRows([4, 5]), visual: null }).hidden;
    expectClose(together, [...first.dataSync(), ...second.dataSync()]);
  });

  it("averages the visual rows of blocks 1 to k into the refined embeddings", () => {
    const { refined } = decoder.forward({ packed, visual }, observe);
    const states = decoder.hiddenStates({ packed, visual });
    const rows = tf.tensor1d([1, 2, 5, 6], "int32");
    const [one, two] = [1, 2].map((block) => tf.gather(states[block] as tf.Tensor2D, rows).dataSync());
    expectClose(
      refined as tf.Tensor,
      Float32Array.from(one ?? [], (value, i) => 0.2 * value + 0.8 * (two?.[i] ?? 0)),
    );
  });

  it("gives the visual rows after the blocks that were asked for, block 0 being the input", () => {
    const { blocks } = decoder.forward({ packed, visual }, observe);
    expect([...blocks.keys()]).toEqual([0, 2, 3]);
    expectClose(blocks.get(0) as tf.Tensor, visualValues);
  });

  it("gives each patch the mean attention of the text after its image", () => {
    const { patchWeights } = decoder.forward({ packed, visual }, { ...observe, layerWeights: [1] });
    expectClose(patchWeights as tf.Tensor, naivePatchWeights(decoder, visual));
  });

  it("observes nothing in a batch without images", () => {
    const result = decoder.forward({ packed: textRows([1, 2]), visual: null }, observe);
    expect([result.refined, result.patchWeights, result.blocks.size]).toEqual([undefined, undefined, 0]);
  });

  it("sends no gradient through the refined embeddings unless it is asked to", () => {
    const gradient = (stopGradient: boolean) => {
      const { gradients } = valueAndGradients(() => {
        const { refined } = decoder.forward({ packed, visual }, { ...observe, stopGradient });
        return tf.sum(tf.square(refined as tf.Tensor)) as tf.Scalar;
      }, [visual]);
      return Math.max(...(gradients[0] as tf.Tensor).dataSync());
    };
    expect(gradient(true)).toBe(0);
    expect(gradient(false)).toBeGreaterThan(0.01);
  });

  it("has the same gradient for visual embeddings whether the model is frozen or not", () => {
    const gradient = (trainable: boolean) => {
      decoder.parameters.setTrainable(trainable);
      const loss = () => tf.sum(tf.square(decoder.forward({ packed, visual }).hidden)) as tf.Scalar;
      return valueAndGradients(loss, [visual]).gradients[0] as tf.Tensor;
    };
    const trained = gradient(true);
    expectClose(gradient(false), trained.dataSync(), 4);
    decoder.parameters.setTrainable(true);
  });

  it("leaks no tensors", () => {
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      const { hidden, refined, patchWeights, blocks } = decoder.forward({ packed, visual }, observe);
      tf.dispose([hidden, refined as tf.Tensor, patchWeights as tf.Tensor, ...blocks.values()]);
    });
    const { value, gradients } = valueAndGradients(
      () => tf.sum(decoder.forward({ packed, visual }, observe).hidden) as tf.Scalar,
      [visual, decoder.vocabulary],
    );
    tf.dispose([value, ...gradients]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("explains an observation that it cannot make", () => {
    const run = (part: Partial<Observe>) => () =>
      decoder.forward({ packed, visual }, { ...observe, ...part });
    expect(run({ layerWeights: [1, 1, 1, 1] })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: forward: 4 layer weights were given for a model of 3 blocks. [E_CONFIG]]`,
    );
    expect(run({ layerWeights: [] })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: forward: patch weights are averaged over the blocks of \`layerWeights\`, which is empty. Give at least one. [E_CONFIG]]`,
    );
    expect(run({ blocks: [4] })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: forward: block 4 was asked for; blocks are 0 (input) to 3. [E_CONFIG]]`,
    );
  });

  it("explains visual embeddings of another width", () => {
    expect(() => decoder.forward({ packed, visual: tf.zeros([4, 6]) })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: forward: visual embeddings have width 6, the language model has 8. Make the projector's width equal. [E_SHAPE]]`,
    );
  });
});

describe("recompute", () => {
  /** Everything that training reads: hidden states, refined rows with their gradient, patch weights. */
  const lossOf = (own: Decoder, rows: tf.Tensor2D): tf.Scalar => {
    const { hidden, refined, patchWeights } = own.forward(
      { packed, visual: rows },
      { ...observe, stopGradient: false },
    );
    const watched = tf.mul(tf.reshape(patchWeights as tf.Tensor1D, [-1, 1]), refined as tf.Tensor2D);
    return tf.add(tf.sum(tf.square(hidden)), tf.sum(tf.square(watched))) as tf.Scalar;
  };

  it.each([true, false])(
    "gives the same loss and gradients, bit for bit, where weights train: %s",
    async (trainable) => {
      const own = createDecoder(config, { seed: 2 });
      own.parameters.setTrainable(trainable);
      const weights = trainable ? [...own.parameters].map(({ value }) => value) : [];
      const run = async (recompute: boolean): Promise<Float32Array[]> => {
        own.recompute = recompute;
        const { value, gradients } = valueAndGradients(() => lossOf(own, visual), [visual, ...weights]);
        const host = await Promise.all([value, ...gradients].map((tensor) => tensor.data<"float32">()));
        tf.dispose([value, ...gradients]);
        return host;
      };
      const before = tf.memory().numTensors;
      const plain = await run(false);
      expect(await run(true)).toEqual(plain);
      expect(plain[1]?.every((value) => value !== 0)).toBe(true);
      expect(tf.memory().numTensors).toBe(before);
      own.parameters.dispose();
    },
  );

  it("holds less while the gradient waits, and generates with a cache as ever", () => {
    const own = createDecoder({ ...config, depth: 6, windows: new Array(6).fill(0) }, { seed: 2 });
    const weights = [...own.parameters].map(({ value }) => value);
    const held = (recompute: boolean): number => {
      own.recompute = recompute;
      const before = tf.memory().numBytes;
      let after = 0;
      const loss = () => {
        const { hidden } = own.forward({ packed, visual });
        const sum = tf.sum(hidden) as tf.Scalar;
        after = tf.memory().numBytes - before;
        return sum;
      };
      const { value, gradients } = valueAndGradients(loss, weights);
      tf.dispose([value, ...gradients]);
      return after;
    };
    expect(held(true)).toBeLessThan(0.5 * held(false));
    const cache = own.createCache();
    own.forward({ packed: textRows([1, 2]), visual: null, cache }).hidden.dispose();
    expect(cache.length).toBe(2);
    cache.dispose();
    own.parameters.dispose();
  });
});

describe("the key-value cache", () => {
  it("gives the hidden states of the whole sample, row by row", () => {
    const ids = [3, 1, 4, 1, 5];
    const whole = decoder.forward({ packed: textRows(ids), visual: null }).hidden;
    const cache = decoder.createCache();
    const first = decoder.forward({ packed: textRows(ids.slice(0, 2)), visual: null, cache }).hidden;
    const rest = ids.slice(2).map((id, i) => {
      const step = { ...textRows([id]), positions: Int32Array.of(2 + i) };
      return decoder.forward({ packed: step, visual: null, cache }).hidden;
    });
    expect(cache.length).toBe(5);
    expectClose(tf.concat([first, ...rest], 0), whole.dataSync());
    cache.dispose();
    expect(cache.length).toBe(0);
  });

  it("is freed whole", () => {
    const before = tf.memory().numTensors;
    const cache = decoder.createCache();
    decoder.forward({ packed: textRows([1, 2]), visual: null, cache }).hidden.dispose();
    const step = { ...textRows([3]), positions: Int32Array.of(2) };
    decoder.forward({ packed: step, visual: null, cache }).hidden.dispose();
    cache.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("holds several samples of any lengths, and more rows than it began with room for", () => {
    const ids = Array.from({ length: 90 }, (_, i) => (7 * i + 3) % 11);
    const cache = decoder.createCache(3);
    const run = (parts: readonly (readonly number[])[]) => {
      const rows = textRows(...parts);
      const positions = parts.flatMap((part, s) => part.map((_, i) => (cache.lengths[s] ?? 0) + i));
      const input = { packed: { ...rows, positions: Int32Array.from(positions) }, visual: null, cache };
      return decoder.forward(input).hidden;
    };
    run([ids.slice(0, 2), ids.slice(0, 60), ids.slice(5, 9)]);
    run([[], ids.slice(60, 61), ids.slice(9, 10)]);
    const last = run([ids.slice(2, 3), ids.slice(61), []]);
    expect(cache.lengths).toEqual([3, 90, 5]);
    const whole = (own: readonly number[]) => decoder.forward({ packed: textRows(own), visual: null }).hidden;
    const rows = [tf.slice(whole(ids.slice(0, 3)), [2, 0]), tf.slice(whole(ids), [61, 0])];
    expectClose(last, tf.concat(rows, 0).dataSync());
    cache.dispose();
  });

  it("goes on from fewer rows", () => {
    const cache = decoder.createCache();
    decoder.forward({ packed: textRows([1, 2, 3, 4]), visual: null, cache }).hidden.dispose();
    cache.truncate(2);
    const step = { ...textRows([5]), positions: Int32Array.of(2) };
    const { hidden } = decoder.forward({ packed: step, visual: null, cache });
    const whole = decoder.forward({ packed: textRows([1, 2, 5]), visual: null }).hidden;
    expectClose(hidden, tf.slice(whole, [2, 0]).dataSync());
    expect(() => cache.truncate(4)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: truncate: cannot keep 4 rows of sample 0 of the cache: it holds 3 rows. [E_INDEX_RANGE]]`,
    );
    expect(() => cache.truncate(0, 1)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: truncate: cannot keep 0 rows of sample 1 of the cache: it has 1 samples. [E_INDEX_RANGE]]`,
    );
    expect(() => decoder.createCache(0)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: createCache: the number of samples must be a whole number of at least 1, got 0. Correct it. [E_CONFIG]]`,
    );
    cache.dispose();
  });

  it("runs the parts of a block where a kernel for all of it lacks something", () => {
    const ids = [3, 1, 4, 1, 5];
    for (const changes of [
      { inputBias: true },
      { headNorm: true },
      { sandwichNorms: true, normAddOne: true },
    ]) {
      const own = createDecoder({ ...config, ...changes }, { seed: 4 });
      const whole = own.forward({ packed: textRows(ids), visual: null }).hidden;
      const cache = own.createCache();
      own.forward({ packed: textRows(ids.slice(0, 4)), visual: null, cache }).hidden.dispose();
      const step = { ...textRows([5]), positions: Int32Array.of(4) };
      const { hidden } = own.forward({ packed: step, visual: null, cache });
      expectClose(hidden, tf.slice(whole, [4, 0]).dataSync());
      cache.dispose();
      own.parameters.dispose();
    }
  });

  it("refuses other samples than it was made for, gaps and observation", () => {
    const cache = decoder.createCache();
    const run = (rows: PackedRows) => () => decoder.forward({ packed: rows, visual: null, cache });
    expect(run(textRows([1], [2]))).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: forward: a cache for 1 samples got 2. Make it with createCache(samples), and keep a place for samples without new rows. [E_SHAPE]]`,
    );
    expect(run({ ...textRows([1]), positions: Int32Array.of(3) })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: forward: the cache holds 0 rows, so row 0 stands at position 0, but \`positions\` says 3. Count on from the cached rows without gaps. [E_INDEX_RANGE]]`,
    );
    expect(
      run({ ...textRows([1, 2, 3]), positions: Int32Array.of(0, 1, 3) }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: forward: the cache holds 0 rows, so row 2 stands at position 2, but \`positions\` says 3. Count on from the cached rows without gaps. [E_INDEX_RANGE]]`,
    );
    expect(() => decoder.forward({ packed, visual, cache }, observe)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: forward: cannot observe with a cache. Run the whole sample without one. [E_CONFIG]]`,
    );
  });
});

describe("a packed table", () => {
  const wide = decoderConfig({ vocabularySize: 9, width: 32, depth: 1, heads: 2, inner: 32, tiedHead: true });
  const plain = randomValues(3, { embedding: 0.5, weight: 0.1 });

  function both() {
    const words = packQ8_0(plain("model.embed_tokens.weight", [9, 32], "embedding"));
    const decoded = unpack("q8_0", words, 9 * 32);
    const floats: ValueSource = (name, shape, role) =>
      name === "model.embed_tokens.weight" ? decoded : plain(name, shape, role);
    const packedTable = () => ({ storage: "q8_0", words }) as const;
    const source = Object.assign((...given: Parameters<ValueSource>) => plain(...given), { packedTable });
    return [createDecoder(wide, { values: source }), createDecoder(wide, { values: floats })] as const;
  }

  it("gives the rows and logits of its decoded values, with pictures too", () => {
    const [own, decoded] = both();
    const pictures = tf.randomNormal<tf.Rank.R2>([4, 32], 0, 1, "float32", 1);
    const [logits, expected] = [own, decoded].map((language) =>
      language.logits(language.forward({ packed, visual: pictures }).hidden),
    ) as [tf.Tensor2D, tf.Tensor2D];
    expectClose(logits, expected.dataSync());
    own.parameters.dispose();
    decoded.parameters.dispose();
  });

  it("says that losses cannot read it", () => {
    const [own, decoded] = both();
    expect(() => own.vocabulary).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: the table of words ("model.embed_tokens.weight") is stored as q8_0, but losses read it in float32. Load the model with \`table: "f32"\`. [E_CONFIG]]`,
    );
    expect(() => own.head).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: the head ("model.embed_tokens.weight") is stored as q8_0, but losses read it in float32. Load the model with \`table: "f32"\`. [E_CONFIG]]`,
    );
    own.parameters.dispose();
    decoded.parameters.dispose();
  });
});

describe("createDecoder", () => {
  it("shares the table with a tied head", () => {
    const tied = createDecoder({ ...config, tiedHead: true });
    expect(tied.parameters.has("lm_head.weight")).toBe(false);
    expect(tied.head.weight).toBe(tied.vocabulary);
    tied.parameters.dispose();
  });

  it("caps logits", () => {
    const capped = createDecoder({ ...config, headSoftcap: 2 }, { seed: 2 });
    const logits = capped.logits(tf.fill([1, 8], 100));
    expect(Math.max(...logits.dataSync().map(Math.abs))).toBeLessThanOrEqual(2);
    capped.parameters.dispose();
  });

  it.each([
    ["heads that do not share", { keyValueHeads: 3, heads: 4 }],
    ["a width that is no number", { width: Number.NaN }],
    ["windows for other blocks", { windows: [0] }],
  ])("refuses %s", (_, fields: Partial<DecoderConfig>) => {
    expect(() => createDecoder({ ...config, ...fields })).toThrowErrorMatchingSnapshot();
  });
});

/** a_j of block 1 from its weights with stock ops: softmax rows, then means (method.md, 4). */
function naivePatchWeights(model: Decoder, embeddings: tf.Tensor2D): number[] {
  const weightOf = (name: string) => model.parameters.get(`model.layers.0.${name}.weight`).value;
  const input = (model.hiddenStates({ packed, visual: embeddings })[0] as tf.Tensor2D).arraySync();
  const normed = input.map((row) => {
    const inverse = 1 / Math.sqrt(row.reduce((sum, x) => sum + x * x, 0) / row.length + 1e-5);
    return row.map((x) => x * inverse);
  });
  const product = (name: string) =>
    (
      tf.matMul(tf.tensor2d(normed), weightOf(name) as tf.Tensor2D, false, true).arraySync() as number[][]
    ).map((row, r) => turned(row, packed.positions[r] ?? 0));
  const [q, k] = [product("self_attn.q_proj"), product("self_attn.k_proj")];
  const share = (t: number, j: number, head: number, start: number) => {
    const score = (column: number) =>
      [0, 1, 2, 3].reduce((sum, d) => sum + (q[t]?.[head * 4 + d] ?? 0) * (k[column]?.[d] ?? 0), 0) / 2;
    const all = Array.from({ length: t - start + 1 }, (_, i) => Math.exp(score(start + i)));
    return (all[j - start] ?? 0) / all.reduce((sum, x) => sum + x, 0);
  };
  const mean = (texts: readonly number[], j: number, start: number) =>
    texts.flatMap((t) => [share(t, j, 0, start), share(t, j, 1, start)]).reduce((sum, x) => sum + x, 0) /
    (2 * texts.length);
  return [mean([3, 4], 1, 0), mean([3, 4], 2, 0), mean([7], 5, 5), mean([7], 6, 5)];
}

/** Half rotation of each head of 4. */
function turned(row: readonly number[], position: number): number[] {
  return row.map((x, i) => {
    const d = i % 4;
    const angle = position * (d % 2 === 0 ? 1 : 0.01);
    const other = row[d < 2 ? i + 2 : i - 2] ?? 0;
    return x * Math.cos(angle) + (d < 2 ? -other : other) * Math.sin(angle);
  });
}

it("has shapes that can be listed without the memory of its weights", () => {
  const large = decoderConfig({ vocabularySize: 1_000_000, width: 8192, depth: 2, heads: 64, inner: 28_672 });
  const before = tf.memory().numTensors;
  const seen = new Map<string, readonly number[]>();
  parameterShapes(
    (values) => createDecoder(large, { values }),
    (name, shape) => seen.set(name, shape),
  );
  expect(seen.size).toBe(3 + 2 * 9);
  expect(seen.get("model.embed_tokens.weight")).toEqual([1_000_000, 8192]);
  expect(seen.get("model.layers.1.mlp.down_proj.weight")).toEqual([8192, 28_672]);
  expect(tf.memory().numTensors).toBe(before);
});
