import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { setFallback } from "../kernels/run.js";
import { createRandom } from "../random.js";
import { centredGram, effectiveRank, meaningfulWords, visualDiagnostics } from "./diagnostics.js";

describe("meaningfulWords", () => {
  it("takes whole words of three letters or more, lower-cased, without the template's", () => {
    const words = meaningfulWords(["The topleft is LION ,", "a red sky?"], new Set(["the"]));
    expect([...words].sort()).toEqual(["lion", "red", "sky", "topleft"]);
  });
});

describe("effectiveRank", () => {
  it("counts directions of equal spread around the mean", () => {
    const cross = Float32Array.of(1, 0, 0, -1, 0, 0, 0, 1, 0, 0, -1, 0);
    expect(effectiveRank(cross, 3)).toBeCloseTo(2, 6);
  });

  it("is 1 for rows on a line and 0 for equal rows, whatever their common direction", () => {
    expect(effectiveRank(Float32Array.of(5, 1, 5, 2, 5, 3), 2)).toBeCloseTo(1, 6);
    expect(effectiveRank(Float32Array.of(5, 1, 5, 1), 2)).toBe(0);
  });

  it("is the same from either Gram matrix", () => {
    const wide = Float32Array.of(1, 2, 3, 4, 5, -1, 0, 2, 7, 1);
    const padded = new Float32Array(2 * 2);
    expect(effectiveRank(wide, 5)).toBeCloseTo(1, 6);
    expect(effectiveRank(padded, 2)).toBe(0);
  });
});

describe("centredGram", () => {
  beforeAll(async () => {
    await tf.setBackend("cpu");
    setFallback("reference");
  });

  const random = (height: number, width: number): Float32Array =>
    createRandom(3, "rows")
      .fillNormal(new Float32Array(height * width), 2)
      .map((value, i) => value + (i % 3));

  async function both(height: number, width: number) {
    const initial = random(height, width);
    const rows = tf.tensor2d(initial, [height, width]);
    const before = tf.memory().numTensors;
    const product = centredGram(rows);
    expect(tf.memory().numTensors).toBe(before + 1);
    const gram = (await product.data()) as Float32Array;
    tf.dispose([rows, product]);
    const sizes = {
      width,
      matches: new Int32Array(height),
      images: [],
      patchWeights: new Float32Array(height),
    };
    const found = visualDiagnostics({ initial, refined: initial, gram, ...sizes });
    return { gram, rank: found["effectiveRank"] as number, host: effectiveRank(initial, width) };
  }

  it.each([
    [40, 12],
    [12, 40],
    [300, 20],
  ])("gives the effective rank of [%i, %i] that the host finds", async (height, width) => {
    const { gram, rank, host } = await both(height, width);
    expect(gram).toHaveLength(Math.min(height, width) ** 2);
    expect(rank).toBeCloseTo(host, 4);
  });

  it("takes 256 rows where rows and columns are more", async () => {
    const { gram, rank } = await both(300, 280);
    expect(gram).toHaveLength(256 ** 2);
    expect(rank).toBeGreaterThan(100);
    expect(rank).toBeLessThan(256);
  });
});

describe("visualDiagnostics", () => {
  const rows = {
    initial: Float32Array.of(3, 4, 0, 0, 0, 2),
    refined: Float32Array.of(6, 8, 1, 0, -1, 0),
    width: 2,
    matches: Int32Array.of(7, 8, 7),
    patchWeights: Float32Array.of(0.25, 0.5, 0.5),
    images: [
      { sample: 0, start: 0, length: 2 },
      { sample: 2, start: 2, length: 1 },
    ],
  };

  it("measures lengths, angles, matches and the attention on the image", () => {
    const found = visualDiagnostics(rows);
    expect(found["normInitial"]).toBeCloseTo(7 / 3, 6);
    expect(found["normRefined"]).toBeCloseTo(4, 6);
    expect(found["cosine"]).toBeCloseTo(1 / 3, 6);
    expect(found["distinctMatches"]).toBe(2);
    expect(found["patchWeightSum"]).toBeCloseTo(0.625, 6);
    expect(found).not.toHaveProperty("meaningfulShare");
  });

  it("counts matches that are words of the sample, and of the patch", () => {
    const samples = [new Set(["lion"]), new Set<string>(), new Set(["tree", "lion"])];
    const words = { samples, rows: [new Set(["lion"]), new Set(["tree"]), new Set(["tree"])] };
    const decode = (token: number): string => (token === 7 ? " Lion" : "the");
    const found = visualDiagnostics({ ...rows, words, decode });
    expect(found["meaningfulShare"]).toBeCloseTo(2 / 3, 6);
    expect(found["strictShare"]).toBeCloseTo(1 / 3, 6);
    expect(visualDiagnostics({ ...rows, words: { samples }, decode })).not.toHaveProperty("strictShare");
  });
});
