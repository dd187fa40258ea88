import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  BasicError,
  BuiltInProjector,
  Decoder,
  type FeatureSource,
  type LanguageModel,
  type Lora,
  Parameter,
  ParameterSet,
  type Projector,
  type VisionEncoder,
  Vit,
  type VlmRecipe,
} from "@basic-mllm/core";
import { type ChannelStatistics, describeImageProcessor, type ImageProcessor } from "@basic-mllm/data";
import {
  openWeights,
  PROJECTOR_FILE,
  saveHuggingFace,
  savePeft,
  saveProjector,
  tensorsOf,
  writeSafetensors,
} from "@basic-mllm/weights";

import type { Terminal } from "../terminal.js";
import { canFold, foldStatistics } from "./fold-statistics.js";
import { writeJson } from "./json-file.js";
import type { TokenizerSource } from "./models.js";
import { ADAPTER_FOLDER, type RestoredParts, restoreGroup } from "./restore-model.js";
import type { Provenance } from "./task.js";

/** A trained multimodal model and what its files say. */
export interface TrainedVlm {
  readonly recipe: VlmRecipe;
  readonly encoder: VisionEncoder | FeatureSource;
  readonly projector: Projector;
  readonly language: LanguageModel;
  /** Adapters of the language model; null where there are none. */
  readonly lora: Lora | null;
  readonly source: TokenizerSource;
  /** How pictures become the encoder's input. */
  readonly processor: ImageProcessor;
  readonly statistics: ChannelStatistics | null;
  readonly terminal: Terminal;
}

/** Writes a LLaVA folder where all parts are ours; else each part by itself, and says so. */
export async function saveVlm(folder: string, model: TrainedVlm, provenance: Provenance): Promise<void> {
  const { encoder, projector, language, source, terminal, statistics } = model;
  if (encoder instanceof Vit && isWhole(projector, statistics) && language instanceof Decoder) {
    await saveLlava(folder, model, { encoder, projector, language });
  } else {
    await saveParts(folder, model);
    terminal.line(`  ${partsNote(folder, model)}`);
  }
  if (model.lora !== null && language instanceof Decoder) {
    await savePeft(join(folder, ADAPTER_FOLDER), model.lora, language, {
      baseModel: model.recipe.model.language.name,
    });
  }
  for (const [name, content] of Object.entries(source.files)) await writeJson(join(folder, name), content);
  await writeJson(join(folder, "provenance.json"), provenance);
}

/** Whether a projector is ours and takes plain features, or can be made to. */
function isWhole(projector: Projector, statistics: ChannelStatistics | null): projector is BuiltInProjector {
  return projector instanceof BuiltInProjector && (statistics === null || canFold(projector));
}

interface OwnParts {
  readonly encoder: Vit;
  readonly projector: BuiltInProjector;
  readonly language: Decoder;
}

async function saveLlava(
  folder: string,
  model: TrainedVlm,
  { encoder, projector, language }: OwnParts,
): Promise<void> {
  const { statistics, recipe, source, processor } = model;
  const whole = statistics === null ? projector : await foldStatistics(projector, statistics);
  const { lora } = model;
  const config = {
    vision: encoder.config,
    language: language.config,
    projector: { name: whole.name, options: whole.options },
    featureLayer: recipe.model.visionLayer,
    featureSelection: encoder.select,
    imageTokenId: source.tokenizer.special.image ?? source.tokenizer.size,
    ...(processor.tiles && { gridPinpoints: processor.tiles.pinpoints }),
  };
  const llava = { kind: "llava", vision: encoder, projector: whole, language, config } as const;
  try {
    await saveHuggingFace(folder, llava, lora === null ? {} : { lora });
    await saveProjector(join(folder, PROJECTOR_FILE), whole);
  } finally {
    if (whole !== projector) whole.parameters.dispose();
  }
  await writeJson(join(folder, "preprocessor_config.json"), describeImageProcessor(processor));
}

