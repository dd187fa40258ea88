import {
  BasicError,
  createDecoder,
  createVit,
  defineEncoder,
  defineLanguageModel,
  defineLoss,
  defineProjector,
  encoders,
  explainIssues,
  languageModels,
  losses,
  type ModelContext,
  mlpProjectors,
  projectorFactories,
  projectors,
  visualLosses,
} from "@basic-mllm/core";
import { tinyWeights } from "@basic-mllm/tiny";
import {
  type HuggingFaceModel,
  loadHuggingFace,
  parseHuggingFaceConfig,
  weightStorages,
} from "@basic-mllm/weights";
import { z } from "zod";

/** Options of a model made from scratch: a Hugging Face config, and where features are taken. */
const scratch = z.strictObject({
  config: z.record(z.string(), z.unknown()),
  layer: z.int().optional(),
});

/** Registers what ships with the command line, once; plugins may have taken a name before. */
export function registerShippedParts(): void {
  for (const [name, factory] of Object.entries(projectorFactories)) {
    if (!projectors.has(name)) defineProjector(name, factory);
  }
  projectors.defineFamily(mlpProjectors);
  for (const [name, factory] of Object.entries(visualLosses))
    if (!losses.has(name)) defineLoss(name, factory);
  for (const name of ["clip", "siglip"]) if (!encoders.has(name)) defineEncoder(name, encoderFromScratch);
  if (!languageModels.has("llama")) defineLanguageModel("llama", languageFromScratch);
  if (!encoders.has("tiny-siglip")) {
    defineEncoder("tiny-siglip", ({ options }) => encoderFromFolder(tinyWeights("encoder"), options));
  }
  if (!languageModels.has("tiny-llama")) {
    defineLanguageModel("tiny-llama", ({ options }) => languageFromFolder(tinyWeights("language"), options));
  }
}

function encoderFromScratch({ random, options }: ModelContext) {
  const { config, layer } = parseOptions(options);
  const parsed = parseHuggingFaceConfig(config, "options.config");
  if (parsed.kind !== "vision") throw wrongKind("options.config", "vision", parsed.kind);
  return createVit(parsed.config, { seed: random.int(2 ** 32), ...(layer !== undefined && { layer }) });
}

function languageFromScratch({ random, options }: ModelContext) {
  const parsed = parseHuggingFaceConfig(parseOptions(options).config, "options.config");
  if (parsed.kind !== "language") throw wrongKind("options.config", "language", parsed.kind);
  return createDecoder(parsed.config, { seed: random.int(2 ** 32) });
}

function parseOptions(options: unknown): z.output<typeof scratch> {
  const parsed = scratch.safeParse(options);
  if (parsed.success) return parsed.data;
  throw new BasicError(
    "E_RECIPE_INVALID",
    `Options of the model are not valid.\n${explainIssues(parsed.error, options)}`,
  );
}

/** Options of a folder with weights, see {@link WeightStorage}. */
const storage = z.enum(weightStorages).optional();
const encoderFolder = z.strictObject({ layer: z.int().optional(), storage });
const languageFolder = z.strictObject({ storage });

/**
 * An encoder with weights, also that of a LLaVA. `options.layer` counts hidden states as Hugging Face does, `storage` says
 * how its matrices are kept.
 */
export async function encoderFromFolder(folder: string, options: Readonly<Record<string, unknown>>) {
  const { layer, storage } = parseFolder(encoderFolder, folder, options);
  const model = await loadHuggingFace(folder, {
    kinds: ["vision", "llava"],
    ...(layer !== undefined && { layer }),
    ...(storage !== undefined && { storage }),
  });
  if (model.kind === "llava") {
    for (const { parameters } of [model.projector, model.language]) parameters.dispose();
    const { featureLayer } = model.config;
    if (layer === undefined || layer === featureLayer) return model.vision;
    throw new BasicError(
      "E_CONFIG",
      `${folder} holds a LLaVA whose features are of layer ${featureLayer}, but model.visionLayer is ${layer}. Set it to ${featureLayer}.`,
    );
  }
  return model.vision;
}

/** A language model with weights, also that of a LLaVA. `options.storage` says how its matrices are kept; only float32 ones can train. */
export async function languageFromFolder(folder: string, options: Readonly<Record<string, unknown>> = {}) {
  const { storage } = parseFolder(languageFolder, folder, options);
  const model = await loadHuggingFace(folder, {
    kinds: ["language", "llava"],
    ...(storage !== undefined && { storage }),
  });
  if (model.kind === "llava") {
    for (const { parameters } of [model.projector, model.vision]) parameters.dispose();
  }
  return model.language;
}

function parseFolder<S extends z.ZodType>(schema: S, folder: string, options: unknown): z.output<S> {
  const parsed = schema.safeParse(options);
  if (parsed.success) return parsed.data;
  throw new BasicError(
    "E_RECIPE_INVALID",
    `Options of the folder ${folder} are not valid.\n${explainIssues(parsed.error, options)}\nKnown storages: ${weightStorages.join(", ")}.`,
  );
}

function wrongKind(where: string, wanted: string, found: HuggingFaceModel["kind"]): BasicError {
  return new BasicError(
    "E_CONFIG",
    `${where} describes a ${found} model, expected a ${wanted} model. Name another model in the recipe.`,
  );
}
