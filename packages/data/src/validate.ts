import { access } from "node:fs/promises";
import { join } from "node:path";

import { BasicError } from "@basic-mllm/core";

import { brokenImages, imagesOf, inGroups } from "./dataset.js";
import { IMAGE_PLACEHOLDER, type Sample } from "./samples.js";
import { encodeSample, type Template, usableTemplates } from "./templates.js";
import type { TextTokenizer } from "./tokenizer.js";
import { countUnknownWords, type UnknownWords } from "./unknown-words.js";

/** What {@link validateDataset} looks at. */
export interface ValidateOptions {
  readonly samples: readonly Sample[];
  readonly imageRoot: string;
  readonly tokenizer: TextTokenizer;
  /** Default: all whose special tokens the tokenizer has. */
  readonly templates?: readonly Template[];
  /** Whether images are decoded, and not only looked for. Default false. */
  readonly decodeImages?: boolean;
}

/** How samples come out of one template. */
export interface TemplateReport {
  readonly template: string;
  /** Tokens without images: the shortest, the middle and the longest sample. */
  readonly tokens: { readonly min: number; readonly median: number; readonly max: number };
  /** Share of tokens that are not trained. */
  readonly maskedShare: number;
  /** Samples that this template cannot use, by error code, with the text of the first. */
  readonly unusable: readonly { readonly code: string; readonly count: number; readonly first: string }[];
}

/** What is in a data set, and what would stop a training run. */
export interface DatasetReport {
  readonly samples: number;
  readonly textOnly: number;
  readonly images: number;
  readonly missingImages: readonly string[];
  /** Only with `decodeImages`. */
  readonly brokenImages: readonly string[];
  /** Samples whose number of placeholders differs from their number of images. */
  readonly placeholderMismatches: readonly string[];
  /** Ids that occur more than once. Training accepts them. */
  readonly duplicateIds: readonly string[];
  /** Words that the tokenizer cannot spell. */
  readonly unknownWords: UnknownWords;
  readonly turns: { readonly min: number; readonly median: number; readonly max: number };
  readonly templates: readonly TemplateReport[];
}

/** Looks through a data set before any training: files, placeholders, lengths, and labels under each template. */
export async function validateDataset(options: ValidateOptions): Promise<DatasetReport> {
  const { samples, imageRoot, tokenizer, templates = usableTemplates(tokenizer) } = options;
  const images = imagesOf(samples);
  const missing: string[] = [];
  await inGroups(images, async (image) => {
    await access(join(imageRoot, image)).catch(() => missing.push(image));
  });
  const there = images.filter((image) => !missing.includes(image));
  const broken = options.decodeImages === true ? await brokenImages(imageRoot, there) : new Map();
  const ids = samples.map(({ id }) => id);
  const seen = new Set<string>();
  const repeated = new Set(ids.filter((id) => seen.has(id) || !seen.add(id)));
  return {
    samples: samples.length,
    textOnly: samples.filter((sample) => sample.images.length === 0).length,
    images: images.length,
    missingImages: missing.toSorted(),
    brokenImages: [...broken.keys()],
    placeholderMismatches: samples.filter(mismatched).map(({ id }) => id),
    duplicateIds: [...repeated],
    unknownWords: countUnknownWords(tokenizer, samples),
    turns: spread(samples.map(({ conversations }) => conversations.length)),
    templates: templates.map((template) => reportTemplate(template, tokenizer, samples)),
  };
}

function reportTemplate(
  template: Template,
  tokenizer: TextTokenizer,
  samples: readonly Sample[],
): TemplateReport {
  const lengths: number[] = [];
  const failures = new Map<string, { count: number; first: string }>();
  let trained = 0;
  for (const sample of samples) {
    try {
      const { ids, weights } = encodeSample(template, tokenizer, sample);
      lengths.push(ids.length - sample.images.length);
      trained += weights.reduce((sum, weight) => sum + (weight > 0 ? 1 : 0), 0);
    } catch (error) {
      if (!(error instanceof BasicError)) throw error;
      const known = failures.get(error.code);
      failures.set(error.code, { count: (known?.count ?? 0) + 1, first: known?.first ?? error.message });
    }
  }
  const total = lengths.reduce((sum, length) => sum + length, 0);
  return {
    template: template.name,
    tokens: spread(lengths),
    maskedShare: total === 0 ? 1 : 1 - trained / total,
    unusable: [...failures].map(([code, failure]) => ({ code, ...failure })),
  };
}

function mismatched({ images, conversations }: Sample): boolean {
  const shown = conversations.reduce((sum, { value }) => sum + value.split(IMAGE_PLACEHOLDER).length - 1, 0);
  return shown !== images.length;
}

function spread(values: readonly number[]): { min: number; median: number; max: number } {
  const sorted = values.toSorted((a, b) => a - b);
  return { min: sorted[0] ?? 0, median: sorted[sorted.length >> 1] ?? 0, max: sorted.at(-1) ?? 0 };
}
