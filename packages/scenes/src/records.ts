import { createRandom, type Random } from "@basic-mllm/core";

import { composeScene } from "./compose.js";
import type { ConceptPools } from "./concepts.js";
import { pick } from "./draw.js";
import {
  askQuestion,
  askQuestions,
  captionOf,
  type Negative,
  type Question,
  type QuestionChoice,
  type QuestionType,
  type Topic,
} from "./language.js";
import { backgroundName, CELLS, drawScene, EMPTY, occupiedCells, type Scene, type Variant } from "./scene.js";
import type { SpriteSheet } from "./sprite-sheet.js";
import type { Style } from "./styles.js";

/** A record of the LLaVA format, with what the scene shows as metadata. */
export interface SceneRecord {
  readonly id: string;
  readonly image: string;
  readonly conversations: readonly { readonly from: "human" | "gpt"; readonly value: string }[];
  readonly metadata: SceneMetadata;
}

/** What a record says about its picture, and about its question in evaluation sets. */
export interface SceneMetadata {
  readonly variant: Variant;
  readonly background: string;
  readonly objects: readonly {
    readonly cell: string;
    readonly name: string;
    readonly kind: string;
    readonly style: string;
  }[];
  /** Words of what is drawn in each region, row by row: for the strict share of token matching. */
  readonly regions: {
    readonly grid: readonly [number, number];
    readonly words: readonly (readonly string[])[];
  };
  /** Evaluation sets only. `yes` and `no` are the two answers of yes/no questions. */
  readonly question?: QuestionType;
  /** Only with question `no`: how the absent thing was chosen. */
  readonly negative?: Negative;
  /** Evaluation sets only. */
  readonly answer?: string;
}

/** What a set of pictures is: its name, who draws it, what it says. */
export interface SplitPlan {
  /** `stage1`, `stage2`, or an evaluation set. */
  readonly name: string;
  readonly purpose: "captions" | "chat" | "evaluation" | "held-out";
  readonly count: number;
  readonly styles: readonly Style[];
}

/** A drawn scene with its records. */
export interface SceneSample {
  /** `[64, 64, 3]`. */
  readonly pixels: Uint8Array;
  readonly image: string;
  readonly records: readonly SceneRecord[];
}

/** What {@link makeSample} draws from. */
export interface SceneWorld {
  readonly sheet: SpriteSheet;
  readonly pools: ConceptPools;
  /** Concepts that training names. */
  readonly seen: Topic;
  /** Concepts that training never names. */
  readonly heldOut: Topic;
  readonly variant: Variant;
  readonly seed: number;
}

const TURNS: Readonly<Record<Variant, number>> = { solo: 2, grid: 4 };

const EVALUATED: Readonly<Record<Variant, readonly QuestionChoice[]>> = {
  solo: [
    { type: "name" },
    { type: "kind" },
    { type: "where" },
    { type: "color" },
    { type: "yes" },
    { type: "no", negative: "random" },
    { type: "no", negative: "adversarial" },
  ],
  grid: [
    { type: "name" },
    { type: "kind" },
    { type: "where" },
    { type: "count" },
    { type: "objects" },
    { type: "color" },
    { type: "yes" },
    { type: "yes" },
    { type: "no", negative: "random" },
    { type: "no", negative: "adversarial" },
  ],
};

const HELD_OUT: readonly QuestionChoice[] = [
  { type: "name" },
  { type: "kind" },
  { type: "yes" },
  { type: "no", negative: "random" },
];

/** Draws scene `index` of a set. It depends on the seed, the set's name and the index alone. */
export function makeSample(world: SceneWorld, split: SplitPlan, index: number): SceneSample {
  const random = createRandom(world.seed, "scene", split.name, index);
  const scene = drawScene(random, world.variant, world.pools.seen);
  const shown = split.purpose === "held-out" ? showHeldOut(random, world, scene) : scene;
  const picture = composeScene(random, world.sheet, shown, split.styles);
  const number = `${index}`.padStart(6, "0");
  const image = `images/${split.name}/${number.slice(0, 3)}/${number}.png`;
  const metadata = describe(world, shown, picture.styles);
  const id = `${split.name}-${number}`;
  return {
    pixels: picture.pixels,
    image,
    records: recordsOf({ random, world, split, shown, id, image, metadata }),
  };
}

/** Puts a concept that training never showed in place of one of the objects. */
function showHeldOut(random: Random, { pools }: SceneWorld, scene: Scene): Scene {
  const cell = pick(random, occupiedCells(scene));
  const concept = pick(random, pools.heldOut);
  // Nothing else in the picture, so that every question is about the new concept.
  return { ...scene, cells: scene.cells.map((_, other) => (other === cell ? concept : EMPTY)) };
}

interface Draft {
  readonly random: Random;
  readonly world: SceneWorld;
  readonly split: SplitPlan;
  readonly shown: Scene;
  readonly id: string;
  readonly image: string;
  readonly metadata: SceneMetadata;
}

function recordsOf({ random, world, split, shown, id, image, metadata }: Draft): readonly SceneRecord[] {
  if (split.purpose === "captions") {
    const caption = captionOf(random, world.seen, shown);
    const conversations = [
      { from: "human", value: "<image>" },
      { from: "gpt", value: caption },
    ] as const;
    return [{ id, image, conversations, metadata }];
  }
  if (split.purpose === "chat") {
    const questions = askQuestions(random, world.seen, shown, {
      count: TURNS[world.variant],
      about: "picture",
    });
    return [{ id, image, conversations: questions.flatMap(turns), metadata }];
  }
  const [topic, choices] =
    split.purpose === "held-out" ? [world.heldOut, HELD_OUT] : [world.seen, EVALUATED[world.variant]];
  return choices.map((choice, place) => {
    const question = askQuestion(random, topic, shown, choice);
    const { type, answer, negative } = question;
    const asked = { question: type, answer, ...(negative === undefined ? {} : { negative }) };
    return {
      id: `${id}-${place}`,
      image,
      conversations: turns(question, 0),
      metadata: { ...metadata, ...asked },
    };
  });
}

/** A question and its answer; the first question of a conversation shows the image. */
function turns({ question, answer }: Question, place: number): SceneRecord["conversations"] {
  return [
    { from: "human", value: place === 0 ? `<image>\n${question}` : question },
    { from: "gpt", value: answer },
  ];
}

function describe(
  { sheet, variant }: SceneWorld,
  scene: Scene,
  styles: readonly (Style | null)[],
): SceneMetadata {
  const background = backgroundName(scene.background);
  const objects = occupiedCells(scene).map((cell) => {
    const concept = sheet.concepts[scene.cells[cell] as number];
    return {
      cell: CELLS[cell] as string,
      name: concept?.name ?? "",
      kind: concept?.kind ?? "",
      style: styles[cell] ?? "",
    };
  });
  const words = scene.cells.map((index) => {
    const concept = sheet.concepts[index];
    if (concept === undefined) return [background];
    return [...new Set([concept.name, concept.kind, ...concept.tagWords].flatMap((text) => text.split(" ")))];
  });
  return { variant, background, objects, regions: { grid: [2, 2], words } };
}
