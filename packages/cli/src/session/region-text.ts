import { join } from "node:path";
import {
  BasicError,
  createRegionTextObjective,
  type EvaluationResult,
  type RegionTextBatch,
  type RegionTextRecipe,
  type VisionEncoder,
  Vit,
} from "@basic-mllm/core";
import { squareProcessor } from "@basic-mllm/data";
import { buildRegionTexts, createRegionData, regionEvaluation, STYLES } from "@basic-mllm/scenes";
import { saveHuggingFace } from "@basic-mllm/weights";

import { withLocalFiles } from "./downloads.js";
import { writeJson } from "./json-file.js";
import { openEncoder, requireBuilder, summarise } from "./models.js";
import { builderOptions, openSprites } from "./scenes.js";
import type { Provenance, TaskContext, TaskSession } from "./task.js";

const EVALUATION_SCENES = 512;

/** Opens a recipe that trains an encoder on picture regions and texts. */
export async function openRegionText(
  context: TaskContext<RegionTextRecipe>,
): Promise<TaskSession<RegionTextBatch>> {
  const { recipe } = context;
  requireBuilder(recipe, "scenes-pixels");
  const sheet = await openSprites(context);
  const texts = buildRegionTexts(sheet.concepts);
  const { vision } = await withLocalFiles(recipe.model, context);
  const encoder = requireTrainable(await openEncoder(vision, { seed: recipe.seed, layer: -1 }));
  const { regions, labelSmoothing, scale, tagDrop, jitter } = recipe.contrastive;
  const objective = createRegionTextObjective({
    encoder,
    texts: texts.texts,
    words: texts.words.length,
    regions,
    labelSmoothing,
    logScale: Math.log(scale),
    seed: recipe.seed,
  });
  const processor = squareProcessor(encoder.imageSize);
  const { testStyle = "noto", variant = "grid" } = builderOptions(recipe, ["testStyle", "variant"]);
  const styles = STYLES.filter((style) => style !== testStyle);
  const measure = async (split: string, of: typeof styles): Promise<EvaluationResult> => {
    const options = {
      sheet,
      styles: of,
      seed: recipe.seed,
      stream: ["evaluation", split],
      processor,
      variant,
    };
    const batch = regionEvaluation({ ...options, count: EVALUATION_SCENES });
    const metrics = await objective.diagnose?.(batch, { stage: "evaluation", step: 0, steps: 1 });
    return { split, metrics: metrics ?? {} };
  };
  const training = { sheet, styles, seed: recipe.seed, processor, variant, wordDropout: tagDrop, jitter };
  return {
    parts: summarise(objective.groups),
    objective,
    data: async () => createRegionData(training),
    evaluate: async () => [
      await measure("training-artists", styles),
      await measure("unseen-artist", [testStyle]),
    ],
    save: (folder, provenance) => saveEncoder(folder, encoder, provenance),
    dispose: () => {
      for (const group of Object.values(objective.groups)) group.dispose();
    },
  };
}

function requireTrainable(encoder: unknown): VisionEncoder & Vit {
  if (encoder instanceof Vit) return encoder;
  throw new BasicError(
    "E_RECIPE_INVALID",
    "model.vision must be an encoder of ours: only those can be trained and saved.",
  );
}

async function saveEncoder(folder: string, vision: Vit, provenance: Provenance): Promise<void> {
  await saveHuggingFace(folder, { kind: "vision", vision }, { dtype: "BF16" });
  const { mean, std, resize, rescale } = squareProcessor(vision.imageSize);
  await writeJson(join(folder, "preprocessor_config.json"), {
    do_resize: true,
    size: resize,
    resample: 3,
    do_rescale: true,
    rescale_factor: rescale,
    do_normalize: true,
    image_mean: mean,
    image_std: std,
  });
  await writeJson(join(folder, "provenance.json"), provenance);
}
