import { BuiltInProjector, IMAGE_NEWLINE, MlpProjector, type Projector } from "@basic-mllm/core";

import { tensorsOf } from "./parameter-tensors.js";
import { projectorNames } from "./places.js";
import type { LazyTensor } from "./safetensors-write.js";

/** LLaVA's mm_projector.bin counts the GELUs between the products as well. */
const PREFIX = "model.mm_projector.";

/**
 * The tensors of a projector's file, with LLaVA's names for a projector of ours: {@link safetensorsPieces} makes its bytes of them, also in
 * a browser.
 */
export function projectorTensors(projector: Projector): readonly LazyTensor[] {
  return tensorsOf(projector.parameters, (name) => projectorFileNames(projector, name)[0] ?? name);
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
