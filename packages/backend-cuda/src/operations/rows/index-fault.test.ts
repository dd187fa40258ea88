import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";

import { TEST_DEVICE } from "../../../test/device.js";
import { tensor } from "../../../test/stock.js";
import { start } from "../../index.js";

// In a file of its own: the device is of no use afterwards.
it("an index outside of the axis is a fault that names the kernel", async () => {
  await start(TEST_DEVICE);
  const rows = tf.gather(tensor([5, 8]), tf.tensor1d([4, 5], "int32"));
  await expect(rows.data()).rejects.toThrow(/GatherV2/);
});
