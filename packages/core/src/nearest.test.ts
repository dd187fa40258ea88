import { describe, expect, it } from "vitest";

import { didYouMean, nearestName } from "./nearest.js";

describe("nearestName", () => {
  it("finds the name that differs by a typing mistake", () => {
    expect(nearestName("losss", ["loss", "losses", "steps"])).toBe("loss");
    expect(nearestName("learnigRate", ["learningRate", "train"])).toBe("learningRate");
    expect(nearestName("Direction", ["direction", "distribution"])).toBe("direction");
  });

  it("finds a name that contains what was typed", () => {
    expect(nearestName("quick", ["smoke", "quickstart"])).toBe("quickstart");
  });

  it("finds nothing where no name is close", () => {
    expect(nearestName("zebra", ["loss", "steps"])).toBeUndefined();
    expect(didYouMean("zebra", ["loss", "steps"])).toBe("");
  });
});

describe("didYouMean", () => {
  it("ends a sentence", () => {
    expect(didYouMean("stpes", ["steps"])).toBe(' Did you mean "steps"?');
  });
});
