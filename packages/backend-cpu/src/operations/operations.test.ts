import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { describe, it } from "vitest";

import { expectLikeStock } from "../../test/compare.js";

/** Values of many kinds: fractions, ties, zeros, large ones. */
function values(length: number, seed: number): Float32Array {
  let state = seed * 2654435761 + 12345;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const unit = state / 2 ** 32 - 0.5;
    return state % 7 === 0 ? Math.round(unit * 6) : unit * 8;
  });
}

function tensor(shape: readonly number[], seed = 1): tf.Tensor {
  const length = shape.reduce((product, size) => product * size, 1);
  return tf.tensor(values(length, seed), [...shape], "float32");
}

const shapes = (minLength: number, maxLength: number) =>
  fc.array(fc.integer({ min: 1, max: 9 }), { minLength, maxLength });

/** Two shapes that broadcast: each axis is kept, or 1 on one side; leading axes may be missing. */
const broadcastPairs = shapes(1, 4).chain((shape) =>
  fc
    .tuple(
      fc.array(fc.integer({ min: 0, max: 3 }), { minLength: shape.length, maxLength: shape.length }),
      fc.nat(shape.length),
      fc.boolean(),
    )
    .map(([kinds, cut, swap]) => {
      const a = shape.map((size, axis) => (kinds[axis] === 1 ? 1 : size));
      const b = shape.map((size, axis) => (kinds[axis] === 2 ? 1 : size)).slice(cut);
      return swap ? { a: b, b: a } : { a, b };
    }),
);

const RUNS = { numRuns: 40 };

async function check<T>(arbitrary: fc.Arbitrary<T>, property: (value: T) => Promise<void>): Promise<void> {
  await fc.assert(fc.asyncProperty(arbitrary, property), RUNS);
}

describe("element-wise functions of one tensor", () => {
  const exact = { relative: 1e-6, absolute: 1e-7 };
  const functions: Record<string, (x: tf.Tensor) => tf.Tensor> = {
    relu: tf.relu,
    sigmoid: tf.sigmoid,
    tanh: tf.tanh,
    exp: tf.exp,
    log: (x) => tf.log(tf.abs(x)),
    sqrt: (x) => tf.sqrt(tf.abs(x)),
    rsqrt: (x) => tf.rsqrt(tf.abs(x)),
    square: tf.square,
    neg: tf.neg,
    abs: tf.abs,
    reciprocal: tf.reciprocal,
    clipByValue: (x) => tf.clipByValue(x, -1.5, 2),
    step: (x) => tf.step(x, 0.25),
    zerosLike: tf.zerosLike,
    onesLike: tf.onesLike,
  };
  it.each(Object.entries(functions))("%s is as stock", async (_, f) => {
    await check(shapes(0, 4), (shape) => expectLikeStock(() => f(tensor(shape)), exact));
  });

  it("erf is as stock up to the error of the stock approximation", async () => {
    await check(shapes(0, 3), (shape) => expectLikeStock(() => tf.erf(tensor(shape)), { absolute: 2e-6 }));
  });

  it("special values are as stock", async () => {
    const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -1, 89, -104];
    for (const [name, f] of Object.entries(functions)) {
      if (name === "step") continue;
      await expectLikeStock(() => f(tf.tensor1d(special)), exact);
    }
  });
});

describe("element-wise functions of two tensors", () => {
  const functions: Record<string, (a: tf.Tensor, b: tf.Tensor) => tf.Tensor> = {
    add: tf.add,
    sub: tf.sub,
    mul: tf.mul,
    div: tf.div,
    maximum: tf.maximum,
    minimum: tf.minimum,
    squaredDifference: tf.squaredDifference,
    greater: tf.greater,
    greaterEqual: tf.greaterEqual,
    less: tf.less,
    lessEqual: tf.lessEqual,
    equal: tf.equal,
    notEqual: tf.notEqual,
  };
  it.each(Object.entries(functions))("%s broadcasts as stock", async (_, f) => {
    await check(broadcastPairs, ({ a, b }) =>
      expectLikeStock(() => f(tensor(a, 1), tensor(b, 2)), { relative: 1e-6 }),
    );
  });

  it("large tensors, rows and columns are as stock", async () => {
    for (const b of [[700, 300], [300], [700, 1], [1, 1], []]) {
      await expectLikeStock(() => tf.sub(tensor([700, 300], 1), tensor(b, 2)));
      await expectLikeStock(() => tf.sub(tensor(b, 2), tensor([700, 300], 1)));
    }
  });

  it("integers go the way of stock", async () => {
    await expectLikeStock(() => tf.add(tf.tensor1d([1, 2, 3], "int32"), tf.scalar(2, "int32")));
    await expectLikeStock(() => tf.greater(tf.tensor1d([1, 2, 3], "int32"), tf.scalar(2, "int32")));
  });

  it("addN and where are as stock", async () => {
    await check(fc.tuple(shapes(0, 3), fc.integer({ min: 1, max: 5 })), ([shape, n]) =>
      expectLikeStock(() => tf.addN(Array.from({ length: n }, (__, i) => tensor(shape, i))), {
        relative: 1e-6,
      }),
    );
    await check(broadcastPairs, ({ a, b }) =>
      expectLikeStock(() => tf.where(tf.greater(tensor(a, 3), 0), tensor(a, 1), tensor(b, 2))),
    );
  });
});

