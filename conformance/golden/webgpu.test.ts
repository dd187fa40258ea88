import { fileURLToPath } from "node:url";

import { expect, it } from "vitest";

import { main } from "./main.js";

const root = fileURLToPath(new URL("../../golden", import.meta.url));

it("the goldens of losses and operations hold on WebGPU, within the factor that it declares", async () => {
  const lines: string[] = [];
  const { failed } = await main({
    root,
    backend: "webgpu",
    wanted: ["losses", "ops"],
    log: (line) => lines.push(line),
  });
  expect(lines.filter((line) => !line.startsWith("ok"))).toEqual([]);
  expect(failed).toBe(false);
}, 240_000);
