import { BuiltInProjector, IMAGE_NEWLINE, MlpProjector, type Projector } from "@basic-mllm/core";

import { tensorsOf } from "./parameter-tensors.js";
import { projectorNames } from "./places.js";
import { describeProjector } from "./projector-description.js";
import { safetensorsPieces } from "./safetensors-write.js";

/** LLaVA's mm_projector.bin counts the GELUs between the products as well. */
const PREFIX = "model.mm_projector.";

/**
 * The safetensors file of a projector, as bytes in pieces. A projector of ours has LLaVA's names in it, and its name and options in
 * the file's metadata.
 */
export function projectorPieces(projector: Projector): AsyncIterable<Uint8Array> {
  const tensors = tensorsOf(projector.parameters, (name) => projectorFileNames(projector, name)[0] ?? name);
  return safetensorsPieces(tensors, { metadata: { format: "pt", ...describeProjector(projector) } });
}

/** Names that a parameter may have in a file, the one that we write first. */
export function projectorFileNames(projector: Projector, name: string): readonly string[] {
  return [...new Set([writtenName(projector, name), name, ...projectorNames(name)])];
}

function writtenName(projector: Projector, name: string): string {
  if (name === IMAGE_NEWLINE) return `model.${name}`;
  if (!(projector instanceof BuiltInProjector)) return name;
  if (!(projector instanceof MlpProjector)) return PREFIX + name;
  const [layer = "", part = ""] = name.split(".");
  const alone = projector.layers.length === 1;
  return alone ? PREFIX + part : `${PREFIX}${2 * (Number(layer.replace("linear_", "")) - 1)}.${part}`;
}
