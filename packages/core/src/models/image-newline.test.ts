import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { valueAndGradients } from "../autodiff.js";
import { registerStockGradients } from "../gradients.js";
import { setFallback } from "../kernels/run.js";
import { createRandom } from "../random.js";
import { addImageNewline, arrangeRows, IMAGE_NEWLINE, NEWLINE_ROW } from "./image-newline.js";
import { createProjector } from "./projector/projector.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
  registerStockGradients();
  setFallback("reference");
});

/** Two pictures of which the first drops row 1, and the second uses its rows in another order. */
const arrangement = {
  order: Int32Array.of(0, 2, NEWLINE_ROW, 4, 3, NEWLINE_ROW),
  offsets: Int32Array.of(0, 3, 6),
};

function projected() {
  const rows = tf.tensor2d([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [5, 2]);
  return { rows, offsets: Int32Array.of(0, 3, 5), grids: [null, null] };
}

function projector() {
  return createProjector("identity", { features: 2, width: 2 });
}

describe("arrangeRows", () => {
  it("puts the rows in order and the newline at the end of each line", () => {
    const own = projector();
    addImageNewline(own, 2, createRandom(1)).assign(tf.tensor1d([-1, -2]));
    const { rows, offsets, grids } = arrangeRows(projected(), arrangement, own);
    expect(rows.arraySync()).toEqual([
      [1, 2],
      [5, 6],
      [-1, -2],
      [9, 10],
      [7, 8],
      [-1, -2],
    ]);
    expect([[...offsets], grids]).toEqual([
      [0, 3, 6],
      [null, null],
    ]);
  });

  it("gives the newline the sum of its gradients, and a dropped row none", () => {
    const own = projector();
    const newline = addImageNewline(own, 2, createRandom(1));
    const input = projected();
    const weights = tf.tensor2d([1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 7], [6, 2]);
    const { gradients } = valueAndGradients(
      () => tf.sum(tf.mul(arrangeRows(input, arrangement, own).rows, weights)),
      [newline.value, input.rows],
    );
    expect(gradients.map((gradient) => gradient?.arraySync())).toEqual([
      [9, 10],
      [
        [1, 1],
        [0, 0],
        [2, 2],
        [5, 5],
        [4, 4],
      ],
    ]);
  });

  it("says what is missing where the projector has no newline", () => {
    expect(() => arrangeRows(projected(), arrangement, projector())).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: The pictures of this batch are cut into tiles (anyres), but the projector has no \`image_newline\` to end their lines with. Call addImageNewline, or set model.imageAspectRatio to "anyres" in the recipe. [E_CONFIG]]`,
    );
  });
});

describe("addImageNewline", () => {
  it("is a parameter of the projector with deviation 1/√D", () => {
    const own = createProjector("linear", { features: 2, width: 1024 });
    addImageNewline(own, 1024, createRandom(3));
    const values = own.parameters.get(IMAGE_NEWLINE).value.dataSync<"float32">();
    const square = values.reduce((sum, value) => sum + value * value, 0);
    expect(square).toBeCloseTo(1, 1);
  });
});
