import { createRandom } from "@basic-mllm/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { plainSheet } from "../test/sheet.js";
import { composeScene, SCENE_BYTES, SCENE_SIZE } from "./compose.js";
import { askQuestion, askQuestions, captionOf, createTopic, type Question } from "./language.js";
import {
  backgroundName,
  CELLS,
  type Cell,
  drawScene,
  EMPTY,
  occupiedCells,
  presentConcepts,
  type Scene,
  type Variant,
} from "./scene.js";

const sheet = plainSheet();
const pool = sheet.concepts.map((_, index) => index);
const topic = createTopic(sheet.concepts, pool);
const anyScene = fc.tuple(fc.nat(), fc.constantFrom<Variant>("solo", "grid")).map(([seed, variant]) => ({
  random: createRandom(seed),
  scene: drawScene(createRandom(seed), variant, pool),
}));

describe("drawScene", () => {
  it("puts one object in a quadrant under solo, and one to four under grid", () => {
    fc.assert(
      fc.property(anyScene, ({ scene }) => {
        const count = presentConcepts(scene).length;
        expect(count).toBeGreaterThanOrEqual(1);
        expect(count).toBeLessThanOrEqual(scene.variant === "solo" ? 1 : 4);
        expect(scene.cells).toHaveLength(4);
      }),
    );
  });
});

describe("composeScene", () => {
  it("paints each object inside of its quadrant and leaves empty ones one colour", () => {
    fc.assert(
      fc.property(anyScene, ({ random, scene }) => {
        const { pixels, styles } = composeScene(random, sheet, scene, ["noto", "twemoji"]);
        expect(pixels).toHaveLength(SCENE_BYTES);
        for (const [cell, concept] of scene.cells.entries()) {
          expect(colorsIn(pixels, cell).size > 1).toBe(concept !== EMPTY);
          expect(styles[cell] !== null).toBe(concept !== EMPTY);
        }
      }),
      { numRuns: 30 },
    );
  });
});

/** Colours of a quadrant. */
function colorsIn(pixels: Uint8Array, cell: number): Set<string> {
  const colors = new Set<string>();
  for (let y = 0; y < 32; y++) {
    for (let x = 0; x < 32; x++) {
      const at = ((Math.floor(cell / 2) * 32 + y) * SCENE_SIZE + (cell % 2) * 32 + x) * 3;
      colors.add(pixels.subarray(at, at + 3).join());
    }
  }
  return colors;
}

describe("captionOf", () => {
  it("names every object with its quadrant, and the background", () => {
    const scene = { variant: "grid", cells: [0, EMPTY, 12, EMPTY], background: 2 } as const;
    const caption = captionOf(createRandom(1), topic, scene);
    expect([
      "the topleft is lion, the bottomleft is apple, the background is red.",
      "the bottomleft is apple, the topleft is lion, the background is red.",
    ]).toContain(caption);
  });
});

describe("questions", () => {
  it("are answered by what the scene shows", () => {
    fc.assert(
      fc.property(anyScene, ({ random, scene }) => {
        for (const asked of askQuestions(random, topic, scene, { count: 6, about: "picture" }))
          expectRight(asked, scene);
      }),
    );
  });

  it("take adversarial negatives of the same kind", () => {
    const scene = { variant: "solo", cells: [0, EMPTY, EMPTY, EMPTY], background: 0 } as const;
    for (let seed = 0; seed < 20; seed++) {
      const random = createRandom(seed);
      const { question, negative } = askQuestion(random, topic, scene, {
        type: "no",
        negative: "adversarial",
      });
      const named = /is there a (.*) in the image/.exec(question)?.[1];
      expect(negative).toBe("adversarial");
      expect(sheet.concepts.find(({ name }) => name === named)?.kind).toBe("mammal");
    }
  });

  it("count what there is", () => {
    const scene = { variant: "grid", cells: [0, 0, 3, EMPTY], background: 0 } as const;
    const all = askQuestion(createRandom(0), topic, scene, { type: "objects" });
    expect(all).toEqual({ type: "count", question: "how many objects are there?", answer: "three" });
    const one = askQuestion(createRandom(0), topic, scene, { type: "where" });
    expect(one).toEqual({ type: "where", question: "where is the tiger?", answer: "bottomleft" });
    expect(occupiedCells(scene)).toEqual([0, 1, 2]);
  });
});

function expectRight({ type, question, answer }: Question, scene: Scene): void {
  const present = presentConcepts(scene).map((concept) => sheet.concepts[concept]?.name ?? "");
  const named = /is there a (.*) in the image/.exec(question)?.[1] ?? "";
  if (type === "yes" || type === "no") expect(present.includes(named)).toBe(type === "yes");
  if (type === "color") expect(answer).toBe(backgroundName(scene.background));
  if (type === "name") expect([...present, "nothing"]).toContain(answer);
  if (type === "where") expect(scene.cells[CELLS.indexOf(answer as Cell)]).not.toBe(EMPTY);
}
