import { z } from "zod";

import { BasicError } from "../../errors.js";
import type { ProjectorContext, ProjectorFactory } from "../../registry.js";
import { createProjector, type MlpProjector, type ProjectorOptions } from "./projector.js";

const schema = z
  .strictObject({
    outputNorm: z.union([z.literal("none"), z.strictObject({ rms: z.number().positive() })]),
    bias: z.boolean(),
    factor: z.int().positive(),
  })
  .partial();

/** Projectors that a recipe may name, ready for the projector registry. */
export const projectorFactories: Readonly<Record<string, ProjectorFactory>> = Object.fromEntries(
  ["identity", "linear", "mlp2x_gelu", "mlp3x_gelu", "mlp4x_gelu", "pixel-shuffle"].map((name) => [
    name,
    (context: ProjectorContext): MlpProjector => createProjector(name, optionsFrom(name, context)),
  ]),
);

function optionsFrom(name: string, { features, width, random, options }: ProjectorContext): ProjectorOptions {
  const result = schema.safeParse(options);
  if (!result.success) {
    throw new BasicError(
      "E_RECIPE_INVALID",
      `Options of the projector "${name}" are not valid.\n${z.prettifyError(result.error)}\n` +
        "Known: outputNorm, bias, factor.",
    );
  }
  const given = Object.fromEntries(Object.entries(result.data).filter(([, value]) => value !== undefined));
  return { features, width, seed: random.int(2 ** 32), ...given };
}
