import { expect, it } from "vitest";

import { targetFor } from "./target.js";

const KNOWN = [75, 80, 86, 90, 120];

it("is the machine code of exactly the device where the compiler knows it", () => {
  expect(targetFor(86, KNOWN, "cubin")).toEqual({ kind: "cubin", architecture: "sm_86" });
});

it("is PTX of the newest older architecture otherwise, or where it was asked for", () => {
  expect(targetFor(103, KNOWN, "cubin")).toEqual({ kind: "ptx", architecture: "compute_90" });
  expect(targetFor(121, KNOWN, "cubin")).toEqual({ kind: "ptx", architecture: "compute_120" });
  expect(targetFor(86, KNOWN, "ptx")).toEqual({ kind: "ptx", architecture: "compute_86" });
});

it("is nothing for a device that is older than all", () => {
  expect(targetFor(70, KNOWN, "cubin")).toBeUndefined();
});
