import {
  BuiltInProjector,
  createRandom,
  createVlmObjective,
  createWeightedLosses,
  type Decoder,
  languageWeight,
  matchVocabulary,
  type Objective,
  projectBatch,
  projectorFactories,
  type TrainingData,
  type VisualRows,
  type VlmBatch,
  type VlmRecipe,
  visualLosses,
} from "@basic-mllm/core";
import {
  answerEndToken,
  createVlmData,
  findTemplate,
  firstAnswerToken,
  type LabelledAnswers,
  type Sample,
  type TextTokenizer,
} from "@basic-mllm/data";
import {
  type AnsweringModel,
  answerQuestions,
  type QuestionItem,
  type QuestionType,
  score,
} from "@basic-mllm/evaluate";
import { type SplitPlan, templateWords } from "@basic-mllm/scenes";
import * as tf from "@tensorflow/tfjs-core";

import type { Picture, RunLength } from "../protocol.js";
import { FeatureMaker } from "./features.js";
import { loadModels, openTokenizer } from "./models.js";
import { type PictureMaker, samplesOf } from "./pictures.js";
import { openProcessor } from "./processor.js";
import { pageRecipe, RUN_SIZES, type RunSize } from "./recipe.js";

/** A model in training: its parts, its data and its objective. */
export interface Session {
  readonly recipe: VlmRecipe;
  readonly size: RunSize;
  readonly language: Decoder;
  readonly projector: BuiltInProjector;
  readonly tokenizer: TextTokenizer;
  readonly features: FeatureMaker;
  readonly objective: Objective<VlmBatch>;
  /** Batches of a stage. */
  data(stage: string): TrainingData<VlmBatch>;
  /** Visual embeddings `[N, D]` of a batch; call inside of `tf.tidy`. */
  embed(batch: VlmBatch): tf.Tensor2D;
  /** Accuracy on the first pictures by an artist that training never shows. */
  evaluate(pictures: number): Promise<Readonly<Record<string, number>>>;
}

/** Assembles the page's recipe on the current backend. @param note - Is told what is being done. */
export async function openSession(
  length: RunLength,
  pictures: PictureMaker,
  note: (text: string) => void,
): Promise<Session> {
  const [recipe, size] = [pageRecipe(length), RUN_SIZES[length]];
  note("Reading the encoder and the language model");
  const { encoder, language } = await loadModels(recipe.model.visionLayer);
  const features = await FeatureMaker.open(encoder, openProcessor());
  const tokenizer = openTokenizer();
  const firstStage = setOf(recipe, pictures, Object.keys(recipe.stages)[0] ?? "");
  if (recipe.features.standardise) {
    note("Measuring what the encoder makes of the first pictures");
    await features.measure(size.measured, (index) => drawn(pictures, firstStage, index).picture);
  }
  const matched = drawFirst(pictures, firstStage, size.matched);
  const projector = await openProjector(recipe, { features, language }, matched);
  const objective = objectiveOf(recipe, { features, language, projector, tokenizer });
  const embed = (batch: VlmBatch) => projectBatch(rowsOf(batch.visual), batch, projector).rows;
  const batches = { pictures, features, projector, tokenizer };
  return {
    recipe,
    size,
    language,
    projector,
    tokenizer,
    features,
    objective,
    embed,
    data: (stage) => {
      const { template = "plain", rowBudget } = recipe.stages[stage] ?? {};
      const pack = rowBudget === undefined ? {} : { pack: { rowBudget } };
      return dataOf(batches, setOf(recipe, pictures, stage), { template, answers: "all", ...pack });
    },
    evaluate: (count) => evaluate({ recipe, language, embed, ...batches }, count),
  };
}

function setOf({ data, stages }: VlmRecipe, pictures: PictureMaker, stage: string): SplitPlan {
  return pictures.split(data.train[stages[stage]?.data ?? stage]?.file ?? "");
}

/** A scene of a set as the store and the packer want it. */
function drawn(pictures: PictureMaker, split: SplitPlan, index: number) {
  const scene = pictures.scene(split, index);
  const picture: Picture = { name: scene.image, width: 64, height: 64, pixels: scene.pixels };
  return { picture, samples: samplesOf(scene) };
}

function drawFirst(pictures: PictureMaker, split: SplitPlan, count: number): ReadonlyMap<string, Picture> {
  const first = Array.from({ length: count }, (_, index) => drawn(pictures, split, index).picture);
  return new Map(first.map((picture) => [picture.name, picture]));
}

interface Places {
  readonly features: FeatureMaker;
  readonly language: Decoder;
}

async function openProjector(
  { model, seed }: VlmRecipe,
  { features, language }: Places,
  first: ReadonlyMap<string, Picture>,
): Promise<BuiltInProjector> {
  const { name, options } = model.projector;
  const random = createRandom(seed, "projector");
  const { vocabulary, width } = language;
  const context = { features: features.width, width, vocabulary, random, options };
  const projector = projectorFactories[name]?.(context);
  if (!(projector instanceof BuiltInProjector)) throw new Error(`the page has no projector ${name}`);
  if (model.projectorInit === "match-vocabulary") {
    const rows = await features.store(first).read([...first.keys()]);
    tf.tidy(() => matchVocabulary(projector, rowsOf(rows), vocabulary));
  }
  return projector;
}

