import { join } from "node:path";
import {
  BasicError,
  createLanguageObjective,
  Decoder,
  type EvaluationResult,
  type LanguageRecipe,
  type VlmBatch,
} from "@basic-mllm/core";
import { checkVocabulary, createTextData } from "@basic-mllm/data";
import { scorePerplexity } from "@basic-mllm/evaluate";
import { createCorpus } from "@basic-mllm/scenes";
import { saveHuggingFace } from "@basic-mllm/weights";

import { withLocalFiles } from "./downloads.js";
import { writeJson } from "./json-file.js";
import {
  openLanguage,
  openTokenizer,
  requireBuilder,
  summarise,
  type TokenizerSource,
  withVocabulary,
} from "./models.js";
import { builderOptions, openSprites } from "./scenes.js";
import type { Provenance, TaskContext, TaskSession } from "./task.js";

/** Documents of an epoch: the corpus itself has no end. */
const DOCUMENTS = 1_000_000;
const EVALUATION_DOCUMENTS = 256;

/** Opens a recipe that trains a language model on text. */
export async function openLanguageTask(context: TaskContext<LanguageRecipe>): Promise<TaskSession<VlmBatch>> {
  const { recipe } = context;
  requireBuilder(recipe, "scenes-corpus");
  const model = await withLocalFiles(recipe.model, context);
  const source = await openTokenizer(context, model.tokenizer);
  const { tokenizer } = source;
  const language = requireDecoder(
    await openLanguage(withVocabulary(model.language, tokenizer.size), {
      seed: recipe.seed,
      recompute: model.recompute,
    }),
  );
  checkVocabulary(tokenizer, language.vocabularySize, recipe.model.language.name);
  const { concepts } = await openSprites(context);
  const { variant = "solo" } = builderOptions(recipe, ["variant"]);
  const corpus = (seed: number) => createCorpus({ concepts, tokenizer, seed, variant });
  const data = createTextData({ size: DOCUMENTS, document: corpus(recipe.seed) });
  const unseen = createTextData({ size: EVALUATION_DOCUMENTS, document: corpus(recipe.seed + 1) });
  const objective = createLanguageObjective(language);
  return {
    parts: summarise(objective.groups),
    objective,
    data: async () => data,
    evaluate: async (): Promise<readonly EvaluationResult[]> => [
      { split: "unseen-documents", metrics: await scorePerplexity(language, unseen, 32) },
    ],
    save: (folder, provenance) => saveLanguage(folder, language, source, provenance),
    dispose: () => language.parameters.dispose(),
  };
}

function requireDecoder(language: unknown): Decoder {
  if (language instanceof Decoder) return language;
  throw new BasicError(
    "E_RECIPE_INVALID",
    "model.language must be a decoder of ours: only those can be trained and saved.",
  );
}

async function saveLanguage(
  folder: string,
  language: Decoder,
  { files }: TokenizerSource,
  provenance: Provenance,
): Promise<void> {
  await saveHuggingFace(folder, { kind: "language", language }, { dtype: "BF16" });
  for (const [name, content] of Object.entries(files)) await writeJson(join(folder, name), content);
  await writeJson(join(folder, "provenance.json"), provenance);
}