describe("reductions", () => {
  const reduced = shapes(0, 5).chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      axes:
        shape.length === 0
          ? fc.constant<number[]>([])
          : fc.uniqueArray(fc.nat(shape.length - 1), { minLength: 1 }),
      keep: fc.boolean(),
    }),
  );
  const close = { absolute: 2e-5, relative: 1e-5 };
  it.each([
    ["sum", tf.sum],
    ["mean", tf.mean],
    ["max", tf.max],
  ] as const)("%s is as stock over any axes", async (_, f) => {
    await check(reduced, ({ shape, axes, keep }) =>
      expectLikeStock(() => f(tensor(shape), axes, keep), close),
    );
  });

  it("argMax is as stock, and takes the first of equal elements", async () => {
    const cases = shapes(1, 4).chain((shape) => fc.tuple(fc.constant(shape), fc.nat(shape.length - 1)));
    await check(cases, ([shape, axis]) => expectLikeStock(() => tf.argMax(tensor(shape), axis)));
    await expectLikeStock(() =>
      tf.argMax(
        tf.tensor2d([
          [1, 3, 3],
          [2, 2, 2],
        ]),
        1,
      ),
    );
  });

  it("long sums are exact to 32 bits", async () => {
    await expectLikeStock(() => tf.sum(tf.ones([300_000])));
    await expectLikeStock(() => tf.sum(tf.mul(tensor([3000, 70]), 0.125), 0), close);
    await expectLikeStock(() => tf.max(tensor([500, 300]), 0));
  });
});

describe("movement", () => {
  const permuted = shapes(1, 6).chain((shape) =>
    fc.record({
      shape: fc.constant(shape.map((size) => Math.min(size, 5))),
      perm: fc.shuffledSubarray([...shape.keys()], { minLength: shape.length }),
    }),
  );
  it("transpose is as stock for any permutation", async () => {
    await check(permuted, ({ shape, perm }) => expectLikeStock(() => tf.transpose(tensor(shape), perm)));
    await expectLikeStock(() => tf.transpose(tensor([333, 517])));
    await expectLikeStock(() => tf.transpose(tensor([3, 65, 4, 33]), [0, 2, 1, 3]));
    await expectLikeStock(() => tf.transpose(tensor([3, 65, 4, 33]), [0, 2, 3, 1]));
    await expectLikeStock(() => tf.transpose(tensor([20, 30, 40]), [2, 1, 0]));
  });

  const boxes = shapes(1, 4).chain((shape) =>
    fc.tuple(...shape.map((size) => fc.tuple(fc.nat(size - 1), fc.nat(size)))).map((pairs) => ({
      shape,
      begin: pairs.map(([begin]) => begin),
      size: pairs.map(([begin, size], axis) => Math.min(size, (shape[axis] as number) - begin)),
    })),
  );
  it("slice is as stock", async () => {
    await check(boxes, ({ shape, begin, size }) =>
      expectLikeStock(() => tf.slice(tensor(shape), begin, size)),
    );
  });

  it("tile, pad and broadcastTo are as stock", async () => {
    const tiled = shapes(1, 4).chain((shape) =>
      fc.tuple(
        fc.constant(shape),
        fc.array(fc.integer({ min: 1, max: 3 }), { minLength: shape.length, maxLength: shape.length }),
        fc.array(fc.tuple(fc.nat(2), fc.nat(2)), { minLength: shape.length, maxLength: shape.length }),
      ),
    );
    await check(tiled, async ([shape, reps, paddings]) => {
      await expectLikeStock(() => tf.tile(tensor(shape), reps));
      await expectLikeStock(() => tf.pad(tensor(shape), paddings, 1.5));
    });
    await expectLikeStock(() => tf.broadcastTo(tensor([3, 1, 4]), [2, 3, 5, 4]));
  });

  it("concat, stack, split and unstack are as stock along any axis", async () => {
    const joined = shapes(1, 4).chain((shape) => fc.tuple(fc.constant(shape), fc.nat(shape.length - 1)));
    await check(joined, async ([shape, axis]) => {
      const longer = shape.with(axis, (shape[axis] as number) + 2);
      await expectLikeStock(() => tf.concat([tensor(shape, 1), tensor(longer, 2), tensor(shape, 3)], axis));
      await expectLikeStock(() => tf.stack([tensor(shape, 1), tensor(shape, 2)], axis));
      await expectLikeStock(() => tf.split(tensor(longer), [2, shape[axis] as number], axis));
      await expectLikeStock(() => tf.unstack(tensor(shape), axis));
    });
  });
});

