import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { BasicError, createFeatureSource, type HostVisualRows, type ImageBatch } from "@basic-mllm/core";
import {
  arrangementOf,
  findTemplate,
  type ImageShape,
  openPicture,
  readImageSize,
  rowsAfter,
  standardised,
  toImageBatch,
} from "@basic-mllm/data";
import { type Conversation, talk } from "@basic-mllm/evaluate";
import * as tf from "@tensorflow/tfjs-core";

import type { VlmSession } from "./vlm.js";

/**
 * Looks at the head of a picture before anything that takes long: whether it may be decoded is the run's to say.
 *
 * @throws `BasicError` `E_IMAGE` where the file is missing or no picture.
 */
export async function requirePicture(image: string): Promise<void> {
  const what = existsSync(image) ? "cannot be read as a picture" : "there is no such file";
  try {
    await readImageSize(await readFile(image), image, { svg: true, pixelLimit: Number.POSITIVE_INFINITY });
  } catch (cause) {
    throw new BasicError(
      "E_IMAGE",
      `basic-mllm chat: image "${image}": ${what}. Give the path of a PNG, JPEG, WebP, GIF, TIFF or AVIF file; ` +
        `relative ones count from ${process.cwd()}.`,
      { cause },
    );
  }
}

/**
 * Opens a picture for questions: decoded, fitted for the encoder, turned into features once.
 *
 * @throws `BasicError` `E_IMAGE` where the file is missing or no picture.
 */
export async function openConversation(session: VlmSession, image: string): Promise<Conversation> {
  await requirePicture(image);
  const { visual, shape } = await seePicture(session, image);
  const { projector, tokenizer, language } = session;
  const rows = rowsAfter(shape, (...own) => projector.gridAfter(...own));
  const arrangement = arrangementOf([rows]);
  return talk({
    language,
    tokenizer,
    template: findTemplate(session.template, tokenizer),
    picture: {
      name: image,
      rows: rows.rows,
      embed: (packed) => {
        const batch = { packed, visual, sampleIds: [image], ...(arrangement && { arrangement }) };
        return tf.tidy(() => session.embed(batch) as tf.Tensor2D);
      },
    },
  });
}

/** Features of one picture as the model was trained on them. */
async function seePicture(
  session: VlmSession,
  image: string,
): Promise<{ readonly visual: HostVisualRows; readonly shape: ImageShape }> {
  const { encoder, processor, sets } = session;
  const { images, tiles } = await openPicture(image, processor);
  const source = "encode" in encoder ? await createFeatureSource(encoder, "chat") : encoder;
  const visual = await source.features(toImageBatch(images, processor));
  const shape = { rows: visual.offsets[1] ?? 0, grid: visual.grids[0] ?? null, ...(tiles && { tiles }) };
  if (sets.statistics === null) return { visual, shape };
  const store = standardised({ shape: () => shape, read: async () => visual }, sets.statistics);
  return { visual: asRows(await store.read([image])), shape };
}

function asRows(visual: HostVisualRows | ImageBatch): HostVisualRows {
  if ("values" in visual) return visual;
  throw new BasicError(
    "E_CONFIG",
    "Standardised features became pixels again. Set features.standardise to false.",
  );
}
