import { smoke } from "@basic-mllm/recipes";
import { expect, it } from "vitest";

import { prepare } from "../src/session/train-run.js";

it("starts the backend with the recipe's precision", async () => {
  const { device } = await prepare({ ...smoke, precision: "bf16" }, 1);
  expect(device).toMatch(/^native kernels, \w+, products in bf16, 1 thread$/);
  await expect(prepare({ ...smoke, precision: "f32" }, 1)).rejects.toThrow(
    'asked for f32, but "cpu" was started with bf16 in this process',
  );
});
