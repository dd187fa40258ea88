import { createRandom, type Random } from "@basic-mllm/core";
import { encodeSegments, type Segment, type TextTokenizer, type TokenSample } from "@basic-mllm/data";

import { bySubgroup, type Concept } from "./concepts.js";
import { pick, shuffled } from "./draw.js";
import { askQuestions, captionOf, createTopic, type Topic } from "./language.js";
import { drawScene, type Variant } from "./scene.js";

/** What the documents of the language model are drawn from. */
export interface CorpusOptions {
  readonly concepts: readonly Concept[];
  readonly tokenizer: TextTokenizer;
  readonly seed: number;
  /** Default `solo`. */
  readonly variant?: Variant;
}

/** Documents by number, endless: document i depends on the seed and i alone. */
export type Corpus = (index: number) => TokenSample;

const READING_SHARE = 0.8;
const QUESTIONS = 5;
const CONTEXT_WEIGHT = 0.1;
const DEFINITION_WEIGHT = 0.3;
const TAGS = 5;

/**
 * Documents that teach a language model the words of the task before it sees a picture.
 *
 * Four in five are a scene in words with questions (answers weigh 1, the rest 0.1); the others define a
 * concept by its kind and tags (0.3).
 */
export function createCorpus({ concepts, tokenizer, seed, variant = "solo" }: CorpusOptions): Corpus {
  const topic = createTopic(
    concepts,
    concepts.map((_, index) => index),
  );
  const groups = bySubgroup(concepts);
  return (index) => {
    const random = createRandom(seed, "corpus", index);
    const reading = random.uniform() < READING_SHARE;
    const segments = reading ? readingDocument(random, topic, variant) : definition(random, concepts, groups);
    return { id: `document-${index}`, images: [], ...encodeSegments(tokenizer, segments) };
  };
}

function readingDocument(random: Random, topic: Topic, variant: Variant): readonly Segment[] {
  const scene = drawScene(random, variant, topic.pool);
  const context = (text: string): Segment => ({ kind: "text", text, weight: CONTEXT_WEIGHT });
  const turns = askQuestions(random, topic, scene, { count: QUESTIONS, about: "text" }).flatMap(
    ({ question, answer }): Segment[] => [
      context(`user: ${question} assistant:`),
      { kind: "text", text: ` ${answer}`, weight: 1 },
      { kind: "end", weight: 1 },
    ],
  );
  return [{ kind: "begin" }, context(captionOf(random, topic, scene)), ...turns];
}

function definition(
  random: Random,
  concepts: readonly Concept[],
  groups: ReadonlyMap<string, readonly number[]>,
): readonly Segment[] {
  const concept = pick(random, concepts);
  const tags = shuffled(random, concept.tagWords).slice(0, TAGS).join(", ");
  const meaning = `a ${concept.name} is a kind of ${concept.kind}. it is related to ${tags}.`;
  const same = shuffled(random, groups.get(concept.subgroup) ?? []).slice(0, TAGS);
  const list = `${concept.kind}: ${same.map((index) => concepts[index]?.name).join(", ")}. `;
  const text = random.uniform() < 0.5 ? list + meaning : meaning;
  return [
    { kind: "begin" },
    { kind: "text", text, weight: DEFINITION_WEIGHT },
    { kind: "end", weight: DEFINITION_WEIGHT },
  ];
}
