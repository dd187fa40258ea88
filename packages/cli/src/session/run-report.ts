import { cpus } from "node:os";
import { join } from "node:path";
import {
  type EvaluationResult,
  type MetricsLine,
  type StartedBackend,
  supervisedDepth,
  type VlmRecipe,
} from "@basic-mllm/core";
import { decodeImage, imageSourceOf } from "@basic-mllm/data";
import {
  type MatchOptions,
  matchTokens,
  type PatchPicture,
  patchAttention,
  type ReportRun,
  renderReport,
  replaceWithNearest,
  type SamplePicture,
  score,
  type TokenMatches,
} from "@basic-mllm/evaluate";
import type * as tf from "@tensorflow/tfjs-core";

import { writeText } from "./json-file.js";
import { mediaType } from "./media-type.js";
import { figuresOf, linesOf } from "./report-data.js";
import { type ReportProgress, type ReportWatch, reportProgress } from "./report-progress.js";
import { seenPart } from "./seen-part.js";
import { summariseStages } from "./start-table.js";
import { commit, version } from "./version.js";
import { answerSet, openFreshProjector, type VlmSession } from "./vlm.js";
import { firstPictures, questionsOf, type VlmSet } from "./vlm-data.js";

/** Pictures in the gallery and in the patch maps. */
const GALLERY = 12;
const PATCH_PICTURES = 6;
/** Pictures whose visual embeddings are matched with words, and replaced by them; `evaluation.limit` where that is less. */
const MATCHED = 128;
const REPLACED = 200;

/** What {@link writeReport} is told about the run. */
export interface ReportInput extends ReportWatch {
  /** What the run computed with: its name, instruction set and threads. */
  readonly backend: StartedBackend;
  readonly recipe: VlmRecipe;
  readonly seconds: number;
  readonly evaluations: readonly EvaluationResult[];
  readonly blind: Readonly<Record<string, number>> | null;
}

/**
 * Measures what the report shows, and writes report.json (for comparisons) and report.html into the run folder.
 *
 * @throws `BasicError` `E_INTERRUPTED` where the signal is aborted while the model is analysed; nothing is written then.
 */
export async function writeReport(session: VlmSession, input: ReportInput): Promise<string> {
  const run = await describeRun(session, input);
  const file = join(input.out, "report.html");
  await writeText(join(input.out, "report.json"), JSON.stringify(run));
  const title = `${input.recipe.name}, seed ${input.recipe.seed}`;
  await writeText(file, renderReport({ title, date: today(), runs: [run] }));
  return file;
}

/** `YYYY-MM-DD`. */
export function today(): string {
  return new Date().toISOString().slice(0, 10);
}

async function describeRun(session: VlmSession, input: ReportInput): Promise<ReportRun> {
  const { out, recipe, seconds } = input;
  const lines = await linesOf(out);
  const analysis = recipe.evaluation.analysis ? await analyse(session, input) : EMPTY;
  return {
    name: `${recipe.name}, seed ${recipe.seed}`,
    description: recipe.description,
    seconds,
    environment: environment(input.backend, lines),
    parts: summariseStages(recipe, session.parts),
    recipe,
    ...figuresOf(lines, input),
    ...analysis,
  };
}

const EMPTY = { samples: [], patches: [], shares: { before: [], after: [] } } satisfies Analysis;

type Analysis = Pick<ReportRun, "samples" | "patches" | "shares" | "replacement">;

/** Everything that needs the model, on the first evaluation set. */
async function analyse(session: VlmSession, watch: ReportWatch): Promise<Analysis> {
  const [set] = session.sets.evaluation.values();
  const pictured = set && withOnePicture(set);
  if (pictured === undefined || pictured.samples.length === 0) return EMPTY;
  const { limit = Number.POSITIVE_INFINITY } = session.recipe.evaluation;
  const shown = firstPictures(pictured, Math.min(GALLERY, limit));
  const captioned = firstPerPicture(pictured, Math.min(MATCHED, limit));
  const replaced = firstPictures(pictured, Math.min(REPLACED, limit));
  const total = [shown, captioned, captioned, replaced].reduce((sum, { samples }) => sum + samples.length, 0);
  const progress = reportProgress(watch, total);
  try {
    const samples = await gallery(session, shown, progress);
    const matches = await matchTwice(session, captioned, progress);
    return {
      samples,
      replacement: await replacement(session, replaced, progress),
      patches: await patchPictures(session, captioned, matches),
      shares: { before: matches.before.shares, after: matches.after.shares },
    };
  } finally {
    progress.stop();
  }
}

/** The words nearest to what the projector makes of pictures, now and before training. */
async function matchTwice(session: VlmSession, set: VlmSet, progress: ReportProgress): Promise<Matches> {
  const { embed } = session;
  const { length } = set.samples;
  const after = await match(session, set, { embed, onProgress: progress.part(length, "nearest words") });
  const fresh = await openFreshProjector(session);
  try {
    const onProgress = progress.part(length, "nearest words before training");
    return { after, before: await match(session, set, { embed: fresh.embed, onProgress }) };
  } finally {
    fresh.dispose();
  }
}

/** The scores with each visual embedding replaced by the word nearest to it. */
async function replacement(session: VlmSession, set: VlmSet, progress: ReportProgress) {
  const embed: Embed = (batch) => {
    const visual = session.embed(batch);
    return visual === null ? null : replaceWithNearest(visual, session.language.vocabulary);
  };
  const onProgress = progress.part(set.samples.length, "answers from nearest words");
  return score(await answerSet(session, set, undefined, { embed, onProgress }));
}

