import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeAll, describe, expect, it } from "vitest";

import { fitsDevice } from "./device-memory.js";
import "@tensorflow/tfjs-backend-cpu";

beforeAll(async () => {
  await tf.setBackend("cpu");
});
afterEach(() => {
  delete (tf.backend() as { deviceMemory?: unknown }).deviceMemory;
});

function withDevice(totalBytes?: number): void {
  (tf.backend() as { deviceMemory?: unknown }).deviceMemory = () => ({ usedBytes: 1e9, totalBytes });
}

const stages = [
  { stage: "align", device: 20e9 },
  { stage: "finetune", device: 70e9 },
];

describe("a run fits in device memory", () => {
  it("where its largest stage does", () => {
    withDevice(80e9);
    expect(fitsDevice(stages, undefined)).toMatchInlineSnapshot(
      `"fits: 70 GB of 80 GB of device memory, in stage "finetune""`,
    );
    expect(fitsDevice(stages.slice(0, 1), 24e9)).toMatchInlineSnapshot(
      `"fits: 20 GB of 24 GB of device memory, in stage "align""`,
    );
  });

  it("as far as anybody knows its size", () => {
    withDevice();
    expect(fitsDevice(stages, undefined)).toBeUndefined();
    expect(fitsDevice(stages, 80e9)).toContain("70 GB of 80 GB");
  });

  it("or not: which stage, and the sizes", () => {
    withDevice(80e9);
    expect(() => fitsDevice(stages, 24e9)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Stage "finetune" would take 70 GB of device memory, and there are 24 GB. Lower batchSize (and raise accumulate), or rowBudget where samples are packed, train fewer parts, store frozen weights packed, or take a larger GPU. [E_MEMORY_LIMIT]]`,
    );
  });

  it("and nobody asks where there is no device", () => {
    const onProcessor = stages.map(({ stage }) => ({ stage, device: null }));
    expect(fitsDevice(onProcessor, undefined)).toBeUndefined();
    expect(() => fitsDevice(onProcessor, 24e9)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: The memory of a device cannot be predicted on this backend, so --device-memory cannot hold. Use --backend cuda, or leave it out. [E_MEMORY_LIMIT]]`,
    );
  });
});
