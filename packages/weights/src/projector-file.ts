import { BasicError, formatShape, IMAGE_NEWLINE, type Projector } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { openSafetensors, writeAtomically } from "./files.js";
import { checkOutputNorm } from "./projector-description.js";
import { projectorFileNames, projectorPieces } from "./projector-pieces.js";
import type { TensorFile } from "./safetensors.js";
import { readTorchFile } from "./torch/torch-file.js";

/** Name of a projector's file in a model folder. */
export const PROJECTOR_FILE = "mm_projector.safetensors";
/** Tensors of a projector, whatever else a file holds. */
const projectorPattern =
  /(^|\.)(mm_projector|multi_modal_projector|abstractor|_connector)\.|^linear_\d+\.|^projector\.\d+\.|(^|\.)image_newline$/;

/**
 * Writes the weights of a projector alone. A projector of ours has the names of LLaVA's mm_projector.bin
 * (`model.mm_projector.0.weight`) or of one that its authors trained with LLaVA's code, another one its own. Name and
 * options of one of ours are in the file's metadata.
 *
 * @throws `BasicError` `E_DISK_FULL`.
 */
export async function saveProjector(path: string, projector: Projector): Promise<void> {
  await writeAtomically(path, projectorPieces(projector));
}

/**
 * Puts the weights of a projector's file (safetensors, or LLaVA's mm_projector.bin) into a projector of the same kind.
 * LLaVA's names (MobileVLM's and LangBridge's are like them), those of a Hugging Face folder, of Honeybee, TinyLLaVA and
 * Prismatic, and the projector's own are understood; other parts of a model in the file are left alone. Constants stay as
 * they are where the file has none. A file of a stage whose pictures were not cut into tiles has no `image_newline`: the
 * projector's own then stays too.
 *
 * @returns Names of the parameters that stay as they are.
 * @throws `BasicError` `E_WEIGHTS_MISSING` where the file or a tensor is absent, `E_WEIGHTS_FORMAT` for other shapes,
 *   or another `outputNorm`.
 */
export function loadProjector(path: string, projector: Projector): readonly string[] {
  const file = openTensors(path);
  try {
    checkOutputNorm(file, projector);
    const kept: string[] = [];
    const found = [...projector.parameters].flatMap((parameter) => {
      const names = projectorFileNames(projector, parameter.name);
      const name = names.find((candidate) => file.has(candidate));
      if (name === undefined && parameter.constant) return [];
      if (name === undefined && parameter.name === IMAGE_NEWLINE) {
        kept.push(parameter.name);
        return [];
      }
      if (name === undefined) {
        throw new BasicError(
          "E_WEIGHTS_MISSING",
          `${path} holds no tensor "${names[0]}" (or ${names.slice(1, 5).join(", ")}, ...); it holds ${file.names.slice(0, 4).join(", ")}. ` +
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
      return [{ name, parameter, values: file.floats(name) }];
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
    return kept;
  } finally {
    file.close();
  }
}

/** A safetensors file, or one of `torch.save` by its ending: LLaVA's mm_projector.bin. */
export function openTensors(path: string): TensorFile {
  return /\.(bin|pt|pth)$/.test(path) ? readTorchFile(path) : openSafetensors(path);
}
