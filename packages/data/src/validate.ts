import { BasicError } from "@basic-mllm/core";

import { brokenImages, inGroups } from "./dataset.js";
import { createFinding, createSpread, type Finding, type Spread } from "./findings.js";
import { IMAGE_PLACEHOLDER, type Sample, TurnOrderError } from "./samples.js";
import { type ImageRoot, imageSourceOf } from "./sources/image-source.js";
import type { SampleSource } from "./sources/sample-source.js";
import { type Template, usableTemplates } from "./templates.js";
import type { TextTokenizer } from "./tokenizer.js";
import { createWordCounter, type UnknownWords } from "./unknown-words.js";
import { createTemplateCheck, type TemplateReport } from "./validate-template.js";

/** What {@link validateDataset} looks at. */
export interface ValidateOptions {
  readonly source: Pick<SampleSource, "records" | "imageRoot">;
  readonly tokenizer: TextTokenizer;
  /** Default: all whose special tokens the tokenizer has. */
  readonly templates?: readonly Template[];
  /** Whether images are decoded, and not only looked for. Default false. */
  readonly decodeImages?: boolean;
  /** Tokens of a sample, images not counted, above which it is over-long. Default: none is. */
  readonly maxLength?: number;
}

/** What is in a data set, and what would stop a training run. */
export interface DatasetReport {
  /** Records that are samples. */
  readonly samples: number;
  readonly textOnly: number;
  /** Different images. */
  readonly images: number;
  /** Turns that are not of human and gpt, or do not alternate; the examples are the texts of the errors. */
  readonly roleErrors: Finding;
  /** Records that are no samples for another reason; the examples are the texts of the errors. */
  readonly malformed: Finding;
  readonly missingImages: Finding;
  /** Images outside of the image folder, and with `decodeImages` those that cannot be decoded: texts of the errors. */
  readonly brokenImages: Finding;
  /** Samples with more `<image>` than images. */
  readonly morePlaceholders: Finding;
  /** Samples with fewer `<image>` than images. */
  readonly fewerPlaceholders: Finding;
  /** Samples with an answer that is empty. Training leaves such an answer out. */
  readonly emptyAnswers: Finding;
  /** Ids that occur more than once. Training accepts them. */
  readonly duplicateIds: Finding;
  /** Words that the tokenizer cannot spell. */
  readonly unknownWords: UnknownWords;
  readonly turns: Spread;
  readonly templates: readonly TemplateReport[];
}

/** Samples whose images are looked for at a time. */
const GROUP = 32;

/**
 * Looks through a data set before any training: records, images, placeholders, lengths, and labels under each template.
 * One pass in order; ids, names of images and different words stay in memory, samples do not.
 */
export async function validateDataset(options: ValidateOptions): Promise<DatasetReport> {
  const { source, tokenizer, templates = usableTemplates(tokenizer) } = options;
  const records = { roleErrors: createFinding(), malformed: createFinding() };
  const images = createImageCheck(source.imageRoot, options.decodeImages === true);
  const samples = createSampleCheck();
  const words = createWordCounter(tokenizer);
  const checks = templates.map((template) => createTemplateCheck(template, tokenizer, options.maxLength));
  for await (const record of source.records()) {
    if (record instanceof BasicError) {
      (record instanceof TurnOrderError ? records.roleErrors : records.malformed).add(record.message);
      continue;
    }
    samples.add(record);
    words.add(record);
    for (const check of checks) check.add(record);
    await images.add(record);
  }
  return {
    ...samples.result(),
    ...(await images.result()),
    roleErrors: records.roleErrors.result(),
    malformed: records.malformed.result(),
    unknownWords: words.result(),
    templates: checks.map((check) => check.result()),
  };
}

/** Ids, turns and placeholders. */
function createSampleCheck() {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  const found = {
    morePlaceholders: createFinding(),
    fewerPlaceholders: createFinding(),
    emptyAnswers: createFinding(),
    duplicateIds: createFinding(),
  };
  const turns = createSpread();
  let samples = 0;
  let textOnly = 0;
  const add = ({ id, images, conversations }: Sample): void => {
    samples++;
    if (images.length === 0) textOnly++;
    turns.add(conversations.length);
    if (seen.has(id) && !repeated.has(id)) {
      repeated.add(id);
      found.duplicateIds.add(id);
    }
    seen.add(id);
    if (conversations.some(({ from, value }) => from === "gpt" && value.trim() === ""))
      found.emptyAnswers.add(id);
    const shown = conversations.reduce(
      (sum, { value }) => sum + value.split(IMAGE_PLACEHOLDER).length - 1,
      0,
    );
    const example = `${id} (${shown} × ${IMAGE_PLACEHOLDER}, images: ${images.length})`;
    if (shown > images.length) found.morePlaceholders.add(example);
    if (shown < images.length) found.fewerPlaceholders.add(example);
  };
  const result = () => ({
    samples,
    textOnly,
    turns: turns.result(),
    morePlaceholders: found.morePlaceholders.result(),
    fewerPlaceholders: found.fewerPlaceholders.result(),
    emptyAnswers: found.emptyAnswers.result(),
    duplicateIds: found.duplicateIds.result(),
  });
  return { add, result };
}

/** Looks for each image once, some at a time. */
function createImageCheck(root: ImageRoot, decode: boolean) {
  const source = imageSourceOf(root);
  const known = new Set<string>();
  const missing = createFinding();
  const broken = createFinding();
  let waiting: string[] = [];
  const look = async (images: readonly string[]): Promise<void> => {
    const state = new Map<string, "there" | "missing">();
    const reasons = new Map<string, string>();
    await inGroups(images, async (image) => {
      try {
        state.set(image, (await source.has(image)) ? "there" : "missing");
      } catch (error) {
        if (!(error instanceof BasicError)) throw error;
        reasons.set(image, error.message);
      }
    });
    const there = images.filter((image) => state.get(image) === "there");
    if (decode) for (const entry of await brokenImages(root, there)) reasons.set(...entry);
    for (const image of images) {
      const reason = reasons.get(image);
      if (state.get(image) === "missing") missing.add(image);
      if (reason !== undefined) broken.add(reason);
    }
  };
  const add = async ({ images }: Sample): Promise<void> => {
    for (const image of images) {
      if (known.has(image)) continue;
      known.add(image);
      waiting.push(image);
    }
    if (waiting.length < GROUP) return;
    const group = waiting;
    waiting = [];
    await look(group);
  };
  const result = async () => {
    await look(waiting);
    waiting = [];
    return { images: known.size, missingImages: missing.result(), brokenImages: broken.result() };
  };
  return { add, result };
}
