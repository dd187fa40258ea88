import { readFileSync } from "node:fs";

import { expect, it } from "vitest";

import { NVRTC_PROTOTYPES } from "../src/compile/prototypes.js";
import { CUBLASLT_PROTOTYPES } from "../src/cublaslt/prototypes.js";
import { DRIVER_PROTOTYPES } from "../src/device/prototypes.js";

/** What `node benchmarks/cuda.mjs` starts the backend on. */
const idle = readFileSync(new URL("../../../benchmarks/cuda/idle.c", import.meta.url), "utf8");

it("the libraries that do nothing have every function that the backend calls", () => {
  const names = [DRIVER_PROTOTYPES, NVRTC_PROTOTYPES, CUBLASLT_PROTOTYPES].flatMap(Object.keys);
  expect(names.filter((name) => !new RegExp(`\\b${name}(_v2)?[()]`).test(idle))).toEqual([]);
});
