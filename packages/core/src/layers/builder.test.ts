import "@tensorflow/tfjs-backend-cpu";
import { expect, it } from "vitest";

import { ParameterSet } from "../parameters.js";
import { Builder, randomValues } from "./builder.js";

it("gives a parameter the same first values whatever was made before it", () => {
  const alone = randomValues(3)("a.weight", [2, 3], "weight");
  const source = randomValues(3);
  source("b.weight", [5, 7], "weight");
  expect(source("a.weight", [2, 3], "weight")).toEqual(alone);
  expect(source("c.weight", [2, 3], "weight")).not.toEqual(alone);
  expect(randomValues(4)("a.weight", [2, 3], "weight")).not.toEqual(alone);
});

it("starts norms at 1, Gemma's norms and biases at 0", () => {
  const source = randomValues(0);
  expect([...source("n", [2], "scale")]).toEqual([1, 1]);
  expect([...source("n", [2], "offset")]).toEqual([0, 0]);
  expect([...source("b", [2], "bias")]).toEqual([0, 0]);
});

it("scales residual matrices and follows the fan-in", () => {
  const plain = randomValues(0)("w", [40, 50], "weight");
  const residual = randomValues(0, { residual: 0.5 })("w", [40, 50], "residual");
  expect(residual.every((value, i) => Math.abs(value - (plain[i] ?? 0) / 2) < 1e-8)).toBe(true);
  const fanIn = randomValues(0, { weight: "fan-in" })("w", [40, 25, 4], "weight");
  expect(Math.max(...fanIn.map(Math.abs))).toBeLessThanOrEqual(0.1);
  expect(Math.max(...fanIn.map(Math.abs))).toBeGreaterThan(0.09);
});

it("names parameters by their path", () => {
  const parameters = new ParameterSet();
  const builder = new Builder(parameters, randomValues(0)).within("model").within("layers.0");
  builder.add("norm.weight", [4], "scale");
  expect(parameters.get("model.layers.0.norm.weight").shape).toEqual([4]);
  parameters.dispose();
});
