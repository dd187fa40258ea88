import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  attachLora,
  BasicError,
  BuiltInProjector,
  chooseTargets,
  createRandom,
  Decoder,
  type LanguageModel,
  type Lora,
  type Projector,
  type VlmRecipe,
} from "@basic-mllm/core";
import type { ChannelStatistics } from "@basic-mllm/data";
import { loadPeft, loadProjector, PROJECTOR_FILE } from "@basic-mllm/weights";

import { canFold, unfoldStatistics } from "./fold-statistics.js";
import { copyParameters } from "./restore-model.js";

/**
 * Puts the adapters of `model.lora` on the language model; null where the recipe has none.
 *
 * @throws `BasicError` `E_CONFIG` where the model is not ours, a target chooses nothing, or `from` holds an adapter of
 *   another rank, scale or targets.
 */
export function openLora({ model, seed }: VlmRecipe, language: LanguageModel): Lora | null {
  const { lora } = model;
  if (lora === undefined) return null;
  if (!(language instanceof Decoder)) {
    throw new BasicError(
      "E_CONFIG",
      `model.lora is set, but the language model "${model.language.name}" is not a decoder of ours, which could take adapters. ` +
        "Remove model.lora, or use a Hugging Face folder.",
    );
  }
  const { from, ...options } = lora;
  const random = createRandom(seed, "lora").int(2 ** 32);
  if (from === undefined) return attachLora(language, { ...options, seed: random });
  const loaded = loadPeft(from, language, { seed: random, dropout: options.dropout });
  checkSameAdapter(from, lora, { loaded, language });
  return loaded;
}

function checkSameAdapter(
  from: string,
  lora: NonNullable<VlmRecipe["model"]["lora"]>,
  { loaded, language }: { readonly loaded: Lora; readonly language: Decoder },
): void {
  const { rank, alpha, rankStabilised } = loaded.options;
  const targets = chooseTargets([...language.linears.keys()], lora.targets).join(", ");
  const pairs = [
    ["rank", lora.rank, rank],
    ["alpha", lora.alpha, alpha],
    ["rankStabilised", lora.rankStabilised, rankStabilised],
    ["targets", targets, loaded.targets.join(", ")],
  ] as const;
  for (const [field, wanted, found] of pairs) {
    if (wanted === found) continue;
    throw new BasicError(
      "E_CONFIG",
      `model.lora.${field} is ${wanted}, but the adapter in ${from} has ${found}. Write what the adapter has, or leave \`from\` out.`,
    );
  }
}

/**
 * Puts trained weights into a projector that was just made.
 *
 * @param from - A file, or the folder of a model or run that has one.
 * @param statistics - Of the standardised features that the projector will see: files are for plain ones.
 * @returns Names of the parameters that the file does not hold and that begin as they were made: `image_newline`.
 * @throws `BasicError` `E_WEIGHTS_MISSING`, `E_WEIGHTS_FORMAT`.
 */
export async function startProjector(
  from: string,
  projector: Projector,
  statistics: ChannelStatistics | null,
): Promise<readonly string[]> {
  const kept = loadProjector(projectorPath(from), projector);
  if (statistics === null || !(projector instanceof BuiltInProjector)) return kept;
  if (!canFold(projector)) throw cannotUnfold(from, projector.name);
  const unfolded = await unfoldStatistics(projector, statistics);
  try {
    if (projector.input?.bias === null) throw needsBias(from);
    copyParameters(unfolded.parameters, projector.parameters);
  } finally {
    unfolded.parameters.dispose();
  }
  return kept;
}

function cannotUnfold(from: string, name: string): BasicError {
  return new BasicError(
    "E_CONFIG",
    `model.projector.from (${from}) is for plain features, and the projector "${name}" has no first product that could take their statistics, which features.standardise needs. ` +
      "Set features.standardise to false.",
  );
}

function needsBias(from: string): BasicError {
  return new BasicError(
    "E_CONFIG",
    `model.projector.from (${from}) was trained without biases, and features.standardise needs one to start from it. ` +
      "Set features.standardise to false.",
  );
}

function projectorPath(from: string): string {
  if (!existsSync(from) || !statSync(from).isDirectory()) return from;
  const places = [join(from, PROJECTOR_FILE), join(from, "model", PROJECTOR_FILE)];
  const found = places.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new BasicError(
    "E_WEIGHTS_MISSING",
    `model.projector.from is the folder ${from}, which holds no ${PROJECTOR_FILE}: expected ${places.join(" or ")}. ` +
      "Name the folder of a finished run, or the file itself.",
  );
}
