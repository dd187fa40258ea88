import { type DecoderConfig, IMAGE_NEWLINE } from "@basic-mllm/core";

import { fusedPlaces } from "./hf-fused.js";

/** Where the values of a parameter lie in a checkpoint. */
export interface Place {
  /** Names that the tensor may have: the first one that exists counts. */
  readonly names: readonly string[];
  /** Of the whole tensor. */
  readonly shape: readonly number[];
  /** The parameter is `rows` rows of the tensor, from this one on. */
  readonly firstRow: number;
  readonly rows: number;
}

/** From a parameter's name and shape to its place. */
export type PlaceOf = (name: string, shape: readonly number[]) => Place;

/** Places of whole tensors by their names. */
export function wholePlaces(namesOf: (name: string) => readonly string[]): PlaceOf {
  return (name, shape) => ({ names: namesOf(name), shape, firstRow: 0, rows: shape[0] ?? 1 });
}

/** Places of a vision tower: alone, in a CLIP, in a LLaVA. */
export const visionPlace: PlaceOf = wholePlaces(visionNames);

/** Places of a LLaVA's projector. */
export const projectorPlace: PlaceOf = wholePlaces(projectorNames);

/** Places of a language model: alone or in a LLaVA. */
export function languagePlace(config: DecoderConfig): PlaceOf {
  const place = wholePlaces(languageNames);
  return config.fusedProducts ? fusedPlaces(place, config) : place;
}

/** Where our `vision_model.X` may stand; the hub's name first. */
function visionNames(name: string): readonly string[] {
  const bare = name.replace(/^vision_model\./, "");
  return [
    name,
    bare,
    `vision_tower.${name}`,
    `vision_tower.${bare}`,
    `model.vision_tower.${name}`,
    `model.vision_tower.${bare}`,
    `model.vision_tower.vision_tower.${name}`,
    `dinov2.${name}`,
    `dinov2_with_registers.${name}`,
  ];
}

/**
 * Names that a projector's parameter may have in a checkpoint: Hugging Face's, LLaVA's, Honeybee's, TinyLLaVA's, Prismatic's.
 * All but the first count the GELUs between our `linear_N.X` as well.
 */
export function projectorNames(name: string): readonly string[] {
  if (name === IMAGE_NEWLINE) return [name, `model.${name}`];
  const [, layer, part] = /^linear_(\d+)\.(.+)$/.exec(name) ?? [];
  const counted = layer === undefined ? name : `${2 * (Number(layer) - 1)}.${part}`;
  return [
    `multi_modal_projector.${name}`,
    `model.multi_modal_projector.${name}`,
    ...COUNTED.map((prefix) => prefix + counted),
    // A single product has no place in a sequence.
    ...(layer === "1" ? [`model.mm_projector.${part}`, `mm_projector.${part}`] : []),
  ];
}

const COUNTED = [
  "model.mm_projector.",
  "mm_projector.",
  "abstractor.",
  "_connector.",
  "connector._connector.",
  "projector.",
];

/** Where our `model.X` and `lm_head.weight` may stand. */
export function languageNames(name: string): readonly string[] {
  const bare = name.replace(/^model\./, "");
  return [name, `language_model.${name}`, `model.language_model.${bare}`, `language_model.${bare}`];
}
