import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeAll, describe, expect, it } from "vitest";

import { valueAndGradients } from "../autodiff.js";
import { implementKernel, type KernelContract } from "./contract.js";
import { runKernel } from "./run.js";

/** `y = x`, whose gradient forgets its input. */
const forgetful: KernelContract<"x"> = {
  name: "BasicForgetful",
  inputs: ["x"],
  infer: ({ x }) => [x],
  reference: ({ x }) => [tf.clone(x)],
  save: { inputs: [], outputs: [false] },
  gradient: () => ({}),
  differentiable: ["x"],
  cases: [],
  tolerance: { absolute: 0, relative: 0 },
};

const run = ({ inputs }: { inputs: { x: tf.TensorInfo } }): tf.TensorInfo => {
  tf.backend().incRef(inputs.x.dataId);
  return { ...inputs.x };
};

beforeAll(async () => {
  await tf.setBackend("cpu");
});

describe("implementKernel", () => {
  afterEach(() => {
    if (tf.getKernel(forgetful.name, "cpu") !== undefined) tf.unregisterKernel(forgetful.name, "cpu");
  });

  it("refuses a kernel twice", () => {
    implementKernel({ contract: forgetful, backend: "cpu", run });
    expect(() =>
      implementKernel({ contract: forgetful, backend: "cpu", run }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: BasicForgetful is already registered on backend "cpu". Register each kernel once, or unregister the first one. [E_KERNEL_DUPLICATE]]`,
    );
  });

  it("refuses a backend name that tfjs would split", () => {
    expect(() =>
      implementKernel({ contract: forgetful, backend: "my_device", run }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: implementKernel: the backend name "my_device" has an underscore, but tfjs splits its registry keys there. Register the backend under another name, for example "my-device". [E_CONFIG]]`,
    );
  });

  it("names the input of a contract that gets no gradient", () => {
    implementKernel({ contract: forgetful, backend: "cpu", run });
    const x = tf.scalar(2);
    const loss = () => runKernel(forgetful, { x }, {})[0] as tf.Scalar;
    expect(() => valueAndGradients(loss, [x])).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: BasicForgetful gives no gradient for \`x\`. Pass it through detach(). [E_NO_GRADIENT]]`,
    );
    x.dispose();
  });
});
