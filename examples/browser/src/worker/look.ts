import { supervisedDepth, type VlmBatch } from "@basic-mllm/core";
import { encodePrompt, findTemplate, packSamples, unknownWordsOf } from "@basic-mllm/data";
import { matchTokens, patchAttention, talk } from "@basic-mllm/evaluate";
import * as tf from "@tensorflow/tfjs-core";

import type { PatchMap, Picture } from "../protocol.js";
import type { Session } from "./session.js";

/** What the attention of a patch map comes from. */
const QUESTION = "what is in the image?";
const LONGEST_ANSWER = 12;

/** The attention on each patch of a picture, and the word nearest to each visual embedding. */
export async function look(session: Session, picture: Picture): Promise<Omit<PatchMap, "globalStep">> {
  const { language, tokenizer, recipe } = session;
  const batch = await questionBatch(session, picture);
  const depth = recipe.supervision.depth ?? supervisedDepth(language.depth);
  const embed = (asked: VlmBatch) => session.embed(asked);
  // Special tokens by their names: decoding would leave them out.
  const decode = (ids: readonly number[]) => ids.map((id) => tokenizer.word(id)).join(" ");
  const model = { language, embed, decode };
  const [weights = []] = await patchAttention(model, batch, depth);
  const { initial } = await matchTokens(model, [batch]);
  const words = (initial[0] ?? []).map(({ word }) => word);
  return { picture: picture.name, grid: session.features.shape.grid ?? [1, weights.length], weights, words };
}

/** What came of a question. */
export interface PageAnswer {
  readonly answer: string;
  /** Words of the question that the vocabulary lacks. */
  readonly unknown: readonly string[];
}

/** Answers a question about a picture. @param onText - Called with each new piece. */
export async function ask(
  session: Session,
  { picture, question }: { readonly picture: Picture; readonly question: string },
  onText: (text: string) => void,
): Promise<PageAnswer> {
  const { language, tokenizer, features } = session;
  const visual = await features.store(new Map([[picture.name, picture]])).read([picture.name]);
  const conversation = talk({
    language,
    tokenizer,
    template: findTemplate(templateOf(session), tokenizer),
    picture: {
      name: picture.name,
      rows: features.shape.rows,
      embed: (packed) => tf.tidy(() => session.embed({ packed, visual, sampleIds: [picture.name] })),
    },
  });
  try {
    const { answer } = await conversation.ask(question, { maxTokens: LONGEST_ANSWER, onText });
    return { answer, unknown: unknownWordsOf(tokenizer, question) };
  } finally {
    conversation.dispose();
  }
}

async function questionBatch(session: Session, picture: Picture): Promise<VlmBatch> {
  const { tokenizer, features } = session;
  const asked = { from: "human" as const, value: `<image>\n${QUESTION}` };
  const sample = { id: picture.name, images: [picture.name], conversations: [asked], metadata: {} };
  const tokens = encodePrompt(findTemplate(templateOf(session), tokenizer), tokenizer, sample);
  const packed = packSamples([tokens], [[features.shape.rows]], { requireLabels: false });
  const visual = await features.store(new Map([[picture.name, picture]])).read([picture.name]);
  return { packed, visual, sampleIds: [picture.name] };
}

/** Of the last stage: how questions are asked. */
function templateOf({ recipe }: Session): string {
  return Object.values(recipe.stages).at(-1)?.template ?? "plain";
}
