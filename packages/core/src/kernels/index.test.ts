import { expect, it } from "vitest";

import { allContracts } from "./index.js";

it("gives every contract a name of its own, without the underscore that tfjs splits at", () => {
  const names = allContracts.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(names.filter((name) => !/^Basic[A-Za-z0-9]+$/.test(name))).toEqual([]);
});

it("differentiates only inputs that exist, and nothing of backward and update contracts", () => {
  const wrong = allContracts.filter(
    ({ inputs, differentiable, gradient, save }) =>
      differentiable.some((name) => !inputs.includes(name)) ||
      save.inputs.some((name) => !inputs.includes(name)) ||
      (gradient === null) !== (differentiable.length === 0),
  );
  expect(wrong.map(({ name }) => name)).toEqual([]);
});

it("has cases for every contract, each under its own title and inside its own shapes", () => {
  for (const { name, cases, infer } of allContracts) {
    const titles = cases.map(({ title }) => title);
    expect(titles.length, name).toBeGreaterThan(0);
    expect(new Set(titles).size, name).toBe(titles.length);
    for (const { inputs, attrs } of cases) {
      const shapes = Object.fromEntries(Object.entries(inputs).map(([input, { shape }]) => [input, shape]));
      expect(infer(shapes, attrs).length, name).toBeGreaterThan(0);
      for (const { shape, values } of Object.values(inputs)) {
        const count = shape.reduce((product, length) => product * length, 1);
        expect(values?.length ?? count, name).toBe(count);
      }
    }
  }
});
