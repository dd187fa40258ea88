import { fileURLToPath } from "node:url";

import { describe, expect, it } from "vitest";

import { main } from "./main.js";

const root = fileURLToPath(new URL("../../golden", import.meta.url));

describe("the goldens on the embedded backend", () => {
  it("hold for the losses, the operations, the projectors and LLaVA from pixels to training runs", async () => {
    const lines: string[] = [];
    const { summary, failed } = await main({
      root,
      backend: "cpu",
      wanted: ["losses", "ops", "projectors", "llava"],
      log: (line) => lines.push(line),
    });
    expect(lines.filter((line) => !line.startsWith("ok"))).toEqual([]);
    expect(failed).toBe(false);
    for (const { passed, worst } of Object.values(summary)) {
      expect(passed).toBeGreaterThan(0);
      expect(worst).toBeLessThanOrEqual(1);
    }
  });
});
