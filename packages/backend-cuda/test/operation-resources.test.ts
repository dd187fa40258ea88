import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { fetchWheels } from "@basic-mllm/cuda-emulator";
import { beforeAll, expect, it } from "vitest";

import { Nvrtc } from "../src/compile/nvrtc.js";
import { stockPrograms } from "../src/operations/programs.js";
import { architectures, occupancyOf, resourcesOf } from "./resources.js";

const folder = join(fileURLToPath(new URL("../../..", import.meta.url)), ".cache", "cuda", "resources");

let nvrtc: Nvrtc;

beforeAll(async () => {
  nvrtc = new Nvrtc((await fetchWheels()).nvrtc);
}, 600_000);

it.each(Object.keys(architectures).map(Number))(
  "kernels of stock operations spill nothing, have no stack and fill half of an SM on sm_%i",
  (architecture) => {
    const excesses = stockPrograms.flatMap((program) => {
      const own = resourcesOf(program, architecture, { nvrtc, folder }).find(
        ({ entry }) => entry === program.entry,
      );
      if (own === undefined) return [`${program.name}: ptxas says nothing about ${program.entry}`];
      const fits = own.spillBytes + own.stackBytes === 0 && occupancyOf(program, own, architecture) >= 0.5;
      return fits ? [] : [`${program.name}: ${JSON.stringify(own)}`];
    });
    expect(excesses).toEqual([]);
  },
  1_800_000,
);

it("no two kernels of stock operations have one name", () => {
  const names = stockPrograms.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});
