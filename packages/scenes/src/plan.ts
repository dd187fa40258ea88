import { BasicError } from "@basic-mllm/core";

import { conceptPools } from "./concepts.js";
import { createTopic } from "./language.js";
import type { SceneWorld, SplitPlan } from "./records.js";
import type { Variant } from "./scene.js";
import type { SpriteSheet } from "./sprite-sheet.js";
import { type ArtSource, STYLES, type Style } from "./styles.js";

const FORMAT = 4;

/** What to build. Every default is the quickstart's. */
export interface SceneOptions {
  /** Default `solo`. */
  readonly variant?: Variant;
  /** Scenes with captions. Default 8,000. */
  readonly train1?: number;
  /** Scenes with chat. Default 12,000. */
  readonly train2?: number;
  /** Scenes of each evaluation set. Default 400. */
  readonly test?: number;
  /** Default 0. */
  readonly seed?: number;
  /** The team that training never sees. Default `noto`. */
  readonly testStyle?: Style;
  /** The team of the `validation` set, to tune on. Default `twemoji`. */
  readonly validationStyle?: Style;
  /** Whether training leaves out the validation style, as it does the test style. Default false. */
  readonly excludeValidationStyle?: boolean;
  /** Concepts that training never shows. Default one in eight of the pool. */
  readonly heldOut?: number;
}

/** `manifest.json`: where a data set comes from. */
export interface SceneManifest {
  readonly format: number;
  readonly options: Required<Omit<SceneOptions, "heldOut">>;
  readonly trainStyles: readonly Style[];
  readonly art: readonly ArtSource[];
  readonly seen: readonly string[];
  readonly heldOut: readonly string[];
  /** Scenes and records of each set; the hash covers the records and the pixels. */
  readonly sets: Readonly<
    Record<string, { readonly scenes: number; readonly records: number; readonly sha256: string }>
  >;
}

/** What a build will draw. */
export interface ScenePlan {
  readonly world: SceneWorld;
  readonly splits: readonly SplitPlan[];
  readonly manifest: Omit<SceneManifest, "sets">;
}

/**
 * Decides concepts, styles and sets, and draws nothing yet: {@link makeSample} then draws any scene in memory.
 *
 * @throws `BasicError` `E_CONFIG` when the sheet has too few concepts for the task.
 */
export function planScenes(sheet: SpriteSheet, given: SceneOptions = {}): ScenePlan {
  const { heldOut, ...rest } = given;
  const options = { ...DEFAULTS, ...rest };
  const pools = conceptPools(sheet.concepts, heldOut);
  if (pools.seen.length < 2 || pools.heldOut.length < 2) {
    throw new BasicError(
      "E_CONFIG",
      `scenes: expected at least 2 seen and 2 held-out concepts, got ${pools.seen.length} and ${pools.heldOut.length}. ` +
        "Use more sprites or another heldOut.",
    );
  }
  const { testStyle, validationStyle, excludeValidationStyle, test } = options;
  const trainStyles = STYLES.filter(
    (style) => style !== testStyle && !(excludeValidationStyle && style === validationStyle),
  );
  const nameOf = (index: number): string => sheet.concepts[index]?.name ?? "";
  const world: SceneWorld = {
    sheet,
    pools,
    seen: createTopic(sheet.concepts, pools.seen),
    heldOut: createTopic(sheet.concepts, pools.heldOut),
    variant: options.variant,
    seed: options.seed,
  };
  const splits: readonly SplitPlan[] = [
    { name: "stage1", purpose: "captions", count: options.train1, styles: trainStyles },
    { name: "stage2", purpose: "chat", count: options.train2, styles: trainStyles },
    { name: "validation", purpose: "evaluation", count: test, styles: [validationStyle] },
    { name: `test-${testStyle}`, purpose: "evaluation", count: test, styles: [testStyle] },
    { name: "test-train-artists", purpose: "evaluation", count: test, styles: trainStyles },
    { name: "held-out", purpose: "held-out", count: test, styles: [testStyle] },
  ];
  const manifest = {
    format: FORMAT,
    options,
    trainStyles,
    art: sheet.sources,
    seen: pools.seen.map(nameOf),
    heldOut: pools.heldOut.map(nameOf),
  };
  return { world, splits, manifest };
}

const DEFAULTS = {
  variant: "solo",
  train1: 8000,
  train2: 12_000,
  test: 400,
  seed: 0,
  testStyle: "noto",
  validationStyle: "twemoji",
  excludeValidationStyle: false,
} as const satisfies SceneOptions;
