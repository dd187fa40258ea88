import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, it } from "vitest";

it("the browser entry needs nothing of Node", async () => {
  const { metafile } = await build({
    entryPoints: [fileURLToPath(new URL("../src/browser.ts", import.meta.url))],
    bundle: true,
    platform: "browser",
    format: "esm",
    conditions: ["@basic-mllm/source"],
    write: false,
    metafile: true,
    logLevel: "silent",
  });
  const inputs = Object.keys(metafile.inputs);
  expect(inputs.some((name) => name.includes("safetensors-remote.ts"))).toBe(true);
  expect(inputs.filter((name) => name.startsWith("node:") || name.includes("@huggingface"))).toEqual([]);
});
