import { describe, expect, it } from "vitest";

import { createMemoryStore } from "./memory-store.js";
import { createMetricsWriter, METRICS_FILE, readMetrics, type WarningLine } from "./metrics.js";

const warning = (step: number): WarningLine => ({
  kind: "warning",
  stage: "align",
  step,
  globalStep: step,
  name: "test",
  text: "look",
});

describe("createMetricsWriter", () => {
  it("counts on from the lines that are there", async () => {
    const store = createMemoryStore();
    const writer = createMetricsWriter(store, 4);
    await writer.write(warning(1));
    await writer.write(warning(2));
    expect(writer.lines).toBe(6);
    expect(await readMetrics(store)).toEqual([warning(1), warning(2)]);
  });
});

describe("readMetrics", () => {
  it("leaves out a last line that a kill cut short", async () => {
    const store = createMemoryStore();
    await createMetricsWriter(store, 0).write(warning(1));
    const whole = await store.read(METRICS_FILE);
    await store.write(METRICS_FILE, new Uint8Array([...whole, ...new TextEncoder().encode('{"kind": "tr')]));
    expect(await readMetrics(store)).toEqual([warning(1)]);
  });

  it("finds nothing where nothing was written", async () => {
    expect(await readMetrics(createMemoryStore())).toEqual([]);
  });
});
