import { z } from "zod";

import { BasicError } from "../../errors.js";
import { explainIssues } from "../../explain-issues.js";
import type { NameFamily, ProjectorContext, ProjectorFactory } from "../../registry.js";
import { createProjector, type MlpProjector, mlpName, type ProjectorOptions } from "./projector.js";

const schema = z
  .strictObject({
    outputNorm: z.union([z.literal("none"), z.strictObject({ rms: z.number().positive() })]),
    bias: z.boolean(),
    factor: z.int().positive(),
  })
  .partial();

/** Projectors that a recipe may name, ready for the projector registry; {@link mlpProjectors} are those of more products. */
export const projectorFactories: Readonly<Record<string, ProjectorFactory>> = Object.fromEntries(
  ["identity", "linear", "mlp2x_gelu", "pixel-shuffle"].map((name) => [name, factoryOf(name)]),
);

/** `mlpNx_gelu` for any N from 2, ready for {@link Registry.defineFamily}. */
export const mlpProjectors: NameFamily<ProjectorFactory> = {
  label: "mlpNx_gelu",
  pattern: mlpName,
  make: factoryOf,
};

function factoryOf(name: string): ProjectorFactory {
  return (context: ProjectorContext): MlpProjector => createProjector(name, optionsFrom(name, context));
}

function optionsFrom(name: string, { features, width, random, options }: ProjectorContext): ProjectorOptions {
  const result = schema.safeParse(options);
  if (!result.success) {
    throw new BasicError(
      "E_RECIPE_INVALID",
      `Options of the projector "${name}" are not valid.\n${explainIssues(result.error, options)}\n` +
        "Known: outputNorm, bias, factor.",
    );
  }
  const given = Object.fromEntries(Object.entries(result.data).filter(([, value]) => value !== undefined));
  return { features, width, seed: random.int(2 ** 32), ...given };
}
