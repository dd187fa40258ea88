import { describe, expect, it } from "vitest";

import { progressNote } from "./progress-note.js";

describe("progressNote", () => {
  it("is the loss alone where no visual loss acts", () => {
    expect(progressNote({ loss: 1.23456 })).toBe("loss 1.235");
    expect(progressNote({ loss: 1, diagnostics: { cosine: 0.5 } })).toBe("loss 1.000");
  });

  it("adds the strongest visual loss and cos(v, v̂)", () => {
    const diagnostics = { ratioDirection: 0.125, ratioDistribution: 0.01, cosine: 0.456, normInitial: 3 };
    expect(progressNote({ loss: 1.23456, diagnostics })).toBe("loss 1.235 ratio 0.13 cos 0.46");
  });
});
