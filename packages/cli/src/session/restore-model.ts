import { existsSync } from "node:fs";
import { join } from "node:path";
import { BasicError, type Groups, type Lora, type Parameter, type ParameterSet } from "@basic-mllm/core";
import type { ChannelStatistics } from "@basic-mllm/data";
import { loadHuggingFace, restorePeft } from "@basic-mllm/weights";
import * as tf from "@tensorflow/tfjs-core";

import { unfoldStatistics } from "./fold-statistics.js";

/** Folder of the adapter beside a saved model, as PEFT has it. */
export const ADAPTER_FOLDER = "adapter";

/** Rounding that two devices may part by, as a share of a matrix's largest value. */
const ROUNDING = 1e-5;

/** What the files of a saved model are put into. */
export interface RestoredParts {
  readonly groups: Groups;
  /** Adapters of the language model, where it has some. */
  readonly lora: Lora | null;
}

/**
 * Adapters of an opened model whose saved weights hold their updates already: silent beside float32 weights, which can
 * take the saved ones; as they were trained beside packed weights, which cannot.
 *
 * @throws `BasicError` `E_WEIGHTS_MISSING` where packed weights need the adapter and it is not there.
 */
export function restoreAdapters(folder: string, { groups, lora }: RestoredParts): void {
  if (lora === null) return;
  const language = groups["language"];
  const isPacked = (product: string): boolean => {
    const name = `${product}.weight`;
    return language?.has(name) === true && language.get(name).storage !== "f32";
  };
  for (const product of lora.targets.filter((target) => !isPacked(target))) {
    const b = lora.parameters.get(`${product}.lora_B.weight`);
    b.assign(tf.zerosLike(b.value));
  }
  const beside = lora.targets.filter(isPacked);
  if (beside.length > 0) restorePeft(join(folder, ADAPTER_FOLDER), lora, beside);
}

/** A saved model standardises features in its projector; here they come standardised. */
export async function restoreModel(
  folder: string,
  parts: RestoredParts,
  statistics: ChannelStatistics | null,
): Promise<void> {
  const saved = await loadHuggingFace(folder);
  const unfold = saved.kind === "llava" && statistics !== null;
  const loaded = unfold
    ? { ...saved, projector: await unfoldStatistics(saved.projector, statistics) }
    : saved;
  if (unfold) saved.projector.parameters.dispose();
  const sets = Object.entries(loaded).flatMap(([name, part]) =>
    typeof part === "object" && "parameters" in part ? [[name, part.parameters] as const] : [],
  );
  try {
    for (const [name, set] of sets) await restoreGroup(folder, name, { saved: set, parts });
  } finally {
    for (const [, set] of sets) set.dispose();
  }
}

/**
 * Puts saved values into the parameters of one group; packed ones, which nothing can have trained, must have them.
 *
 * @throws `BasicError` `E_RESUME_CHANGED` where packed weights are others, `E_WEIGHTS_MISSING` for another model's.
 */
export async function restoreGroup(
  folder: string,
  name: string,
  { saved, parts }: { readonly saved: ParameterSet; readonly parts: RestoredParts },
): Promise<void> {
  const group = parts.groups[name];
  if (group === undefined) return;
  for (const { name: parameter, value } of saved) {
    const own = group.get(parameter);
    if (own.storage === "f32") own.assign(tf.clone(value));
    else {
      const lora = name === "language" ? parts.lora : null;
      await checkSamePacked(own, value, { folder, group: name, lora });
    }
  }
}

interface PackedPlace {
  readonly folder: string;
  readonly group: string;
  readonly lora: Lora | null;
}

async function checkSamePacked(
  parameter: Parameter,
  saved: tf.Tensor,
  { folder, group, lora }: PackedPlace,
): Promise<void> {
  const values = await parameter.floats();
  const [difference, size] = tf.tidy(() => {
    const own = tf.tensor(values, [...parameter.shape], "float32");
    const whole = lora?.mergedWeight(parameter.name, own) ?? own;
    return [tf.max(tf.abs(tf.sub(whole, saved))), tf.max(tf.abs(saved))] as const;
  });
  const [error = 0, largest = 0] = [(await difference.data())[0], (await size.data())[0]];
  tf.dispose([difference, size]);
  if (error <= ROUNDING * largest) return;
  throw new BasicError(
    "E_RESUME_CHANGED",
    `The ${parameter.storage} weights of "${group}" are not those that ${folder} was saved with: "${parameter.name}" differs by ${error.toPrecision(2)}, ` +
      `where its largest value is ${largest.toPrecision(2)}. Packed weights come from the model that the recipe names, with what ${join(folder, ADAPTER_FOLDER)} adds: ` +
      "put back the files that the run was trained with.",
  );
}

/** Copies every value of a set to the parameter of the same name. */
export function copyParameters(from: ParameterSet, to: ParameterSet): void {
  for (const parameter of from) to.get(parameter.name).assign(tf.clone(parameter.value));
}

/** Whether a folder holds a model as a whole, in the layout of Hugging Face. */
export function holdsModel(folder: string): boolean {
  return existsSync(join(folder, "config.json"));
}
