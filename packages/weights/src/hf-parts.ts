import {
  type BuiltInProjector,
  createDecoder,
  createProjector,
  createVit,
  type Decoder,
  type DecoderConfig,
  IMAGE_NEWLINE,
  Parameter,
  type ParameterSet,
  parameterShapes,
  type ValueSource,
  type Vit,
  type VitConfig,
  type VitOptions,
  valuesOf,
} from "@basic-mllm/core";

import type { LlavaConfig } from "./hf-config.js";
import { languageNames, languagePlace, type PlaceOf, projectorPlace, visionPlace } from "./places.js";
import { type FieldStyle, fieldsOf, type PartName } from "./shape-fields.js";
import type { WantedTensor } from "./weight-check.js";

/** A model, or a part of one. */
export interface Parameterised {
  readonly parameters: ParameterSet;
}

/** A part of a checkpoint, ready to be made of its values. */
export interface Part<M extends Parameterised> {
  readonly name: PartName;
  readonly make: (values: ValueSource) => M;
  readonly place: PlaceOf;
  readonly style: FieldStyle;
  /** Tensors that may be stored without a place in the model. */
  readonly spare: readonly string[];
}

/** @param nested - Whether it is the tower of a LLaVA. */
export function visionPart(
  config: VitConfig,
  { layer, select }: Pick<VitOptions, "layer" | "select">,
  nested = false,
): Part<Vit> {
  const run = { ...(layer !== undefined && { layer }), ...(select !== undefined && { select }) };
  return {
    name: "vision",
    make: (values) => createVit(config, { ...run, values }),
    place: visionPlace,
    style: { nested, ratio: config.names === "dinov2" },
    spare: [],
  };
}

/** @param nested - Whether it is the language model of a LLaVA. */
export function languagePart(config: DecoderConfig, nested = false): Part<Decoder> {
  return {
    name: "language",
    make: (values) => createDecoder(config, { values }),
    place: languagePlace(config),
    style: { nested, ratio: false },
    // A tied head is sometimes stored all the same.
    spare: config.tiedHead ? languageNames("lm_head.weight") : [],
  };
}

export function projectorPart({
  projector,
  vision,
  language,
  gridPinpoints,
}: LlavaConfig): Part<BuiltInProjector> {
  const { width, vocabularySize } = language;
  const place = { features: vision.width, width, patches: patchesOf(vision), vocabularySize };
  return {
    name: "projector",
    make: (values) => {
      const made = createProjector(projector.name, { ...projector.options, ...place, values });
      if (gridPinpoints !== undefined) {
        const newline = valuesOf(values, IMAGE_NEWLINE, [width], "embedding");
        made.parameters.add(new Parameter(IMAGE_NEWLINE, newline, [width]));
      }
      return made;
    },
    place: projectorPlace,
    style: { nested: true, ratio: false },
    spare: [],
  };
}

/** Patches of a picture of the encoder's own size. */
function patchesOf({ imageSize, patchSize }: VitConfig): readonly [number, number] {
  const side = Math.floor(imageSize / patchSize);
  return [side, side];
}

/** What parts need of a checkpoint, and how many values their largest parameter has. */
export function planParts(parts: readonly Part<Parameterised>[]): {
  readonly wanted: readonly WantedTensor[];
  readonly largest: number;
} {
  const wanted = new Map<string, WantedTensor>();
  let largest = 0;
  for (const { name: part, make, place, style } of parts) {
    parameterShapes(make, (name, own) => {
      const { names, shape } = place(name, own);
      const [first = ""] = names;
      // Parts of a fused tensor are one tensor.
      wanted.set(`${part} ${first}`, { names, shape, fields: fieldsOf(part, first, style) });
      largest = Math.max(
        largest,
        own.reduce((size, dimension) => size * dimension, 1),
      );
    });
  }
  return { wanted: [...wanted.values()], largest };
}
