import { allContracts, setFallback } from "@basic-mllm/core";
import { checkCase } from "@basic-mllm/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { BACKEND_NAME, start } from "../src/index.js";
import { TEST_DEVICE } from "./device.js";

/** References add up in other orders than the kernels whose tolerances these are. */
const FACTOR = 4;

beforeAll(async () => {
  await start(TEST_DEVICE);
  for (const { name } of allContracts) {
    const kernel: unknown = tf.getKernel(name, BACKEND_NAME);
    if (kernel !== undefined) tf.unregisterKernel(name, BACKEND_NAME);
  }
  setFallback("reference");
});

describe("the stock operations, where no contract has a kernel", () => {
  it.each(allContracts.map((contract) => ({ name: contract.name, contract })))(
    "run the reference of $name, and its gradient",
    async ({ contract }) => {
      const [first] = contract.cases;
      if (first === undefined) expect.fail("no cases");
      expect(await checkCase(contract, first, FACTOR)).toEqual([]);
    },
  );
});
