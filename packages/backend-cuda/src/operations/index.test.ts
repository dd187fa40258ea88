import { readFileSync } from "node:fs";

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, it } from "vitest";

import { TEST_DEVICE } from "../../test/device.js";
import { BACKEND_NAME, start } from "../index.js";
import { stockKernels } from "./index.js";

beforeAll(() => start(TEST_DEVICE));

/** Operations of tfjs whose kernel has another name. */
const KERNELS: Readonly<Record<string, string>> = {
  mul: "Multiply",
  div: "RealDiv",
  clone: "Identity",
  where: "Select",
  pad: "PadV2",
  stack: "Pack",
  unstack: "Unpack",
  split: "SplitV",
  gather: "GatherV2",
  matMul: "BatchMatMul",
};

it("has a kernel for every operation that losses may use", () => {
  const page = readFileSync(new URL("../../../../docs/writing-a-loss.md", import.meta.url), "utf8");
  const section = page.split("## Operations with a gradient")[1]?.split("\n\n")[2] ?? "";
  const listed = [...section.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name);
  const known = Object.values(stockKernels).flat();
  const kernels = listed.map((name) => KERNELS[name] ?? name.charAt(0).toUpperCase() + name.slice(1));
  expect(kernels.length).toBeGreaterThan(40);
  expect(kernels.filter((name) => !known.includes(name))).toEqual([]);
});

it("has each kernel in one family, and an error for every other operation of tfjs", () => {
  const known = Object.values(stockKernels).flat();
  expect(new Set(known).size).toBe(known.length);
  const registered = tf.getKernelsForBackend(BACKEND_NAME).map(({ kernelName }) => kernelName);
  expect(known.filter((name) => !registered.includes(name))).toEqual([]);
  expect(registered).toContain(tf.Conv2D);
});
