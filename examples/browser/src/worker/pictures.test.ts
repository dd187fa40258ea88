import { readFileSync } from "node:fs";

import { decodeImage } from "@basic-mllm/data";
import { decodeSheet, STYLES } from "@basic-mllm/scenes";
import { beforeAll, describe, expect, it } from "vitest";
import { PictureMaker, samplesOf } from "./pictures.js";
import { openProcessor } from "./processor.js";
import contents from "./sprites.json";

describe("PictureMaker", () => {
  let maker: PictureMaker;
  beforeAll(async () => {
    const file = readFileSync(new URL("../../public/sprites.webp", import.meta.url));
    const sheet = decodeSheet(
      await decodeImage(file, "sprites.webp"),
      contents as Parameters<typeof decodeSheet>[1],
    );
    maker = new PictureMaker(sheet, { variant: "solo" }, openProcessor());
  });

  it("has the things that the quickstart shows, and holds out the same", () => {
    const { concepts, styles } = maker.choices;
    expect(concepts.filter(({ heldOut }) => !heldOut)).toHaveLength(105);
    expect(concepts.filter(({ heldOut }) => heldOut).map(({ name }) => name)).toContain("penguin");
    expect(styles.filter(({ unseen }) => unseen).map(({ name }) => name)).toEqual(["noto"]);
  });

  it("draws what the visitor puts together", () => {
    const cat = maker.choices.concepts.findIndex(({ name }) => name === "cat");
    const order = { concept: cat, style: STYLES.indexOf("openmoji"), cell: 3, background: 6 };
    const { pixels, width, height, caption } = maker.draw(order, 0);
    expect(caption).toBe("cat bottomright, on blue");
    expect(pixels).toHaveLength(width * height * 3);
    expect([...pixels.subarray(0, 3)]).not.toEqual([0, 0, 0]);
    expect(maker.draw(order, 0).pixels).toEqual(pixels);
    expect(maker.draw(order, 1).pixels).not.toEqual(pixels);
  });

  it("gives the scenes of a set as samples", () => {
    const scene = maker.scene(maker.split("stage2"), 7);
    const [sample] = samplesOf(scene);
    expect(sample).toMatchObject({ id: "stage2-000007", images: [scene.image] });
    expect(sample?.conversations).toHaveLength(4);
  });

  it("fits a visitor's picture for the encoder", async () => {
    const bytes = readFileSync(new URL("../../../recipes/pictures/blue-circle.png", import.meta.url));
    const picture = await maker.open("mine.png", new Uint8Array(bytes), 3);
    expect(picture).toMatchObject({ name: "mine.png (3)", width: 64, height: 64 });
  });
});
