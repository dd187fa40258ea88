import type { LanguageModel, PackedRows } from "@basic-mllm/core";
import {
  answerEndToken,
  encodePrompt,
  IMAGE_PLACEHOLDER,
  packSamples,
  type Template,
  type TextTokenizer,
  type Turn,
} from "@basic-mllm/data";
import type * as tf from "@tensorflow/tfjs-core";

import { type GeneratedText, generateText } from "./generate.js";
import { PromptCache } from "./prompt-cache.js";
import type { SamplingOptions } from "./sampling.js";

/** How {@link Conversation.ask} answers. */
export interface AskOptions extends SamplingOptions {
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
  ask(question: string, options: AskOptions): Promise<Answer>;
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

function withoutLeadingSpace(onText: (text: string) => void): (text: string) => void {
  let started = false;
  return (piece) => {
    const text = started ? piece : piece.trimStart();
    started ||= text !== "";
    if (text !== "") onText(text);
  };
}
