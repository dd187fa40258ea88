import type { Recipe } from "@basic-mllm/core";
import { tinyEncoder } from "@basic-mllm/recipes";
import { expect, it, vi } from "vitest";

import type { Terminal } from "../terminal.js";
import { builderOptions, openSprites } from "./scenes.js";

const { loadSprites } = vi.hoisted(() => ({ loadSprites: vi.fn() }));
vi.mock(import("@basic-mllm/scenes"), async (original) => ({ ...(await original()), loadSprites }));

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

it("stops its progress bar where drawing fails: one that goes on keeps the process alive", async () => {
  const stop = vi.fn();
  const terminal = { progress: () => ({ update: () => undefined, stop }) } as unknown as Terminal;
  loadSprites.mockImplementation(async ({ onProgress }) => {
    onProgress(1, 6);
    throw new Error("no space");
  });
  await expect(openSprites({ terminal, cache: "" })).rejects.toThrow("no space");
  expect(stop).toHaveBeenCalledOnce();
});
