import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { pictureFolder } from "../test/fixture.js";
import { rejection } from "../test/rejection.js";
import { readDataset } from "./dataset.js";

let root = "";
let remove = async (): Promise<void> => {};

function record(id: string, image: string, answer: string) {
  const conversations = [
    { from: "human", value: "<image>\nwhat is it?" },
    { from: "gpt", value: answer },
  ];
  return { id, image, conversations };
}

beforeEach(async () => {
  const made = await pictureFolder({ "a.png": [1, 2, 3], "b.png": [4, 5, 6] });
  root = made.folder;
  remove = made.remove;
  const records = [record("1", "a.png", "lion"), record("2", "gone.png", "dog"), record("2", "b.png", "")];
  await writeFile(join(root, "data.json"), JSON.stringify(records));
});
afterEach(() => remove());

describe("readDataset", () => {
  it("names the missing picture and counts the samples that miss theirs", async () => {
    const text = await rejection(() => readDataset(join(root, "data.json")));
    expect(text.replaceAll(root, "…")).toMatchInlineSnapshot(
      `"sample "2" of …/data.json: there is no image "…/gone.png"; 1 of 3 samples miss theirs. Correct the image folder, or set onImageError to "skip-and-count". [E_IMAGE]"`,
    );
  });

  it("skips and counts samples whose picture is missing when asked to", async () => {
    const { samples, skipped, imageRoot } = await readDataset(join(root, "data.json"), {
      onImageError: "skip-and-count",
    });
    expect(samples.map(({ images }) => images[0])).toEqual(["a.png", "b.png"]);
    expect([skipped, imageRoot]).toEqual([[{ id: "2", image: "gone.png" }], root]);
  });

  it("uses the first samples only", async () => {
    expect((await readDataset(join(root, "data.json"), { limit: 1 })).samples).toHaveLength(1);
  });

  it("refuses a set whose pictures are all missing", async () => {
    await writeFile(join(root, "gone.json"), JSON.stringify([record("1", "gone.png", "x")]));
    const text = await rejection(() =>
      readDataset(join(root, "gone.json"), { onImageError: "skip-and-count" }),
    );
    expect(text.replaceAll(root, "…")).toMatchInlineSnapshot(
      `"…/gone.json: expected at least one sample whose image is there, got none of 1. Correct the image folder. [E_DATA_EMPTY]"`,
    );
  });

  it("refuses a file that is not there", async () => {
    const text = await rejection(() => readDataset(join(root, "none.json")));
    expect(text.replaceAll(root, "…")).toMatchInlineSnapshot(
      `"data set …/none.json: expected a file or a folder, and it cannot be read. Check the path. [E_DATA_FORMAT]"`,
    );
  });
});
