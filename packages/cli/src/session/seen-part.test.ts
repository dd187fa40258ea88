import { squareProcessor } from "@basic-mllm/data";
import { expect, it } from "vitest";

import { seenPart } from "./seen-part.js";

const wide = { width: 512, height: 256 };

it("is the whole picture, in its own proportions, where it is stretched to a square", () => {
  expect(seenPart(wide, squareProcessor(64))).toEqual({ left: 0, top: 0, width: 1, height: 1, aspect: 2 });
});

it("reaches over the picture where it is padded", () => {
  const seen = seenPart(wide, squareProcessor(64, { pad: true }));
  expect(seen).toEqual({ left: 0, top: -0.5, width: 1, height: 2, aspect: 1 });
});

it("is the middle where the picture is cropped", () => {
  const crop = { height: 128, width: 128 };
  const clip = squareProcessor(128, { resize: { shortestEdge: 128 }, crop });
  expect(seenPart(wide, clip)).toEqual({ left: 0.25, top: 0, width: 0.5, height: 1, aspect: 1 });
  const smaller = squareProcessor(128, { resize: { shortestEdge: 256 }, crop });
  expect(seenPart(wide, smaller)).toMatchObject({ top: 0.25, width: 0.25, height: 0.5, aspect: 1 });
});
