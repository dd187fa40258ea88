import { describe, expect, it } from "vitest";

import { defineLoss, loadPlugins, losses, Registry } from "./registry.js";

describe("Registry", () => {
  const sizes = new Registry<number>("projector");
  sizes.define("mlp2x_gelu", 2);
  sizes.define("linear", 1);

  it("gives back what was defined, and lists names in order", () => {
    expect(sizes.get("linear")).toBe(1);
    expect(sizes.has("mlp")).toBe(false);
    expect(sizes.list()).toEqual(["linear", "mlp2x_gelu"]);
  });

  it("offers the nearest name for an unknown one", () => {
    expect(() => sizes.get("mlp2xgelu")).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: There is no projector "mlp2xgelu". Did you mean "mlp2x_gelu"? Known: linear, mlp2x_gelu. Your own needs its package in the recipe's \`plugins\`. [E_NAME_UNKNOWN]]`,
    );
  });

  it("says so where nothing is defined", () => {
    expect(() => new Registry("loss").get("x")).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: There is no loss "x". Known: none. Your own needs its package in the recipe's \`plugins\`. [E_NAME_UNKNOWN]]`,
    );
  });

  it("refuses a name twice", () => {
    expect(() => sizes.define("linear", 3)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: There is already a projector "linear". Give yours another name. [E_NAME_DUPLICATE]]`,
    );
  });
});

describe("loadPlugins", () => {
  it("imports each package, which then defines its parts", async () => {
    await loadPlugins(["my-losses"], async () => {
      defineLoss("registry-test", () => ({
        name: "registry-test",
        needs: {},
        compute: () => {
          throw new Error("unused");
        },
      }));
    });
    expect(losses.has("registry-test")).toBe(true);
  });

  it("names the plugin that cannot be loaded, and why", async () => {
    const importer = () => Promise.reject(new Error("Cannot find package 'my-losses'"));
    await expect(loadPlugins(["my-losses"], importer)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Plugin "my-losses" could not be loaded: Cannot find package 'my-losses'. Install it beside the recipe, or remove it from \`plugins\`. [E_PLUGIN]]`,
    );
  });

  it("imports for real by default", async () => {
    await expect(loadPlugins(["@basic-mllm/not-there"])).rejects.toThrow(
      /"@basic-mllm\/not-there" could not/,
    );
  });
});