/** Where the weights of a part lie: those of ours in a folder of the Hugging Face layout. */
const fileOf = (folder: string, part: string) => join(folder, `${part}.safetensors`);
const folderOf = (folder: string, part: string) => join(folder, part);

async function saveParts(folder: string, model: TrainedVlm): Promise<void> {
  const { encoder, projector, language, statistics } = model;
  if (encoder instanceof Vit) {
    await saveHuggingFace(folderOf(folder, "vision"), { kind: "vision", vision: encoder });
  } else if ("parameters" in encoder) await savePart(fileOf(folder, "vision"), encoder.parameters);
  await savePart(fileOf(folder, "projector"), projector.parameters);
  if (language instanceof Decoder) {
    const options = model.lora === null ? {} : { lora: model.lora };
    await saveHuggingFace(folderOf(folder, "language"), { kind: "language", language }, options);
  } else await savePart(fileOf(folder, "language"), language.parameters);
  if (statistics !== null) {
    const { mean, std } = statistics;
    const tensors = Object.entries({ mean, std }).map(([name, values]) => {
      return { name, values, shape: [values.length] };
    });
    await writeSafetensors(fileOf(folder, "statistics"), tensors);
  }
}

async function savePart(path: string, parameters: ParameterSet): Promise<void> {
  await writeSafetensors(path, tensorsOf(parameters));
}

/** Why there is no LLaVA folder, and what opens the parts. */
function partsNote(folder: string, { recipe, encoder, projector, language }: TrainedVlm): string {
  const { model } = recipe;
  const custom = [
    ...(encoder instanceof Vit ? [] : [`vision encoder "${model.vision.name}"`]),
    ...(projector instanceof BuiltInProjector ? [] : [`projector "${model.projector.name}"`]),
    ...(language instanceof Decoder ? [] : [`language model "${model.language.name}"`]),
  ];
  const frozen = "parameters" in encoder ? "" : "; the encoder's own weights stay with its plugin";
  const reason =
    custom.length === 0
      ? `the projector "${model.projector.name}" cannot take the statistics of standardised features (features.standardise)`
      : `${custom.join(", ")} ${custom.length > 1 ? "are" : "is"} not ours${frozen}`;
  return (
    `${folder} holds each part by itself, and no LLaVA folder: ${reason}. ` +
    "`basic-mllm eval` and `chat` open it."
  );
}

/** Whether a folder holds a model that was saved part by part. */
export function holdsParts(folder: string): boolean {
  return existsSync(fileOf(folder, "projector"));
}

/**
 * Puts the parts that {@link saveVlm} wrote one by one into an opened model.
 *
 * @throws `BasicError` `E_WEIGHTS_MISSING` where a part or one of its tensors is absent, `E_RESUME_CHANGED` where packed
 *   weights are others.
 */
export async function restoreParts(folder: string, parts: RestoredParts): Promise<void> {
  for (const name of ["vision", "projector", "language"]) {
    const group = parts.groups[name];
    if (group === undefined) continue;
    const saved = readPart(folder, name, group);
    try {
      await restoreGroup(folder, name, { saved, parts });
    } finally {
      saved.dispose();
    }
  }
}

/** The values that a saved part has for the parameters of an opened one. */
function readPart(folder: string, part: string, parameters: ParameterSet): ParameterSet {
  const path = [folderOf(folder, part), fileOf(folder, part)].find(existsSync);
  if (path === undefined) {
    throw new BasicError(
      "E_WEIGHTS_MISSING",
      `${folder} has no weights of the part "${part}": expected ${fileOf(folder, part)}. Train the run again, or restore the file.`,
    );
  }
  const file = openWeights(path);
  const saved = new ParameterSet();
  try {
    for (const { name } of parameters) {
      saved.add(new Parameter(name, file.floats(name), file.entry(name).shape));
    }
    return saved;
  } catch (error) {
    saved.dispose();
    throw error;
  } finally {
    file.close();
  }
}
