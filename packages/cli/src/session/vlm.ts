import {
  addImageNewline,
  BasicError,
  BuiltInProjector,
  createRandom,
  createVlmObjective,
  createWeightedLosses,
  type EvaluationMoment,
  type EvaluationResult,
  type FeatureSource,
  type LanguageModel,
  type Lora,
  languageWeight,
  losses as lossRegistry,
  matchVocabulary,
  type Objective,
  type Projector,
  type ProjectorContext,
  projectBatch,
  projectors,
  type TrainingData,
  type VisionEncoder,
  type VisualRows,
  Vit,
  type VlmBatch,
  type VlmRecipe,
} from "@basic-mllm/core";
import {
  answerEndToken,
  type ChannelStatistics,
  checkVocabulary,
  findTemplate,
  firstAnswerToken,
  type ImageProcessor,
  type TextTokenizer,
} from "@basic-mllm/data";
import { type AnswerOptions, answerQuestions, score } from "@basic-mllm/evaluate";
import * as tf from "@tensorflow/tfjs-core";
import type { Terminal } from "../terminal.js";
import { openLora, startProjector } from "./adapters.js";
import { withLocalFiles } from "./downloads.js";
import { keptFeatures, type ReadShare } from "./kept-features.js";
import {
  openEncoder,
  openLanguage,
  openProcessor,
  openTokenizer,
  summarise,
  withVocabulary,
} from "./models.js";
import type { TaskContext, TaskSession } from "./task.js";
import { batchesOf, firstPictures, openVlmSets, questionsOf, type VlmSet, type VlmSets } from "./vlm-data.js";
import { saveVlm, type TrainedVlm } from "./vlm-save.js";

/** An opened multimodal recipe: the task, and its parts for analysis and chat. */
export interface VlmSession extends TaskSession<VlmBatch> {
  readonly recipe: VlmRecipe;
  readonly encoder: VisionEncoder | FeatureSource;
  /** How a picture becomes the encoder's input. */
  readonly processor: ImageProcessor;
  readonly language: LanguageModel;
  readonly projector: Projector;
  readonly tokenizer: TextTokenizer;
  readonly sets: VlmSets;
  /** Template of the last stage: how questions are asked. */
  readonly template: string;
  /** Visual embeddings `[N, D]` of a batch; call inside of `tf.tidy`. */
  embed(batch: VlmBatch): tf.Tensor2D | null;
  /** A set as questions under the last stage's template: the last answer of a sample has labels. */
  questions(set: VlmSet): TrainingData<VlmBatch>;
}

/** How {@link openVlm} opens. */
export interface OpenVlmOptions {
  /** Shows no picture. Default false. */
  readonly blind?: boolean;
  /** Of a trained run's features; default: those of the first training set, where the recipe standardises. */
  readonly statistics?: ChannelStatistics | null;
}

/** Opens a multimodal recipe: models, data, features, losses. */
export async function openVlm(
  context: TaskContext<VlmRecipe>,
  { blind = false, statistics: kept = null }: OpenVlmOptions = {},
): Promise<VlmSession> {
  const { recipe } = context;
  const { seed } = recipe;
  checkNames(recipe);
  const model = await withLocalFiles(recipe.model, context);
  const encoder = await openEncoder(model.vision, { seed, layer: model.visionLayer });
  const source = await openTokenizer(context, model.tokenizer, model.language);
  const language = await openLanguage(withVocabulary(model.language, source.tokenizer.size), {
    seed,
    recompute: model.recompute,
  });
  checkVocabulary(source.tokenizer, language.vocabularySize, model.language.name);
  const lora = openLora(recipe, language);
  const processor = openProcessor(recipe, encoder);
  const sets = await openVlmSets(context, { encoder, processor, blind, statistics: kept });
  try {
    const projector = await openProjector(recipe, { encoder, processor, language, sets }, context.terminal);
    const { tokenizer } = source;
    const objective = objectiveOf(recipe, { encoder, language, lora, projector, tokenizer });
    const { statistics } = sets;
    const { terminal } = context;
    const parts = { recipe, encoder, processor, language, lora, projector, source, statistics, terminal };
    return session({ ...parts, sets, objective });
  } catch (error) {
    sets.close();
    throw error;
  }
}

/** Before anything is read or computed: these parts are made last. */
function checkNames({ model, stages }: VlmRecipe): void {
  projectors.get(model.projector.name);
  for (const { losses } of Object.values(stages)) {
    for (const name of Object.keys(losses)) if (name !== "language") lossRegistry.get(name);
  }
}

/** The projector as it was before training, for comparison; the caller disposes it. */
export async function openFreshProjector(own: VlmSession): Promise<Pick<VlmSession, "embed" | "dispose">> {
  const projector = await openProjector(own.recipe, own);
  const { encoder } = own;
  return {
    embed: (batch) => embedBatch(batch, trainable(encoder), projector),
    dispose: () => projector.parameters.dispose(),
  };
}

