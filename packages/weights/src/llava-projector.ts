import { type BasicError, type BuiltInProjector, IMAGE_NEWLINE, MlpProjector } from "@basic-mllm/core";

/**
 * Makes the error of a program that cannot hold a model.
 *
 * @param what - The part.
 * @param possible - What to train with; the program has a default.
 */
export type Inexpressible = (what: string, expected: string, given: string, possible?: string) => BasicError;

/**
 * Checks that pictures are one image each.
 *
 * @throws What `inexpressible` makes of a projector of pictures in tiles.
 */
export function refuseTiles({ parameters }: BuiltInProjector, inexpressible: Inexpressible): void {
  if (!parameters.has(IMAGE_NEWLINE)) return;
  throw inexpressible("a picture", "one image", "tiles (anyres)", "model.imageAspectRatio pad or square");
}

/**
 * The projector of LLaVA, which is the one that other programs know.
 *
 * @throws What `inexpressible` makes of another one.
 */
export function requireLlavaProjector(
  projector: BuiltInProjector,
  inexpressible: Inexpressible,
): MlpProjector {
  const refuse = (given: string): BasicError => inexpressible("the projector", "mlp2x_gelu", given);
  if (!(projector instanceof MlpProjector)) throw refuse(projector.name);
  const { layers, factor, outputNorm } = projector;
  if (factor !== 1) throw refuse("a pixel shuffle");
  if (outputNorm !== "none") {
    throw inexpressible("the projector", "without a norm at its end", "one with `outputNorm`");
  }
  if (layers.length !== 2) throw refuse(layers.length === 1 ? "linear" : `${layers.length} products`);
  return projector;
}
