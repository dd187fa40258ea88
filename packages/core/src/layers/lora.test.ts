import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";

import { valueAndGradients } from "../autodiff.js";
import { registerStockGradients } from "../gradients.js";
import { setFallback } from "../kernels/run.js";
import { ParameterSet } from "../parameters.js";
import { createRandom } from "../random.js";
import { Builder, randomValues, type ValueSource } from "./builder.js";
import { withDropout } from "./dropout.js";
import { Linear } from "./linear.js";
import { attachLora, type LoraOptions } from "./lora.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
  registerStockGradients();
  setFallback("reference");
});

const key = { stage: "tune", step: 3, microBatch: 0 };
const names = ["layers.0.attn.q_proj", "layers.0.mlp.up_proj", "layers.1.mlp.up_proj"];
/** An adapter that has been trained: B is not zero. */
const someValues: ValueSource = (name, shape) =>
  createRandom(8, name).fillNormal(new Float32Array(tf.util.sizeFromShape([...shape])), 0.4);

/** Three products of 7 → 5. */
function makeModel() {
  const parameters = new ParameterSet();
  const builder = new Builder(parameters, randomValues(1, { weight: 0.5 }));
  for (const name of names) new Linear(builder, name, { inFeatures: 7, outFeatures: 5, bias: true });
  parameters.setTrainable(false);
  return { parameters, linears: builder.linears, first: builder.linears.get(names[0] ?? "") as Linear };
}

const attach = (model: ReturnType<typeof makeModel>, options: Partial<LoraOptions> = {}) =>
  attachLora(model, { rank: 2, alpha: 3, seed: 4, values: someValues, ...options });
const input = () => tf.tensor2d(createRandom(2, "x").fillNormal(new Float32Array(21), 1), [3, 7]);

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, digits = 5): void {
  expect(actual).toHaveLength(expected.length);
  for (const [i, value] of Array.from(actual).entries()) expect(value).toBeCloseTo(expected[i] ?? 0, digits);
}