interface Parts {
  readonly encoder: VisionEncoder | FeatureSource;
  readonly language: LanguageModel;
  readonly lora: Lora | null;
  readonly projector: Projector;
  readonly tokenizer: TextTokenizer;
}

function trainable(encoder: VisionEncoder | FeatureSource): VisionEncoder | null {
  return "encode" in encoder ? encoder : null;
}

/** What a projector stands between. */
interface ProjectorPlace extends Pick<Parts, "encoder" | "language"> {
  readonly processor: ImageProcessor;
  readonly sets: VlmSets;
}

/** @param terminal - Is told what a trained projector does not say. */
async function openProjector(
  { model, seed, stages }: VlmRecipe,
  { encoder, processor, language, sets }: ProjectorPlace,
  terminal?: Terminal,
): Promise<Projector> {
  const { name, options } = model.projector;
  const random = createRandom(seed, "projector");
  const place = { features: encoder.width, width: language.width, ...patchesOf(encoder) };
  const context = { ...place, vocabulary: language.vocabulary, random, options };
  const projector = projectors.get(name)(context);
  const { from } = model.projector;
  if (processor.tiles !== undefined)
    addImageNewline(projector, language.width, createRandom(seed, "image_newline"));
  const kept = from === undefined ? [] : await startProjector(from, projector, sets.statistics);
  for (const left of kept) terminal?.warn(`${from} holds no ${left}: it begins with random values`);
  const set = sets.train.get(Object.values(stages)[0]?.data ?? Object.keys(stages)[0] ?? "");
  // A run that is opened without training data takes its weights from a checkpoint.
  if (model.projectorInit === "match-vocabulary" && set !== undefined) {
    await matchToVocabulary(projector, { name, set, encoder, language });
  }
  return projector;
}

/** Patches of each picture, where the encoder is ours. */
function patchesOf(encoder: VisionEncoder | FeatureSource): Pick<ProjectorContext, "patches"> {
  if (!(encoder instanceof Vit)) return {};
  const side = Math.floor(encoder.imageSize / encoder.config.patchSize);
  return { patches: [side, side] };
}

/** `projectorInit: "match-vocabulary"`, on the first pictures of the first stage. */
async function matchToVocabulary(
  projector: Projector,
  from: Pick<Parts, "encoder" | "language"> & { readonly name: string; readonly set: VlmSet },
): Promise<void> {
  const { name, set, encoder, language } = from;
  if (!(projector instanceof BuiltInProjector)) {
    throw new BasicError(
      "E_CONFIG",
      `model.projectorInit is "match-vocabulary", which scales a projector of ours, but "${name}" is not one. ` +
        'Use "default", or a projector such as mlp2x_gelu.',
    );
  }
  const images = [...new Set(set.samples.slice(0, 64).flatMap((sample) => sample.images))];
  if (images.length === 0) {
    throw new BasicError(
      "E_CONFIG",
      'model.projectorInit is "match-vocabulary", but the first 64 samples of the first stage have no pictures. ' +
        'Use "default", or begin with data that has pictures.',
    );
  }
  const visual = await set.store.read(images);
  tf.tidy(() => {
    const features = featuresOf(visual, trainable(encoder));
    if (features !== null) matchVocabulary(projector, features, language.vocabulary);
  });
}

/** On the device; null for pixels without an encoder that takes them. */
function featuresOf(
  visual: NonNullable<VlmBatch["visual"]>,
  encoder: VisionEncoder | null,
): VisualRows | null {
  if (!("values" in visual)) return encoder?.encode(tf.tensor4d(visual.pixels, [...visual.shape])) ?? null;
  const { values, width, offsets, grids } = visual;
  return { rows: tf.tensor2d(values, [values.length / width, width]), offsets, grids };
}

function objectiveOf(
  recipe: VlmRecipe,
  { encoder, language, lora, projector, tokenizer }: Parts,
): Objective<VlmBatch> {
  const { supervision, stages, seed } = recipe;
  const settings = Object.fromEntries(Object.entries(stages).map(([name, stage]) => [name, stage.losses]));
  const random = createRandom(seed, "losses");
  const weighted = createWeightedLosses(settings, {
    supervision,
    context: { width: language.width, depth: language.depth, features: encoder.width, random },
    find: (name) => lossRegistry.get(name),
  });
  return createVlmObjective({
    encoder: trainable(encoder),
    projector,
    language,
    losses: weighted,
    ...(lora !== null && { lora }),
    supervision,
    decode: (token) => tokenizer.word(token),
    languageWeightAt: languageWeight(settings),
  });
}

interface Opened extends TrainedVlm {
  readonly sets: VlmSets;
  readonly objective: Objective<VlmBatch>;
}

