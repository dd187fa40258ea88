import { BasicError } from "../errors.js";
import { fingerprint } from "../models/vision/feature-source.js";
import type { RecipeStage } from "../recipe.js";
import type { Checkpoint, Groups } from "./checkpoint.js";
import { frozenParts } from "./selection.js";

/** Hashes of what none of the stages trains, by group: the reference of a checkpoint to its base. */
export async function frozenFingerprints(
  stages: readonly RecipeStage[],
  groups: Groups,
): Promise<Readonly<Record<string, string>>> {
  const entries: [string, string][] = [];
  for (const [name, set] of Object.entries(frozenParts(stages, groups))) {
    entries.push([name, await fingerprint(set)]);
  }
  return Object.fromEntries(entries);
}

/**
 * A checkpoint holds what trains; on other frozen weights it would be another model.
 *
 * @param frozen - Of the model as it is now, up to the checkpoint's stage.
 * @throws {@link BasicError} `E_RESUME_CHANGED`. Checkpoints of older programs say nothing about their base.
 */
export function checkSameFrozen(
  { folder, position }: Checkpoint,
  frozen: Readonly<Record<string, string>>,
): void {
  for (const [group, before] of Object.entries(position.frozen ?? {})) {
    const now = frozen[group];
    if (now === undefined || now === before) continue;
    throw new BasicError(
      "E_RESUME_CHANGED",
      `The frozen weights of "${group}" are not those that ${folder} was trained on: their hash is ${now}, expected ${before}. ` +
        "Name the same model files as before, or start a new run in another folder.",
    );
  }
}