/** On the device. */
function rowsOf(visual: VlmBatch["visual"]): VisualRows {
  if (visual === null || !("values" in visual)) throw new Error("the batch carries no features");
  const { values, width, offsets, grids } = visual;
  return { rows: tf.tensor2d(values, [values.length / width, width]), offsets, grids };
}

function objectiveOf(
  { supervision, stages, seed }: VlmRecipe,
  parts: Places & { readonly projector: BuiltInProjector; readonly tokenizer: TextTokenizer },
): Objective<VlmBatch> {
  const { features, language, projector, tokenizer } = parts;
  const settings = Object.fromEntries(Object.entries(stages).map(([name, stage]) => [name, stage.losses]));
  const random = createRandom(seed, "losses");
  const losses = createWeightedLosses(settings, {
    supervision,
    context: { width: language.width, depth: language.depth, features: features.width, random },
    find: (name) => {
      const factory = visualLosses[name];
      if (factory === undefined) throw new Error(`the page has no loss ${name}`);
      return factory;
    },
  });
  const decode = (token: number) => tokenizer.word(token);
  const languageWeightAt = languageWeight(settings);
  return createVlmObjective({
    encoder: null,
    projector,
    language,
    losses,
    supervision,
    decode,
    languageWeightAt,
  });
}

interface BatchParts {
  readonly pictures: PictureMaker;
  readonly features: FeatureMaker;
  readonly projector: BuiltInProjector;
  readonly tokenizer: TextTokenizer;
}

interface BatchForm {
  readonly template: string;
  readonly answers: LabelledAnswers;
  readonly pack?: { readonly rowBudget: number };
}

/** Batches of samples whose pictures are in memory. */
export function batchData(
  { features, projector, tokenizer }: Pick<BatchParts, "features" | "projector" | "tokenizer">,
  samples: readonly Sample[],
  { pictures, template, ...form }: BatchForm & { readonly pictures: ReadonlyMap<string, Picture> },
): TrainingData<VlmBatch> {
  return createVlmData({
    samples,
    store: features.store(pictures),
    tokenizer,
    template: findTemplate(template, tokenizer),
    gridAfter: (grid, rows) => projector.gridAfter(grid, rows),
    templateWords: new Set(templateWords),
    ...form,
  });
}

/** A set whose scenes are drawn when a batch asks for them. */
function dataOf(parts: BatchParts, split: SplitPlan, form: BatchForm): TrainingData<VlmBatch> {
  return {
    size: split.count,
    batch: (indices, position) => {
      const scenes = Array.from(indices, (index) => drawn(parts.pictures, split, index));
      const pictures = new Map(scenes.map(({ picture }) => [picture.name, picture]));
      const samples = scenes.flatMap((scene) => scene.samples);
      const all = Int32Array.from(samples.keys());
      return batchData(parts, samples, { pictures, ...form }).batch(all, position);
    },
  };
}

type Evaluated = BatchParts & Pick<Session, "recipe" | "language" | "embed">;

async function evaluate(own: Evaluated, count: number): Promise<Readonly<Record<string, number>>> {
  const { recipe, language, embed, tokenizer, pictures } = own;
  const name = Object.values(recipe.data.evaluation)[0]?.file ?? "";
  const scenes = Array.from({ length: count }, (_, index) => drawn(pictures, pictures.split(name), index));
  const samples = scenes.flatMap((scene) => scene.samples);
  const named = Object.values(recipe.stages).at(-1)?.template ?? "plain";
  const template = findTemplate(named, tokenizer);
  const [yes, no] = ["yes", "no"].map((word) => firstAnswerToken(template, tokenizer, word));
  const model: AnsweringModel<VlmBatch> = {
    language,
    embed,
    decode: (ids) => tokenizer.decode(ids),
    endOfSequence: answerEndToken(template, tokenizer) ?? -1,
    ...(yes !== undefined && no !== undefined && { yesNo: [yes, no] as const }),
  };
  const shown = new Map(scenes.map(({ picture }) => [picture.name, picture]));
  const data = batchData(own, samples, { pictures: shown, template: named, answers: "last" });
  const { batchSize } = recipe.evaluation;
  return score(await answerQuestions(model, data, samples.map(questionOf), { batchSize }));
}

function questionOf({ id, conversations, metadata }: Sample): QuestionItem {
  const [asked, answered] = conversations.slice(-2).map(({ value }) => value);
  const { question, negative } = metadata;
  const type = question === "no" ? (`no-${String(negative)}` as QuestionType) : (question as QuestionType);
  return { id, type, question: asked ?? "", truth: answered ?? "" };
}
