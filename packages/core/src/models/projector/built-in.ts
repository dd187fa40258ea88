import type { NameFamily, ProjectorContext, ProjectorFactory } from "../../registry.js";
import type { BuiltInProjector } from "./built-in-projector.js";
import { mlpPattern } from "./mlp.js";
import { checkProjectorOptions, createProjector, projectorNames } from "./projector.js";

/** Label of {@link mlpProjectors}. */
const FAMILY = "mlpNx_gelu";

/** Projectors that a recipe may name, ready for the projector registry; {@link mlpProjectors} are those of more products. */
export const projectorFactories: Readonly<Record<string, ProjectorFactory>> = Object.fromEntries(
  projectorNames.filter((name) => name !== FAMILY).map((name) => [name, factoryOf(name)]),
);

/** `mlpNx_gelu` for any N from 2, ready for {@link Registry.defineFamily}. */
export const mlpProjectors: NameFamily<ProjectorFactory> = {
  label: FAMILY,
  pattern: mlpPattern,
  make: factoryOf,
};

function factoryOf(name: string): ProjectorFactory {
  return ({ random, options, ...place }: ProjectorContext): BuiltInProjector => {
    checkProjectorOptions(name, options);
    return createProjector(name, { ...options, ...place, seed: random.int(2 ** 32) });
  };
}
