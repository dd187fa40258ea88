import { z } from "zod";

import { BasicError } from "../errors.js";
import { explainIssues } from "../explain-issues.js";
import type { ComponentOptions, LossFactory } from "../registry.js";
import { createDasNceLoss } from "./das-nce.js";
import { createDirectionLoss } from "./direction.js";
import { createDistributionLoss } from "./distribution.js";
import { createEmuL2Loss } from "./emu-l2.js";
import { createSmoothL1Loss } from "./smooth-l1.js";
import { createViralCosLoss } from "./viral-cos.js";
import { createViralGramLoss } from "./viral-gram.js";
import type { Normalise } from "./visual-loss.js";
import { createVwKlLoss } from "./vw-kl.js";

const normalise = z.enum(["none", "sum", "mean", "uniform"]);
const stopGradient = z.boolean();
const vocabulary = z.enum(["input", "head"]);
const positive = z.number().positive();

const schemas = {
  direction: z.strictObject({ normalise, stopGradient }),
  distribution: z.strictObject({ normalise, stopGradient, vocabulary, chunkBytes: z.int().positive() }),
  "das-nce": z.strictObject({
    tau: positive,
    negatives: z.enum(["micro-batch", "sample"]),
    normalise,
    stopGradient,
  }),
  "smooth-l1": z.strictObject({ delta: positive, stopGradient }),
  none: z.strictObject({}),
} as const;

/** Supervised losses that a recipe may name, ready for the loss registry (method.md, 5 and 6, and neighbours). */
export const visualLosses: Readonly<Record<string, LossFactory>> = {
  direction: ({ options }) => createDirectionLoss(checked("direction", schemas.direction, options)),
  distribution: ({ options }) =>
    createDistributionLoss(checked("distribution", schemas.distribution, options)),
  "das-nce": ({ options }) => createDasNceLoss(checked("das-nce", schemas["das-nce"], options)),
  "smooth-l1": ({ options }) => createSmoothL1Loss(checked("smooth-l1", schemas["smooth-l1"], options)),
  "emu-l2": ({ width, random, options }) => {
    checked("emu-l2", schemas.none, options);
    return createEmuL2Loss({ width, random });
  },
  "vw-kl": ({ options }) => {
    checked("vw-kl", schemas.none, options);
    return createVwKlLoss();
  },
  "viral-cos": ({ width, features, random, options }) => {
    checked("viral-cos", schemas.none, options);
    return createViralCosLoss({ width, featureWidth: features, random });
  },
  "viral-gram": ({ options }) => {
    checked("viral-gram", schemas.none, options);
    return createViralGramLoss();
  },
};

/** A recipe's `supervision`, as far as losses read it. */
export interface SupervisionOptions {
  readonly normalise?: Normalise;
  readonly stopGradient?: boolean;
  readonly vocabulary?: "input" | "head";
}

/** Which fields of `supervision` a loss takes over. `das-nce` keeps its own scale of patch weights. */
const inherited: Readonly<Record<string, readonly (keyof SupervisionOptions)[]>> = {
  direction: ["normalise", "stopGradient"],
  distribution: ["normalise", "stopGradient", "vocabulary"],
  "das-nce": ["stopGradient"],
  "smooth-l1": ["stopGradient"],
};

/**
 * Options of a loss in a recipe: what `supervision` says, overruled by the loss's own options.
 *
 * A loss that is not ours gets its own options alone.
 */
export function lossOptions(
  name: string,
  supervision: SupervisionOptions,
  own: ComponentOptions,
): ComponentOptions {
  const fields = inherited[name] ?? [];
  const taken = fields.filter((field) => supervision[field] !== undefined);
  return { ...Object.fromEntries(taken.map((field) => [field, supervision[field]])), ...own };
}

/** Options that are present and valid. Absent ones stay absent, so that the loss's defaults hold. */
function checked<Shape extends z.ZodRawShape>(
  loss: string,
  schema: z.ZodObject<Shape, z.core.$strict>,
  options: ComponentOptions,
): Partial<z.output<z.ZodObject<Shape, z.core.$strict>>> {
  const result = schema.partial().safeParse(options);
  if (!result.success) {
    throw new BasicError(
      "E_RECIPE_INVALID",
      `Options of the loss "${loss}" are not valid.\n${explainIssues(result.error, options)}\n` +
        `Known: ${Object.keys(schema.shape).join(", ") || "none"}.`,
    );
  }
  return result.data as Partial<z.output<z.ZodObject<Shape, z.core.$strict>>>;
}
