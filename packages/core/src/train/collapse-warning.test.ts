import { describe, expect, it } from "vitest";

import { collapseWarning, strengthWarning } from "./collapse-warning.js";

const start = { cosine: 0.24, distinctMatches: 92, normInitial: 8.3, ratioDirection: 0.2 };

describe("collapseWarning", () => {
  it("is silent without history, without visual rows and in a healthy run", () => {
    expect(collapseWarning([])).toBeNull();
    expect(collapseWarning([{}, {}])).toBeNull();
    expect(collapseWarning([start, { cosine: 0.55, distinctMatches: 158, normInitial: 9 }])).toBeNull();
  });

  it("needs both signs: a high cosine alone or fewer matches alone is no collapse", () => {
    expect(collapseWarning([start, { ...start, cosine: 0.97 }])).toBeNull();
    expect(collapseWarning([start, { ...start, distinctMatches: 12 }])).toBeNull();
  });

  it("is silent where no direction loss is set", () => {
    const { ratioDirection: _, ...plain } = start;
    expect(collapseWarning([plain, { cosine: 0.964, distinctMatches: 12, normInitial: 23.64 }])).toBeNull();
  });

  it("names the collapse, its signs and what to change", () => {
    const warning = collapseWarning([start, { cosine: 0.964, distinctMatches: 12, normInitial: 23.64 }]);
    expect(warning?.name).toBe("direction-collapse");
    expect(warning?.text).toMatchInlineSnapshot(
      `"Direction collapse: the visual embeddings drift to one common direction. cos(v, v̂) went 0.24 -> 0.96, distinct matched tokens 92 -> 12, |v| 8.3 -> 23.6. Do not trust the meaningful share now. Divide the weight of \`direction\` by ten, or start it in the finetune stage only; keep \`stopGradient: true\`; or use \`das-nce\` with weight 0.1, which tells rows apart."`,
    );
  });
});

describe("strengthWarning", () => {
  it("is silent below 0.3", () => {
    expect(strengthWarning({ ratioDirection: 0.2, ratioDistribution: 0.01, cosine: 0.9 })).toBeNull();
  });

  it("names the loss that is strong from the start", () => {
    expect(strengthWarning({ ratioDirection: 0.71, ratioDistribution: 0.01 })?.text).toMatchInlineSnapshot(
      `"Supervision starts strong against the language loss: ratioDirection 0.71 (λ · loss / language loss, usual below 0.3). Lower its weight, ramp it up, or check \`supervision.normalise\`: \`mean\` multiplies the patch weights by the number of visual rows."`,
    );
  });
});