function session(opened: Opened): VlmSession {
  const { recipe, encoder, processor, language, projector, source, sets, objective } = opened;
  const { tokenizer } = source;
  const template = Object.values(recipe.stages).at(-1)?.template ?? "plain";
  const groups = Object.values(objective.groups);
  const own: VlmSession = {
    recipe,
    encoder,
    processor,
    language,
    projector,
    tokenizer,
    sets,
    statistics: opened.statistics,
    lora: opened.lora,
    template,
    objective,
    parts: summarise(partSets(encoder, objective)),
    data: async (stage) => trainingData(recipe, stage, opened),
    growth: (shares) => dataGrowth(opened, shares),
    questions: (set) => batchesOf(set, { tokenizer, projector, template, answers: "last" }),
    embed: (batch) => embedBatch(batch, trainable(encoder), projector),
    evaluate: (moment) => evaluate(own, moment),
    rehearseEvaluation: async (stage) => {
      for (const set of measuredSets(own, stage)) await answerSet(own, set, recipe.evaluation.batchSize);
    },
    save: (folder, provenance) => saveVlm(folder, opened, provenance),
    dispose: () => {
      sets.close();
      for (const group of groups) group.dispose();
    },
  };
  return own;
}

function partSets(encoder: VisionEncoder | FeatureSource, { groups }: Objective<VlmBatch>) {
  const vision = "parameters" in encoder ? { vision: encoder.parameters } : {};
  return { ...vision, ...groups };
}

async function trainingData(recipe: VlmRecipe, stage: string, { source, projector, sets }: Opened) {
  const { template = "plain", rowBudget, data } = recipe.stages[stage] ?? {};
  const set = sets.train.get(data ?? stage) as VlmSet;
  const budget = rowBudget === undefined ? {} : { rowBudget };
  return batchesOf(set, { tokenizer: source.tokenizer, projector, template, ...budget });
}

/** Features of a share of each stage's pictures, and of those that measure it. */
function dataGrowth(opened: Opened, shares: ReadonlyMap<string, number>): number {
  const { recipe, sets } = opened;
  const reads = [...shares].flatMap(([stage, share]): ReadShare[] => [
    [sets.train.get(recipe.stages[stage]?.data ?? stage) as VlmSet, share],
    ...measuredSets(opened, stage).map((set): ReadShare => [set, 1]),
  ]);
  return keptFeatures(reads);
}

function embedBatch(
  batch: VlmBatch,
  encoder: VisionEncoder | null,
  projector: Projector,
): tf.Tensor2D | null {
  const { visual } = batch;
  const features = visual === null ? null : featuresOf(visual, encoder);
  return features === null ? null : projectBatch(features, batch, projector).rows;
}

async function evaluate(own: VlmSession, moment: EvaluationMoment): Promise<readonly EvaluationResult[]> {
  const { evaluation } = own.recipe;
  const sets = measuredSets(own, moment.stage);
  const limit = moment.final ? evaluation.limit : evaluation.duringTraining;
  const results: EvaluationResult[] = [];
  for (const set of moment.final ? sets : sets.slice(0, 1)) {
    const answers = await answerSet(own, set, limit);
    results.push({ split: set.name, metrics: score(answers) });
  }
  return results;
}

/** What a stage is measured with at its end. */
function measuredSets(
  { recipe, sets }: Pick<VlmSession, "recipe" | "sets">,
  stage: string,
): readonly VlmSet[] {
  const { evaluation, stages } = recipe;
  const isLast = stage === Object.keys(stages).at(-1);
  // Before the last stage nothing has taught the model to answer: measured only where the recipe asks for it.
  if (!isLast && (stages[stage]?.evaluateEvery ?? 0) === 0) return [];
  const names = evaluation.sets ?? [...sets.evaluation.keys()];
  return names.map((name) => sets.evaluation.get(name) as VlmSet);
}

/** Other visual embeddings than those of the model, and what watches. */
interface AnswerSetOptions extends Pick<AnswerOptions, "onProgress"> {
  readonly embed?: VlmSession["embed"];
}

/** Answers the questions of a set. @param limit - First pictures of the set; all where absent. */
export async function answerSet(
  own: VlmSession,
  set: VlmSet,
  limit?: number,
  { embed = own.embed, ...watch }: AnswerSetOptions = {},
) {
  const { tokenizer, language, recipe } = own;
  const asked = limit === undefined ? set : firstPictures(set, limit);
  const template = findTemplate(own.template, tokenizer);
  const [yes, no] = ["yes", "no"].map((word) => firstAnswerToken(template, tokenizer, word));
  const model = {
    language,
    embed,
    decode: (ids: readonly number[]) => tokenizer.decode(ids),
    endOfSequence: answerEndToken(template, tokenizer) ?? -1,
    ...(yes !== undefined && no !== undefined && { yesNo: [yes, no] as const }),
  };
  const { batchSize } = recipe.evaluation;
  return answerQuestions(model, own.questions(asked), questionsOf(asked), { batchSize, ...watch });
}