describe("attachLora", () => {
  it("changes nothing at first: A is uniform in ±1/√I, B is zero", () => {
    const model = makeModel();
    const before = model.first.call(input(), "silu").dataSync();
    const lora = attachLora(model, { rank: 4, alpha: 8 });
    expect(model.first.call(input(), "silu").dataSync()).toEqual(before);
    const a = lora.parameters.get("layers.0.attn.q_proj.lora_A.weight");
    const b = lora.parameters.get("layers.0.attn.q_proj.lora_B.weight");
    expect([a.shape, b.shape]).toEqual([
      [4, 7],
      [5, 4],
    ]);
    const largest = Math.max(...a.value.dataSync().map(Math.abs));
    expect(largest).toBeLessThanOrEqual(1 / Math.sqrt(7));
    expect(largest).toBeGreaterThan(0.8 / Math.sqrt(7));
    expect(b.value.dataSync().every((value) => value === 0)).toBe(true);
  });

  it("costs nothing until it trains, also where a gradient is taken", () => {
    const model = makeModel();
    const lora = attachLora(model, { rank: 4, alpha: 8 });
    lora.parameters.setTrainable(false);
    expect(model.first.adapter?.delta(input())).toBeNull();
    lora.parameters.setTrainable(true);
    expect(model.first.adapter?.delta(input())).not.toBeNull();
  });

  it("adds alpha / rank, or alpha / √rank, times B(A(x)), before the activation", () => {
    for (const rankStabilised of [false, true]) {
      const model = makeModel();
      const x = input();
      const plain = model.first.call(x);
      const lora = attach(model, { rankStabilised });
      const [a, b] = ["lora_A", "lora_B"].map(
        (part) => lora.parameters.get(`${names[0]}.${part}.weight`).value,
      ) as [tf.Tensor2D, tf.Tensor2D];
      const scale = rankStabilised ? 3 / Math.sqrt(2) : 1.5;
      const added = tf.mul(tf.matMul(tf.matMul(x, a, false, true), b, false, true), scale);
      expectClose(model.first.call(x).dataSync(), tf.add(plain, added).dataSync());
      expectClose(
        model.first.call(x, "silu").dataSync(),
        tf.mul(tf.add(plain, added), tf.sigmoid(tf.add(plain, added))).dataSync(),
      );
    }
  });

  it("names its parameters as PEFT does, and takes what the targets choose", () => {
    const chosen = (targets: LoraOptions["targets"]) => {
      const model = makeModel();
      const lora = attach(model, targets === undefined ? {} : { targets });
      expect(lora.parameters.count).toBe(2 * lora.targets.length);
      return lora.targets;
    };
    expect(chosen(undefined)).toEqual(names);
    expect(chosen(["q_proj"])).toEqual([names[0]]);
    expect(chosen(["up_proj"])).toEqual(names.slice(1));
    expect(chosen(["*.mlp.*", "layers.0.attn.q_proj"])).toEqual(names);
    expect(chosen(["layers.?.mlp.*"])).toEqual(names.slice(1));
    expect(chosen(["all-linear"])).toEqual(names);
  });

  it("says what is wrong", () => {
    const model = makeModel();
    expect(() => attach(model, { targets: ["k_proj"] })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: LoRA: the target "k_proj" is none of the model's 3 products. Did you mean "q_proj"? They are named q_proj, up_proj; the first one in full is layers.0.attn.q_proj. Name some of them, write a pattern such as "*.mlp.*", or "all-linear". [E_CONFIG]]`,
    );
    expect(() => attach(model, { targets: ["*.attention.*"] })).toThrow(/"\*\.attention\.\*" is none/);
    expect(() => attach(model, { targets: [] })).toThrow(/\(none given\)/);
    expect(() => attach(model, { rank: 1.5 })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: LoRA: \`rank\` must be a whole number from 1, got 1.5. Change it in \`lora\`. [E_CONFIG]]`,
    );
    expect(() => attach(model, { alpha: 0 })).toThrow(/`alpha` must be a number above 0, got 0/);
    expect(() => attach(model, { dropout: 1 })).toThrow(/`dropout` must be from 0 up to, but not, 1, got 1/);
    attach(model, { targets: ["q_proj"] });
    expect(() => attach(model)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: LoRA: "layers.0.attn.q_proj" has an adapter already. Choose other targets, or detach() the first adapter. [E_CONFIG]]`,
    );
  });
});

/** `½ Σ y²` of the first product in double precision. */
function loss64(
  values: Record<"x" | "w" | "bias" | "a" | "b", Float64Array>,
  kept: Float64Array,
  scale: number,
) {
  const { x, w, bias, a, b } = values;
  const at = (array: Float64Array, i: number) => array[i] as number;
  let sum = 0;
  for (let row = 0; row < 3; row++) {
    const thin = [0, 1].map((k) => {
      let dot = 0;
      for (let i = 0; i < 7; i++) dot += at(a, k * 7 + i) * at(x, row * 7 + i) * at(kept, row * 7 + i);
      return dot;
    });
    for (let o = 0; o < 5; o++) {
      let y = at(bias, o);
      for (let i = 0; i < 7; i++) y += at(w, o * 7 + i) * at(x, row * 7 + i);
      for (const [k, value] of thin.entries()) y += scale * at(b, o * 2 + k) * value;
      sum += (y * y) / 2;
    }
  }
  return sum;
}

describe("the gradient", () => {
  it.each([0, 0.4])("is that of double precision, for x, A and B alone (dropout %d)", (dropout) => {
    const model = makeModel();
    const lora = attach(model, { dropout });
    const x = input();
    const [a, b] = [...lora.parameters].map(({ value }) => value) as [tf.Tensor, tf.Tensor];
    const { gradients } = valueAndGradients(
      () => withDropout(key, () => tf.mul<tf.Scalar>(tf.sum(tf.square(model.first.call(x))), 0.5)),
      [x, a, b],
    );
    const random = createRandom(4, "dropout", names[0] ?? "", "tune", 3, 0);
    const mask = random.fillMask(new Uint8Array(21), dropout);
    const share = Math.round(dropout * 65_536) / 65_536;
    const kept = Float64Array.from(mask, (value) => value / (1 - share));
    if (dropout > 0) expect(mask).toContain(0);
    const wide = (tensor: tf.Tensor) => Float64Array.from(tensor.dataSync());
    const values = {
      x: wide(x),
      w: wide(model.first.weight.value),
      bias: wide(model.first.bias?.value as tf.Tensor),
      a: wide(a),
      b: wide(b),
    };
    for (const [i, name] of (["x", "a", "b"] as const).entries()) {
      const array = values[name];
      const expected = Array.from(array, (value, at) => {
        const shifted = [1e-4, -1e-4].map((step) => {
          array[at] = value + step;
          return loss64(values, kept, lora.scale);
        }) as [number, number];
        array[at] = value;
        return (shifted[0] - shifted[1]) / 2e-4;
      });
      expectClose((gradients[i] as tf.Tensor).dataSync(), expected, 4);
    }
  });
});

describe("dropout", () => {
  const outputs = (options: Partial<LoraOptions>, at: typeof key | null) => {
    const model = makeModel();
    attach(model, { dropout: 0.5, ...options });
    return withDropout(at, () => model.first.call(input()).dataSync());
  };

  it("is a function of seed, stage, step and micro-batch", () => {
    expect(outputs({}, key)).toEqual(outputs({}, { ...key }));
    for (const other of [{ step: 4 }, { stage: "more" }, { microBatch: 1 }]) {
      expect(outputs({}, { ...key, ...other })).not.toEqual(outputs({}, key));
    }
    expect(outputs({ seed: 5 }, key)).not.toEqual(outputs({}, key));
  });

  it("is off where no micro-batch trains", () => {
    expect(outputs({}, null)).toEqual(outputs({ dropout: 0 }, key));
    expect(outputs({}, null)).not.toEqual(outputs({}, key));
  });
});

describe("merge", () => {
  it("keeps what the product computes, and can be taken back", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.double({ min: 0.1, max: 30, noNaN: true }),
        (rank, alpha) => {
          const model = makeModel();
          const lora = attach(model, { rank, alpha });
          const [before, weight] = [
            model.first.call(input()).dataSync(),
            model.first.weight.value.dataSync(),
          ];
          const merged = lora.mergedWeight(`${names[0]}.weight`, model.first.weight.value);
          lora.merge();
          lora.merge();
          expect(model.first.adapter?.delta(input())).toBeNull();
          expect(model.first.weight.value.dataSync()).toEqual(merged?.dataSync());
          expectClose(model.first.call(input()).dataSync(), before, 2);
          lora.unmerge();
          expectClose(model.first.weight.value.dataSync(), weight, 4);
          expectClose(model.first.call(input()).dataSync(), before, 2);
          lora.detach();
          expect(model.first.adapter).toBeNull();
        },
      ),
      { numRuns: 30 },
    );
  });

  it("gives no merged weight to a parameter without an adapter", () => {
    const model = makeModel();
    const lora = attach(model, { targets: ["q_proj"] });
    const { value } = model.first.weight;
    expect(lora.mergedWeight(`${names[1]}.weight`, value)).toBeNull();
    expect(lora.mergedWeight(`${names[0]}.bias`, value)).toBeNull();
    lora.merge();
    expect(lora.mergedWeight(`${names[0]}.weight`, value)).toBeNull();
  });

  it("refuses packed weights and changes nothing", () => {
    const model = makeModel();
    const lora = attach(model);
    const packed = Object.assign(Object.create(null), {
      name: "packed.weight",
      value: tf.zeros([9], "int32"),
    });
    Object.defineProperty(model.linears.get(names[2] ?? ""), "weight", { value: packed });
    const before = model.first.weight.value.dataSync();
    expect(() => lora.merge()).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: LoRA: the weight "packed.weight" is packed, and packed weights cannot take an update. Save the adapter by itself, or load the model in float32 and merge there. [E_CONFIG]]`,
    );
    expect(model.first.weight.value.dataSync()).toEqual(before);
  });
});
