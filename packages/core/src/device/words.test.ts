import { expect, it } from "vitest";

import { asWords } from "./words.js";

it("gives arrays of four bytes an element as they are", () => {
  const [floats, integers] = [Float32Array.of(1.5, -0), Int32Array.of(7)];
  expect(asWords(floats, "float32")).toBe(floats);
  expect(asWords(integers, "int32")).toBe(integers);
  expect(asWords(integers, "bool")).toBe(integers);
});

it("converts what tfjs hands over in other arrays", () => {
  expect(asWords(Int32Array.of(-3, 2), "float32")).toEqual(Float32Array.of(-3, 2));
  expect(asWords(Uint8Array.of(1, 0, 255), "bool")).toEqual(Int32Array.of(1, 0, 255));
  expect(asWords(Float32Array.of(2.9, -2.9), "int32")).toEqual(Int32Array.of(2, -2));
});
