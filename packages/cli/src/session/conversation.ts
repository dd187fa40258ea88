import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import {
  BasicError,
  createFeatureSource,
  type HostVisualRows,
  type ImageBatch,
  type LanguageModel,
  type PackedRows,
} from "@basic-mllm/core";
import {
  answerEndToken,
  arrangementOf,
  encodePrompt,
  findTemplate,
  IMAGE_PLACEHOLDER,
  type ImageShape,
  openPicture,
  packSamples,
  readImageSize,
  rowsAfter,
  standardised,
  type Template,
  type TextTokenizer,
  type Turn,
  toImageBatch,
} from "@basic-mllm/data";
import { type GeneratedText, generateText, PromptCache, type SamplingOptions } from "@basic-mllm/evaluate";
import * as tf from "@tensorflow/tfjs-core";

import type { VlmSession } from "./vlm.js";

/** How {@link Conversation.ask} answers. */
export interface AnswerOptions extends SamplingOptions {
  readonly maxTokens: number;
  /** Ends the answer early; what was said so far stays in the conversation. */
  readonly signal?: AbortSignal;
  /** Called with each new piece of text. */
  readonly onText: (text: string) => void;
}

/** What {@link Conversation.ask} gives back. */
export interface Answer extends Omit<GeneratedText, "text" | "ids"> {
  readonly answer: string;
  readonly tokens: number;
  /** Rows of the prompt: its tokens and those of the picture. */
  readonly promptRows: number;
}

/** Questions and answers, about one picture or about none. */
export interface Conversation {
  /** The answer, with everything said before as context: what is equal to the last prompt is not run again. */
  ask(question: string, options: AnswerOptions): Promise<Answer>;
  /** Starts again with the same picture. */
  forget(): void;
  /** Frees what is kept of the rows seen. */
  dispose(): void;
}

/** Who answers. */
export interface Speaker {
  readonly language: LanguageModel;
  readonly tokenizer: TextTokenizer;
  readonly template: Template;
  /** The picture that is talked about, and its rows; absent: none. */
  readonly picture?: {
    readonly name: string;
    readonly rows: number;
    /** Its visual embeddings `[N, D]`. */
    embed(packed: PackedRows): tf.Tensor2D;
  };
}

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

/** A conversation that has not begun. */
export function talk({ language, tokenizer, template, picture }: Speaker): Conversation {
  const cache = new PromptCache(language);
  const images = picture === undefined ? [] : [picture.name];
  let turns: readonly Turn[] = [];
  return {
    forget: () => {
      turns = [];
    },
    dispose: () => cache.dispose(),
    ask: async (question, { onText, ...options }) => {
      const opens = picture !== undefined && turns.length === 0;
      const value = opens ? `${IMAGE_PLACEHOLDER}\n${question}` : question;
      const conversations = [...turns, { from: "human" as const, value }];
      const tokens = encodePrompt(template, tokenizer, { id: "chat", images, conversations, metadata: {} });
      const rows = picture === undefined ? [] : [picture.rows];
      const packed = packSamples([tokens], [rows], { requireLabels: false });
      const visual = picture?.embed(packed) ?? null;
      try {
        const { text, ids, ...rest } = await generateText(
          language,
          { packed, visual },
          {
            ...options,
            cache,
            endOfSequence: answerEndToken(template, tokenizer),
            decode: (tokens) => tokenizer.decode(tokens),
            onText: withoutLeadingSpace(onText),
          },
        );
        const answer = text.trim();
        turns = [...conversations, { from: "gpt", value: answer }];
        return { answer, tokens: ids.length, promptRows: packed.ids.length, ...rest };
      } finally {
        visual?.dispose();
      }
    },
  };
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

function withoutLeadingSpace(onText: (text: string) => void): (text: string) => void {
  let started = false;
  return (piece) => {
    const text = started ? piece : piece.trimStart();
    started ||= text !== "";
    if (text !== "") onText(text);
  };
}