describe("rows", () => {
  it("softmax and logSoftmax are as stock", async () => {
    await check(shapes(1, 3), async (shape) => {
      await expectLikeStock(() => tf.softmax(tensor(shape)), { absolute: 1e-6, relative: 1e-5 });
      await expectLikeStock(() => tf.logSoftmax(tensor(shape)), { absolute: 3e-6, relative: 1e-6 });
    });
  });

  it("gather is as stock along any axis", async () => {
    const cases = shapes(1, 4).chain((shape) =>
      fc
        .nat(shape.length - 1)
        .chain((axis) =>
          fc.tuple(
            fc.constant(shape),
            fc.constant(axis),
            fc.array(fc.nat((shape[axis] as number) - 1), { minLength: 1, maxLength: 6 }),
          ),
        ),
    );
    await check(cases, ([shape, axis, ids]) =>
      expectLikeStock(() => tf.gather(tensor(shape), tf.tensor1d(ids, "int32"), axis)),
    );
  });

  it("unsortedSegmentSum is as stock, and skips ids outside", async () => {
    const ids = [0, 4, 1, -1, 4, 9, 1];
    await expectLikeStock(() => tf.unsortedSegmentSum(tensor([7, 5]), tf.tensor1d(ids, "int32"), 6), {
      relative: 1e-6,
      absolute: 1e-6,
    });
  });
});

describe("products", () => {
  const cases = fc.record({
    batch: fc.constantFrom([], [1], [3], [2, 3]),
    sizes: fc.tuple(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 40 }),
    ),
    transposeA: fc.boolean(),
    transposeB: fc.boolean(),
  });
  it("matMul is as stock for all transposes and batches", async () => {
    await check(cases, ({ batch, sizes: [m, k, n], transposeA, transposeB }) => {
      const a = [...batch, ...(transposeA ? [k, m] : [m, k])];
      const b = [...batch, ...(transposeB ? [n, k] : [k, n])];
      return expectLikeStock(() => tf.matMul(tensor(a, 1), tensor(b, 2), transposeA, transposeB), {
        absolute: 1e-3,
        relative: 1e-5,
      });
    });
  });

  it("one matrix multiplies a batch", async () => {
    const close = { absolute: 1e-4, relative: 1e-5 };
    await expectLikeStock(() => tf.matMul(tensor([4, 5, 6], 1), tensor([1, 6, 7], 2)), close);
    await expectLikeStock(() => tf.matMul(tensor([1, 5, 6], 1), tensor([4, 7, 6], 2), false, true), close);
  });
});

describe("creation", () => {
  it("casts, fills and scalars are as stock", async () => {
    const numbers = [0, 1.9, -1.9, 3e9, -3e9, Number.NaN, Number.POSITIVE_INFINITY, 1e20];
    await expectLikeStock(() => tf.cast(tf.tensor1d(numbers), "int32"));
    await expectLikeStock(() => tf.cast(tf.tensor1d(numbers), "bool"));
    await expectLikeStock(() => tf.cast(tf.tensor1d([1, -7, 2 ** 30], "int32"), "float32"));
    await expectLikeStock(() => tf.cast(tf.tensor1d([true, false], "bool"), "float32"));
    await expectLikeStock(() => tf.fill([3, 2], 1.25));
    await expectLikeStock(() => tf.fill([3], 2, "int32"));
    await expectLikeStock(() => tf.scalar(3.5));
  });

  it("broadcasts to no elements are as stock", async () => {
    const none = (...shape: number[]) => tf.tensor([], shape, "float32");
    await expectLikeStock(() => tf.add(none(3, 0), tensor([3, 1])));
    await expectLikeStock(() => tf.greater(none(2, 3, 0), tensor([3, 1])));
    await expectLikeStock(() => tf.mul(none(0, 3), tensor([3])));
  });

  it("tensors without elements are as stock", async () => {
    const empty = () => tf.tensor2d([], [0, 3], "float32");
    await expectLikeStock(() => tf.exp(empty()));
    await expectLikeStock(() => tf.add(empty(), 1));
    await expectLikeStock(() => tf.concat([empty(), tensor([2, 3])]));
    await expectLikeStock(() => tf.transpose(empty()));
    await expectLikeStock(() => tf.sum(empty(), 0));
    await expectLikeStock(() => tf.matMul(empty(), tensor([3, 4])));
    await expectLikeStock(() => tf.matMul(empty(), tensor([0, 4]), true));
    await expectLikeStock(() => tf.gather(tensor([2, 3]), tf.tensor1d([], "int32")));
  });
});
