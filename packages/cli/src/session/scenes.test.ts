import type { Recipe } from "@basic-mllm/core";
import { tinyEncoder } from "@basic-mllm/recipes";
import { expect, it } from "vitest";

import { builderOptions } from "./scenes.js";

const withOptions = (options: Record<string, unknown>): Recipe => ({
  ...tinyEncoder,
  data: { ...tinyEncoder.data, builder: { name: "scenes-pixels", options } },
});

it("builderOptions gives the options that a builder uses, and refuses those that would do nothing", () => {
  expect(builderOptions(tinyEncoder, ["testStyle", "variant"])).toEqual({ variant: "grid" });
  expect(() => builderOptions(withOptions({ variant: "grid", train1: 5 }), ["variant"])).toThrow(
    'The builder "scenes-pixels" does not use train1: remove it from data.builder.options. Known: variant. [E_RECIPE_INVALID]',
  );
  expect(() => builderOptions(withOptions({ variant: "cube" }), ["variant"])).toThrow(
    'Options of the builder "scenes-pixels" are not valid.\n✖ Invalid option: expected one of "solo"|"grid", got "cube"',
  );
});
