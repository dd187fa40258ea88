import { detach, Parameter, ParameterSet } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { checkFrozen, type PartSuite } from "./part-suite.js";
import { normalTensor, parameterValues, startStockCpu } from "./parts.js";

beforeAll(() => startStockCpu());

interface Scale {
  readonly parameters: ParameterSet;
}

/** `y = x² · scale`; @param frozen - What a frozen part makes of x² instead. */
function scaleSuite(frozen: (x: tf.Tensor) => tf.Tensor): PartSuite<Scale> {
  const create = (): Scale => {
    const parameters = new ParameterSet();
    parameters.add(new Parameter("scale", Float32Array.of(1, 1, 1), [3]));
    return { parameters };
  };
  return {
    create,
    inputs: { x: normalTensor([2, 3], "x") },
    output: ({ parameters }, { x }) => {
      const { trainable, value } = parameters.get("scale");
      return tf.mul(trainable ? tf.square(x as tf.Tensor) : frozen(x as tf.Tensor), value);
    },
    gradientsTo: ["x"],
  };
}

async function differences(frozen: (x: tf.Tensor) => tf.Tensor): Promise<readonly string[]> {
  const suite = scaleSuite(frozen);
  const part = suite.create();
  const values = parameterValues(part.parameters, "part");
  part.parameters.dispose();
  const before = tf.memory().numTensors;
  const found = await checkFrozen(suite, values);
  expect(tf.memory().numTensors).toBe(before);
  return found;
}

describe("checkFrozen", () => {
  it("accepts a part that does the same either way", async () => {
    expect(await differences(tf.square)).toEqual([]);
  });

  it("finds another output and another gradient of a frozen part", async () => {
    expect((await differences(tf.neg)).map((line) => line.split("[")[0])).toEqual(["output", "d x"]);
    const half = (x: tf.Tensor) => tf.mul(x, detach(x));
    expect((await differences(half)).map((line) => line.split("[")[0])).toEqual(["d x"]);
  });
});
