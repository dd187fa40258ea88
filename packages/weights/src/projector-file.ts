import { BasicError, formatShape, MlpProjector, type Projector } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { openSafetensors, writeSafetensors } from "./files.js";
import { tensorsOf } from "./parameter-tensors.js";

/** Name of a projector's file in a model folder. */
export const PROJECTOR_FILE = "mm_projector.safetensors";
/** LLaVA's mm_projector.bin counts the GELUs between the products as well. */
const PREFIX = "model.mm_projector.";
/** Tensors of a projector, whatever else a file holds. */
const projectorPattern = /(^|\.)(mm_projector|multi_modal_projector)\.|^linear_\d+\./;

/**
 * Writes the weights of a projector alone. A projector of ours has the names of LLaVA's mm_projector.bin
 * (`model.mm_projector.0.weight`), another one its own.
 *
 * @throws `BasicError` `E_DISK_FULL`.
 */
export async function saveProjector(path: string, projector: Projector): Promise<void> {
  await writeSafetensors(
    path,
    tensorsOf(projector.parameters, (name) => namesOf(projector, name)[0] ?? name),
  );
}

/**
 * Puts the weights of a projector's file into a projector of the same kind. LLaVA's names, those of a Hugging Face
 * folder and the projector's own are understood; other parts of a model in the file are left alone.
 *
 * @throws `BasicError` `E_WEIGHTS_MISSING` where the file or a tensor is absent, `E_WEIGHTS_FORMAT` for other shapes.
 */
export function loadProjector(path: string, projector: Projector): void {
  const file = openSafetensors(path);
  try {
    const found = [...projector.parameters].map((parameter) => {
      const names = namesOf(projector, parameter.name);
      const name = names.find((candidate) => file.has(candidate));
      if (name === undefined) {
        throw new BasicError(
          "E_WEIGHTS_MISSING",
          `${path} holds no tensor "${names[0]}" (or ${names.slice(1).join(", ")}); it holds ${file.names.slice(0, 4).join(", ")}. ` +
            "Is it a projector of another kind?",
        );
      }
      const { shape } = file.entry(name);
      if (shape.join() !== parameter.shape.join()) {
        throw new BasicError(
          "E_WEIGHTS_FORMAT",
          `${path}: tensor "${name}" has shape ${formatShape(shape)}, but the projector's is ${formatShape(parameter.shape)}. ` +
            "It was trained for another encoder or language model.",
        );
      }
      return { name, parameter, values: file.floats(name) };
    });
    const used = new Set(found.map(({ name }) => name));
    const left = file.names.find((name) => projectorPattern.test(name) && !used.has(name));
    if (left !== undefined) {
      throw new BasicError(
        "E_WEIGHTS_FORMAT",
        `${path} holds "${left}", which the projector has no place for. Name the projector that it was trained as, with its options (bias).`,
      );
    }
    for (const { parameter, values } of found) parameter.assign(tf.tensor(values, [...parameter.shape]));
  } finally {
    file.close();
  }
}

/** Names that a parameter may have in a file, the one that we write first. */
function namesOf(projector: Projector, name: string): readonly string[] {
  const [layer = "", part = ""] = name.split(".");
  const bare = [name, `multi_modal_projector.${name}`, `model.multi_modal_projector.${name}`];
  if (!(projector instanceof MlpProjector)) return bare;
  const index = 2 * (Number(layer.replace("linear_", "")) - 1);
  const alone = projector.layers.length === 1 ? [`${PREFIX}${part}`] : [];
  return [...alone, `${PREFIX}${index}.${part}`, `mm_projector.${index}.${part}`, ...bare];
}
