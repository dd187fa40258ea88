import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { checkLoss, computeChecked } from "./check-loss.js";
import type { VisualLoss } from "./visual-loss.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
});

const compute = () => ({ sum: tf.scalar(0) });

function problem(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return String(error).replace(/\n +at .*\n/, "\n  at PLACE\n");
  }
  return "none";
}

describe("checkLoss", () => {
  it("takes what is right", () => {
    const loss = { name: "mine", needs: { refined: true, block: () => 1 }, compute };
    expect(checkLoss("mine", loss)).toBe(loss);
  });

  it.each([
    ["no loss", undefined, `its factory must return { name, needs, compute }, got nothing`],
    ["no compute", { needs: {} }, "`compute` must be a function from a view to { sum }, got nothing"],
    [
      "no needs",
      { compute },
      "`needs` must be an object that says what it reads, `{}` for the initial rows alone, got nothing",
    ],
    [
      "a need that is no switch",
      { compute, needs: { hidden: "yes" } },
      '`needs.hidden` must be true or false, got "yes"',
    ],
    [
      "a block that is a number",
      { compute, needs: { block: 2 } },
      "`needs.block` must be a function from the depth to a block, got 2",
    ],
  ])("says of %s what is expected", (_title, made, text) => {
    expect(problem(() => checkLoss("mine", made))).toBe(
      `BasicError: Loss "mine": ${text}. See docs/writing-a-loss.md. [E_CONFIG]`,
    );
  });

  it("offers the nearest need", () => {
    expect(problem(() => checkLoss("mine", { compute, needs: { vocab: true } }))).toMatchInlineSnapshot(
      `"BasicError: Loss "mine": there is nothing called "vocab" to put into \`needs\`. Did you mean "vocabulary"? Known: refined, refinedGradient, patchWeights, vocabulary, hidden, block, features. Correct or remove it. See docs/writing-a-loss.md. [E_CONFIG]"`,
    );
  });
});

describe("computeChecked", () => {
  const run = (own: unknown) => {
    const loss = { name: "mine", needs: {}, compute: own } as VisualLoss;
    return computeChecked("mine", loss, { initial: tf.ones([2, 3]), images: [] });
  };

  it("says of a result what is expected", () => {
    expect([
      problem(() => run(() => tf.scalar(1))),
      problem(() => run(() => ({ sum: tf.ones([2]) }))),
      problem(() => run(() => ({ loss: tf.scalar(1) }))),
      problem(() => run(async () => ({ sum: tf.scalar(1) }))),
      problem(() => run(() => ({ sum: 1 }))),
    ]).toMatchInlineSnapshot(`
      [
        "BasicError: Loss "mine": \`compute\` must return { sum } with a scalar tensor, got a tensor []. Write { sum: … }. [E_CONFIG]",
        "BasicError: Loss "mine": \`sum\` must be a scalar, the sum over the samples, got a tensor [2]. Add the rows up with tf.sum. [E_CONFIG]",
        "BasicError: Loss "mine": \`compute\` must return { sum } with a scalar tensor, got an object with loss. See docs/writing-a-loss.md. [E_CONFIG]",
        "BasicError: Loss "mine": \`compute\` must return { sum } with a scalar tensor, got a promise. See docs/writing-a-loss.md. [E_CONFIG]",
        "BasicError: Loss "mine": \`compute\` must return { sum } with a scalar tensor, got an object with sum. See docs/writing-a-loss.md. [E_CONFIG]",
      ]
    `);
  });

  it("names the loss that throws, and what it was given", () => {
    const reads = ({ vocabulary }: { vocabulary?: tf.Tensor }) => ({ sum: vocabulary?.shape.length });
    expect(problem(() => run(reads))).toContain("got an object with sum");
    const error = problem(() =>
      run(({ vocabulary }: { vocabulary: tf.Tensor }) => ({ sum: tf.sum(vocabulary) })),
    );
    expect(error).toMatchInlineSnapshot(`
      "BasicError: Loss "mine" failed: Argument 'x' passed to 'sum' must be a Tensor or TensorLike, but got 'null'.
        at PLACE
       It was given initial, images; what else it reads belongs into its \`needs\`. See docs/writing-a-loss.md. [E_CONFIG]"
    `);
  });
});