/** Questions about exactly one picture: what is shown beside a picture must be about that one. */
function withOnePicture(set: VlmSet): VlmSet {
  return { ...set, samples: set.samples.filter(({ images }) => images.length === 1) };
}

/** Pictures with all their questions answered, in the order of the set. */
async function gallery(
  session: VlmSession,
  shown: VlmSet,
  progress: ReportProgress,
): Promise<readonly SamplePicture[]> {
  const onProgress = progress.part(shown.samples.length, "answers");
  const answers = await answerSet(session, shown, undefined, { onProgress });
  const byImage = new Map<string, (typeof answers)[number][]>();
  for (const [i, answer] of answers.entries()) {
    const image = shown.samples[i]?.images[0] ?? "";
    byImage.set(image, [...(byImage.get(image) ?? []), answer]);
  }
  return Promise.all(
    [...byImage].map(async ([image, questions]) => ({
      image: await pictureAddress(shown, image),
      questions: questions.map(({ type, question, answer, truth, correct }) => ({
        type,
        question,
        answer,
        truth,
        correct,
      })),
    })),
  );
}

/** The set with the first question of each picture only. */
function firstPerPicture(set: VlmSet, count: number): VlmSet {
  const seen = new Set<string>();
  const samples = set.samples.filter(({ images: [image = ""] }) => !seen.has(image) && seen.add(image));
  return { ...set, samples: samples.slice(0, count) };
}

type Embed = VlmSession["embed"];

interface Matches {
  readonly before: TokenMatches;
  readonly after: TokenMatches;
}

async function match(
  session: VlmSession,
  set: VlmSet,
  { embed, onProgress }: { readonly embed: Embed } & Required<MatchOptions>,
): Promise<TokenMatches> {
  const { language, tokenizer, recipe } = session;
  const data = session.questions(set);
  const batches = [];
  for (let start = 0; start < set.samples.length; start += recipe.evaluation.batchSize) {
    const length = Math.min(recipe.evaluation.batchSize, set.samples.length - start);
    const indices = Int32Array.from({ length }, (_, i) => start + i);
    batches.push(await data.batch(indices, { stage: "analysis", step: 0, steps: 1 }));
  }
  const decode = ([id]: readonly number[]): string => (id === undefined ? "" : tokenizer.word(id));
  return matchTokens({ language, decode, embed: (batch) => embed(batch) as tf.Tensor2D }, batches, {
    onProgress,
  });
}

async function patchPictures(
  session: VlmSession,
  set: VlmSet,
  matches: Matches,
): Promise<readonly PatchPicture[]> {
  const { language, tokenizer, recipe } = session;
  const chosen = { ...set, samples: set.samples.slice(0, PATCH_PICTURES) };
  const indices = Int32Array.from(chosen.samples.keys());
  const batch = await session.questions(chosen).batch(indices, { stage: "analysis", step: 0, steps: 1 });
  const model = {
    language,
    decode: (ids: readonly number[]) => tokenizer.decode(ids),
    embed: (own: typeof batch) => session.embed(own) as tf.Tensor2D,
  };
  const weights = await patchAttention(
    model,
    batch,
    recipe.supervision.depth ?? supervisedDepth(language.depth),
  );
  const items = questionsOf(chosen);
  const pictures = chosen.samples.map(async ({ images: [image = ""] }, i): Promise<PatchPicture | null> => {
    const { grid, tiles } = set.store.shape(image);
    // Rows of tiles are no grid that could be drawn over the picture.
    const after =
      grid === null || tiles !== undefined ? null : session.projector.gridAfter(grid, grid[0] * grid[1]).grid;
    if (after === null) return null;
    const source = imageSourceOf(set.imageRoot);
    const picture = await decodeImage(
      await source.bytes(image),
      source.locate(image),
      session.processor.decode,
    );
    return {
      image: await pictureAddress(set, image),
      grid: [after[0], after[1]],
      seen: seenPart(picture, session.processor),
      question: `${items[i]?.question} ${items[i]?.truth}`,
      weights: weights[i] ?? [],
      before: matches.before.initial[i] ?? [],
      after: matches.after.initial[i] ?? [],
    };
  });
  return (await Promise.all(pictures)).filter((picture) => picture !== null);
}

/** A picture inside of the page. */
async function pictureAddress({ imageRoot }: VlmSet, image: string): Promise<string> {
  const bytes = Buffer.from(await imageSourceOf(imageRoot).bytes(image));
  return `data:${mediaType(bytes)};base64,${bytes.toString("base64")}`;
}

function environment(
  backend: StartedBackend,
  lines: readonly MetricsLine[],
): readonly (readonly [string, string])[] {
  const steps = lines.filter((line) => line.kind === "train");
  const mean = steps.reduce((sum, line) => sum + line.stepMs, 0) / Math.max(1, steps.length);
  const sources = commit();
  return [
    ["backend", `${backend.name} (${backend.device})`],
    ["processor", cpus()[0]?.model.trim() ?? "unknown"],
    ["mean step", `${mean.toFixed(1)} ms`],
    ["node", process.versions.node],
    ["basic-mllm", version()],
    ...(sources === null ? [] : [["commit", sources] as const]),
  ];
}
