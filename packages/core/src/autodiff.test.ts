import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { checkpoint, detach, valueAndGradients, willNeedGradient } from "./autodiff.js";
import { registerStockGradients } from "./gradients.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
  registerStockGradients();
});

let before: tf.MemoryInfo;
beforeEach(() => {
  before = tf.memory();
});

// Every test disposes what it made, so none may leak.
afterEach(() => {
  const after = tf.memory();
  expect([after.numTensors, after.numDataBuffers]).toEqual([before.numTensors, before.numDataBuffers]);
});

const weights = (count: number, width: number): tf.Variable[] =>
  Array.from({ length: count }, (_, i) =>
    tf.tidy(() => tf.variable(tf.randomNormal([width, width], 0, 0.3, "float32", i + 1))),
  );

/** A chain of layers with a branch that is used twice. */
const network = (x: tf.Tensor, layers: readonly tf.Tensor[]): tf.Scalar => {
  let h = x;
  // As the layers of a model do: frees what the gradient does not need.
  for (const layer of layers) h = tf.tidy(() => tf.add(h, tf.tanh(tf.matMul(h, layer))));
  return tf.sum(tf.mul(h, tf.sigmoid(h)));
};

describe("willNeedGradient", () => {
  it("says what depends on a parameter while it is recorded", () => {
    const [x, parameter] = [tf.scalar(2), tf.scalar(3)];
    const seen: boolean[] = [];
    const { value, gradients } = valueAndGradients(() => {
      const product = tf.mul(x, parameter);
      seen.push(...[x, parameter, product, tf.square(x), detach(product)].map(willNeedGradient));
      return product as tf.Scalar;
    }, [parameter]);
    expect(seen).toEqual([false, true, true, false, false]);
    expect(willNeedGradient(parameter)).toBe(false);
    tf.dispose([x, parameter, value, ...gradients]);
  });

  it("is true for everything under the stock tape, and false in a block that is run again later", () => {
    const x = tf.scalar(2);
    const seen: boolean[] = [];
    const loss = () => {
      seen.push(willNeedGradient(x));
      const block = ([input]: readonly tf.Tensor[]) => {
        seen.push(willNeedGradient(input as tf.Tensor));
        return tf.square(input as tf.Tensor);
      };
      return checkpoint(block, [x], []) as tf.Scalar;
    };
    const { value, gradients } = valueAndGradients(loss, [x]);
    const stock = tf.grad((input) => {
      seen.push(willNeedGradient(input));
      return tf.square(input);
    })(x);
    expect(seen).toEqual([true, false, true, true]);
    tf.dispose([x, value, ...gradients, stock]);
  });
});

