import { createRandom } from "@basic-mllm/core";
import { decodeImage, fitImage, type ImageProcessor, parseRecords, type Sample } from "@basic-mllm/data";
import {
  BACKGROUNDS,
  CELLS,
  composeScene,
  decodeSheet,
  makeSample,
  planScenes,
  SCENE_SIZE,
  type SceneOptions,
  type ScenePlan,
  type SceneSample,
  type SplitPlan,
  type SpriteSheet,
  STYLES,
} from "@basic-mllm/scenes";

import type { Picture, SceneChoices, SceneOrder } from "../protocol.js";
import { fetchBytes } from "./fetch-bytes.js";
import contents from "./sprites.json";

/** Draws every picture of the page in the page: scenes of the recipe, of the visitor, and files that were dropped. */
export class PictureMaker {
  readonly plan: ScenePlan;
  readonly #sheet: SpriteSheet;
  readonly #processor: ImageProcessor;

  constructor(sheet: SpriteSheet, options: SceneOptions, processor: ImageProcessor) {
    this.#sheet = sheet;
    this.#processor = processor;
    this.plan = planScenes(sheet, options);
  }

  get choices(): SceneChoices {
    const { pools } = this.plan.world;
    const { testStyle } = this.plan.manifest.options;
    const heldOut = new Set(pools.heldOut);
    const authors = new Map(this.#sheet.sources.map(({ style, author }) => [style, author]));
    return {
      concepts: this.#sheet.concepts.map(({ name }, index) => ({ name, heldOut: heldOut.has(index) })),
      styles: STYLES.map((name) => ({
        name,
        author: authors.get(name) ?? name,
        unseen: name === testStyle,
      })),
      cells: [...CELLS],
      backgrounds: BACKGROUNDS.map(([name]) => name),
    };
  }

  /** A set of the recipe. */
  split(name: string): SplitPlan {
    const found = this.plan.splits.find((split) => split.name === name);
    if (found === undefined) throw new Error(`the recipe's scenes have no set ${name}`);
    return found;
  }

  /** Scene `index` of a set, with its records. */
  scene(split: SplitPlan, index: number): SceneSample {
    return makeSample(this.plan.world, split, index);
  }

  /** A scene by an artist that training never shows. */
  unseen(index: number): Picture {
    const { testStyle } = this.plan.manifest.options;
    const { pixels, image, records } = this.scene(this.split(`test-${testStyle}`), index);
    const [object] = records[0]?.metadata.objects ?? [];
    const background = records[0]?.metadata.background ?? "";
    const caption = `${object?.name} ${object?.cell}, on ${background}`;
    return { name: image, width: SCENE_SIZE, height: SCENE_SIZE, pixels, caption };
  }

  /** What the visitor put together. */
  draw({ concept, style, cell, background }: SceneOrder, number: number): Picture {
    const cells = CELLS.map((_, place) => (place === cell ? concept : -1));
    const artist = STYLES[style] ?? STYLES[0];
    const random = createRandom(this.plan.world.seed, "visitor", number);
    const scene = { variant: "solo" as const, cells, background };
    const { pixels } = composeScene(random, this.#sheet, scene, [artist]);
    const caption = `${this.#sheet.concepts[concept]?.name} ${CELLS[cell]}, on ${BACKGROUNDS[background]?.[0]}`;
    return { name: `scene ${number}`, width: SCENE_SIZE, height: SCENE_SIZE, pixels, caption };
  }

  /** A file of the visitor, fitted for the encoder. @throws `BasicError` `E_IMAGE` where it is no picture. */
  async open(name: string, bytes: Uint8Array, number: number): Promise<Picture> {
    const image = fitImage(await decodeImage(bytes, name, { background: "white" }), this.#processor);
    return { name: `${name} (${number})`, ...image };
  }
}

/** The sprites that the page ships with. @param url - Of sprites.webp. */
export async function loadSheet(url: string): Promise<SpriteSheet> {
  const image = await decodeImage(await fetchBytes(url), "sprites.webp");
  return decodeSheet(image, contents as Omit<SpriteSheet, "pixels">);
}

/** The records of a scene as samples. */
export function samplesOf({ records }: SceneSample): readonly Sample[] {
  return parseRecords(JSON.stringify(records), "scene").samples;
}
