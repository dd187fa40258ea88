import { BasicError } from "@basic-mllm/core";

import { inGroups } from "./dataset.js";
import { encodeThumbnail } from "./decode.js";
import type { Sample } from "./samples.js";
import { type ImageSource, imageSourceOf } from "./sources/image-source.js";
import type { SampleSource } from "./sources/sample-source.js";
import { encodeSample, type Template } from "./templates.js";
import { type TokenPiece, tokenPieces } from "./token-pieces.js";
import type { TextTokenizer } from "./tokenizer.js";

/** How {@link previewSamples} shows samples. */
export interface PreviewOptions {
  readonly template: Template;
  readonly tokenizer: TextTokenizer;
  /** Number of records, at even distances over the data set. */
  readonly count: number;
  /** Pixels of the longer side of a thumbnail. Default 224. */
  readonly thumbnail?: number;
}

/** A record as training would see it. */
export interface PreviewRecord {
  /** Number in the data set. */
  readonly index: number;
  /** Null where the record is no sample. */
  readonly id: string | null;
  /** Thumbnails as `data:` addresses; null, and a problem, where an image cannot be shown. */
  readonly images: readonly { readonly name: string; readonly address: string | null }[];
  /** Empty where the template cannot use the sample. */
  readonly tokens: readonly TokenPiece[];
  /** Why the record cannot be trained on; empty for good ones. */
  readonly problems: readonly string[];
}

/**
 * Some records of a data set with thumbnails and with the tokens that a template gives. What is wrong with a record
 * stands in its place and is not thrown.
 */
export async function previewSamples(
  source: SampleSource,
  options: PreviewOptions,
): Promise<readonly PreviewRecord[]> {
  const count = Math.min(options.count, source.size);
  const indices = Array.from({ length: count }, (_, i) => Math.floor((i * source.size) / count));
  const found = new Map<number, PreviewRecord>();
  await inGroups(
    indices,
    async (index) => {
      found.set(index, await previewRecord(source, index, options));
    },
    8,
  );
  return indices.flatMap((index) => found.get(index) ?? []);
}

async function previewRecord(
  source: SampleSource,
  index: number,
  { template, tokenizer, thumbnail = 224 }: PreviewOptions,
): Promise<PreviewRecord> {
  const problems: string[] = [];
  const attempt = async <Value>(work: () => Value | Promise<Value>): Promise<Value | null> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof BasicError)) throw error;
      problems.push(error.message);
      return null;
    }
  };
  const sample = await attempt(() => source.read(index));
  if (sample === null) return { index, id: null, images: [], tokens: [], problems };
  const root = imageSourceOf(source.imageRoot);
  const images: PreviewRecord["images"][number][] = [];
  for (const name of sample.images) {
    images.push({ name, address: await attempt(() => thumbnailOf(root, name, thumbnail)) });
  }
  const tokens = await attempt(() => tokensOf(template, tokenizer, sample));
  return { index, id: sample.id, images, tokens: tokens ?? [], problems };
}

async function thumbnailOf(source: ImageSource, name: string, size: number): Promise<string> {
  return encodeThumbnail(await source.bytes(name), name, size);
}

function tokensOf(template: Template, tokenizer: TextTokenizer, sample: Sample): readonly TokenPiece[] {
  return tokenPieces(tokenizer, encodeSample(template, tokenizer, sample));
}