describe("valueAndGradients", () => {
  it("equals tf.variableGrads bit for bit", async () => {
    const layers = weights(4, 7);
    const x = tf.randomNormal([5, 7], 0, 1, "float32", 9);
    const ours = valueAndGradients(() => network(x, layers), layers);
    const stock = tf.variableGrads(() => network(x, layers), layers);
    expect(await ours.value.data()).toEqual(await stock.value.data());
    for (const [i, layer] of layers.entries()) {
      expect(await ours.gradients[i]?.data()).toEqual(await stock.grads[layer.name]?.data());
    }
    tf.dispose([ours.value, [...ours.gradients], stock.value, stock.grads, x, layers]);
  });

  it("needs less memory than tf.variableGrads on a chain", () => {
    const layers = weights(12, 16);
    const x = tf.randomNormal([200, 16], 0, 1, "float32", 9);
    const ours = peakBytes(() => {
      const { value, gradients } = valueAndGradients(() => network(x, layers), layers);
      tf.dispose([value, ...gradients]);
    });
    const stock = peakBytes(() => {
      const { value, grads } = tf.variableGrads(() => network(x, layers), layers);
      tf.dispose([value, grads]);
    });
    expect(ours).toBeLessThan(0.7 * stock);
    tf.dispose([x, layers]);
  });

  it("frees at once what frozen layers saved", () => {
    const layers = weights(12, 16);
    const x = tf.randomNormal([200, 16], 0, 1, "float32", 9);
    const last = layers.slice(-1);
    const run = (parameters: readonly tf.Tensor[]) =>
      peakBytes(() => {
        const { value, gradients } = valueAndGradients(() => network(x, layers), parameters);
        tf.dispose([value, ...gradients]);
      });
    expect(run(last)).toBeLessThan(0.6 * run(layers));
    tf.dispose([x, layers]);
  });

  it("adds up the gradients of a parameter that is used several times", async () => {
    const x = tf.scalar(3);
    const { value, gradients } = valueAndGradients(() => tf.add(tf.square(x), tf.mul(x, 5)), [x]);
    expect(await gradients[0]?.data()).toEqual(Float32Array.of(11));
    tf.dispose([x, value, ...gradients]);
  });

  it("gives zeros where the loss does not depend on a parameter", async () => {
    const [x, y] = [tf.scalar(3), tf.ones([2, 3])];
    const some = valueAndGradients(() => tf.square(x), [y, x]);
    expect(await some.gradients[0]?.data()).toEqual(new Float32Array(6));
    const none = valueAndGradients(() => tf.scalar(1), [y]);
    expect(await none.gradients[0]?.data()).toEqual(new Float32Array(6));
    tf.dispose([x, y, some.value, ...some.gradients, none.value, ...none.gradients]);
  });

  it("differentiates a loss that is a parameter, without handing out the parameter", async () => {
    const x = tf.scalar(3);
    const { value, gradients } = valueAndGradients(() => x, [x]);
    tf.dispose(value);
    expect(await x.data()).toEqual(Float32Array.of(3));
    expect(await gradients[0]?.data()).toEqual(Float32Array.of(1));
    tf.dispose([x, ...gradients]);
  });

  it("gives each place of a repeated parameter its own tensor", async () => {
    const x = tf.scalar(3);
    const { value, gradients } = valueAndGradients(() => tf.square(x), [x, x]);
    gradients[0]?.dispose();
    expect(await gradients[1]?.data()).toEqual(Float32Array.of(6));
    tf.dispose([x, value, ...gradients]);
  });

  it("differentiates kernels with several outputs of which one is used", async () => {
    const x = tf.tensor1d([1, 2, 3, 4]);
    const { value, gradients } = valueAndGradients(
      () => tf.sum(tf.square(tf.split(x, 2)[1] as tf.Tensor)),
      [x],
    );
    expect(await gradients[0]?.data()).toEqual(Float32Array.of(0, 0, 6, 8));
    tf.dispose([x, value, ...gradients]);
  });

  it("works inside tf.tidy", async () => {
    const gradient = tf.tidy(() => {
      const x = tf.tensor1d([1, 2]);
      return valueAndGradients(() => tf.sum(tf.square(x)), [x]).gradients[0] as tf.Tensor;
    });
    expect(await gradient.data()).toEqual(Float32Array.of(2, 4));
    gradient.dispose();
  });

  it("refuses a loss that is no scalar", () => {
    const x = tf.tensor1d([1, 2]);
    expect(() =>
      valueAndGradients(() => tf.square(x) as unknown as tf.Scalar, [x]),
    ).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: valueAndGradients: the loss must be a scalar [], got [2]. Sum it first. [E_SHAPE]]`,
    );
    x.dispose();
  });

  it("refuses to be called inside another gradient", () => {
    const x = tf.scalar(2);
    const inner = () => valueAndGradients(() => tf.square(x), [x]).value;
    expect(() => valueAndGradients(inner, [x])).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: valueAndGradients: called inside another gradient. Second derivatives are not supported: call it after the first one is done, or use checkpoint() to recompute. [E_NESTED_GRADIENT]]`,
    );
    x.dispose();
  });

  it("names a kernel that has no gradient", () => {
    const x = tf.tensor1d([0.4, 1.6]);
    expect(() => valueAndGradients(() => tf.sum(tf.floor(x)), [x])).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Floor has no gradient. Use detach() on its inputs, or a kernel of core that has one. [E_NO_GRADIENT]]`,
    );
    x.dispose();
  });

  it("leaks nothing when the loss throws", () => {
    const layers = weights(3, 4);
    const x = tf.ones([2, 4]);
    const broken = () => {
      network(x, layers);
      throw new Error("no");
    };
    expect(() => valueAndGradients(broken, layers)).toThrow("no");
    // The tape is off again.
    const { value, gradients } = valueAndGradients(() => network(x, layers), layers);
    tf.dispose([value, [...gradients], x, layers]);
  });

  it("leaks nothing when a gradient throws in the middle of the walk", () => {
    const layers = weights(3, 4);
    const x = tf.ones([2, 4]);
    const broken = tf.customGrad((t) => ({
      value: tf.clone(t as tf.Tensor),
      gradFunc: () => {
        throw new Error("no gradient today");
      },
    }));
    const loss = () => network(broken(tf.matMul(x, layers[0] as tf.Tensor2D)), layers);
    expect(() => valueAndGradients(loss, layers)).toThrow("no gradient today");
    tf.dispose([x, layers]);
  });
});

describe("detach", () => {
  it("stops the gradient", async () => {
    const x = tf.scalar(3);
    const { value, gradients } = valueAndGradients(() => tf.mul(x, detach(tf.square(x))), [x]);
    expect(await gradients[0]?.data()).toEqual(Float32Array.of(9));
    tf.dispose([x, value, ...gradients]);
  });

  it("lets no gradient run through the stopped branch", () => {
    const x = tf.scalar(3);
    let calls = 0;
    const counted = tf.customGrad((t) => ({
      value: tf.clone(t as tf.Tensor),
      gradFunc: (dy) => {
        calls++;
        return tf.clone(dy as tf.Tensor);
      },
    }));
    const { value, gradients } = valueAndGradients(() => tf.mul(x, detach(counted(x))), [x]);
    expect(calls).toBe(0);
    tf.dispose([x, value, ...gradients]);
  });

  it("works on any dtype and outlives its source", async () => {
    for (const [values, dtype] of [
      [[1, 2], "float32"],
      [[1, 2], "int32"],
      [[1, 0], "bool"],
    ] as const) {
      const source = tf.tensor1d([...values], dtype);
      const alias = detach(source);
      source.dispose();
      expect(alias.dtype).toBe(dtype);
      expect([...(await alias.data())]).toEqual([...values]);
      alias.dispose();
    }
  });

  it("belongs to the tidy it is called in", () => {
    const source = tf.ones([3]);
    const inside = tf.tidy(() => {
      const alias = detach(source);
      tf.square(alias);
      return alias.shape;
    });
    expect(inside).toEqual([3]);
    const kept = tf.tidy(() => detach(source));
    expect(kept.isDisposed).toBe(false);
    tf.dispose([source, kept]);
  });

  it("refuses a disposed tensor", () => {
    const source = tf.ones([3]);
    source.dispose();
    expect(() => detach(source)).toThrow("disposed");
  });
});

describe("checkpoint", () => {
  const blocks = (x: tf.Tensor, layers: readonly tf.Tensor[], recompute: boolean): tf.Scalar => {
    let h = x;
    for (const layer of layers) {
      const block = ([input]: readonly tf.Tensor[]) =>
        tf.add(
          input as tf.Tensor,
          tf.tanh(tf.matMul(tf.sigmoid(tf.matMul(input as tf.Tensor, layer)), layer)),
        );
      h = recompute ? checkpoint(block, [h], [layer]) : tf.tidy(() => block([h]));
    }
    return tf.sum(tf.square(h));
  };

  it("gives the same gradients, bit for bit", async () => {
    const layers = weights(4, 6);
    const x = tf.randomNormal([5, 6], 0, 1, "float32", 9);
    const plain = valueAndGradients(() => blocks(x, layers, false), [x, ...layers]);
    const again = valueAndGradients(() => blocks(x, layers, true), [x, ...layers]);
    expect(await again.value.data()).toEqual(await plain.value.data());
    for (const [i, gradient] of plain.gradients.entries()) {
      expect(await again.gradients[i]?.data()).toEqual(await gradient.data());
    }
    tf.dispose([plain.value, [...plain.gradients], again.value, [...again.gradients], x, layers]);
  });

  it("works inside tf.variableGrads", async () => {
    const layers = weights(3, 6);
    const x = tf.randomNormal([5, 6], 0, 1, "float32", 9);
    const plain = tf.variableGrads(() => blocks(x, layers, false), layers);
    const again = tf.variableGrads(() => blocks(x, layers, true), layers);
    for (const { name } of layers)
      expect(await again.grads[name]?.data()).toEqual(await plain.grads[name]?.data());
    tf.dispose([plain.value, plain.grads, again.value, again.grads, x, layers]);
  });

  it("needs less memory", () => {
    const layers = weights(8, 16);
    const x = tf.randomNormal([200, 16], 0, 1, "float32", 9);
    const peak = (recompute: boolean) =>
      peakBytes(() => {
        const { value, gradients } = valueAndGradients(() => blocks(x, layers, recompute), layers);
        tf.dispose([value, ...gradients]);
      });
    expect(peak(true)).toBeLessThan(0.6 * peak(false));
    tf.dispose([x, layers]);
  });

  it("asks for the gradients that are needed only", async () => {
    const [w, v] = [tf.scalar(2), tf.scalar(5)];
    const { value, gradients } = valueAndGradients(
      () => checkpoint(([a]) => tf.mul(tf.mul(a as tf.Tensor, w), v), [tf.scalar(3)], [w, v]) as tf.Scalar,
      [v],
    );
    expect(await gradients[0]?.data()).toEqual(Float32Array.of(6));
    tf.dispose([w, v, value, ...gradients]);
  });

  it("nests", async () => {
    const w = tf.scalar(2);
    const inner = (x: tf.Tensor) => checkpoint(([a]) => tf.mul(tf.square(a as tf.Tensor), w), [x], [w]);
    const { value, gradients } = valueAndGradients(
      () => checkpoint(([a]) => inner(inner(a as tf.Tensor)), [w], [w]) as tf.Scalar,
      [w],
    );
    // w (w w²)² = w⁷
    expect(await value.data()).toEqual(Float32Array.of(128));
    expect(await gradients[0]?.data()).toEqual(Float32Array.of(448));
    tf.dispose([w, value, ...gradients]);
  });

  it("makes side outputs in the forward pass only", () => {
    const w = tf.scalar(2);
    const sides: tf.Tensor[] = [];
    const passes: string[] = [];
    const { value, gradients } = valueAndGradients(
      () =>
        checkpoint(
          ([a], pass) => {
            passes.push(pass);
            if (pass === "forward") sides.push(tf.keep(tf.square(a as tf.Tensor)));
            return tf.mul(a as tf.Tensor, w);
          },
          [w],
          [w],
        ) as tf.Scalar,
      [w],
    );
    expect(passes).toEqual(["forward", "backward"]);
    expect(sides[0]?.isDisposed).toBe(false);
    tf.dispose([w, value, ...gradients, ...sides]);
  });

  it("is a plain call outside of a gradient", async () => {
    const x = tf.scalar(3);
    const y = checkpoint(([a]) => a as tf.Tensor, [x], []);
    x.dispose();
    expect(await y.data()).toEqual(Float32Array.of(3));
    y.dispose();
  });

  it("leaks nothing when the block throws in the backward pass", () => {
    const w = tf.scalar(2);
    const loss = () =>
      checkpoint(
        ([a], pass) => {
          const y = tf.mul(tf.square(a as tf.Tensor), w);
          if (pass === "backward") throw new Error("no");
          return y;
        },
        [w],
        [w],
      ) as tf.Scalar;
    expect(() => valueAndGradients(loss, [w])).toThrow("no");
    w.dispose();
  });
});

/** Largest number of bytes alive at a time, over what was there before. */
function peakBytes(run: () => void): number {
  const engine = tf.engine();
  const { tensorInfo } = engine.state;
  const sizes = new WeakMap<object, number>();
  let [alive, peak] = [0, 0];
  const counting = {
    has: (id: object) => tensorInfo.has(id),
    get: (id: object) => tensorInfo.get(id),
    set: (id: object, info: { bytes: number }) => {
      alive += info.bytes;
      sizes.set(id, info.bytes);
      peak = Math.max(peak, alive);
      return tensorInfo.set(id, info as Parameters<typeof tensorInfo.set>[1]);
    },
    delete: (id: object) => {
      alive -= sizes.get(id) ?? 0;
      return tensorInfo.delete(id);
    },
  };
  engine.state.tensorInfo = counting as unknown as typeof tensorInfo;
  try {
    run();
  } finally {
    engine.state.tensorInfo = tensorInfo;
  }
  return peak;
}
