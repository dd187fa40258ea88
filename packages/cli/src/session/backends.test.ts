import { expect, it } from "vitest";

import { imaginesDevices } from "./backends.js";

it.each([
  ["cuda", true],
  ["cpu", false],
  ["tensorflow", false],
  ["tfjs:wasm", false],
  ["none", false],
])("knows whether %s can imagine a device: %s", async (name, imagines) => {
  expect(await imaginesDevices(name)).toBe(imagines);
});
