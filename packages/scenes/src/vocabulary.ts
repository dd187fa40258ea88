import { type Concept, wordsOf } from "./concepts.js";
import { BACKGROUNDS, CELLS } from "./scene.js";

/** Special tokens, in the order of their ids. */
export const SPECIAL_TOKENS = ["<pad>", "<s>", "</s>", "<unk>", "<image>"] as const;

const TEMPLATE_WORDS =
  "user : assistant . , ? a an the is are in on of and there it this that to what which where how many kind thing " +
  "things object objects corner background color image picture scene yes no nothing not with related also called " +
  "word means zero one two three four describe show shows see can you do does contain any";

/** Words that captions, questions and answers are made of, whatever the scene shows. */
export const templateWords: readonly string[] = TEMPLATE_WORDS.split(" ");

/** All words of the task, each once: special tokens, templates, colours, quadrants, names, kinds, tags. */
export function buildVocabulary(concepts: readonly Concept[]): readonly string[] {
  const words = new Set<string>(SPECIAL_TOKENS);
  const add = (text: string): void => {
    for (const word of wordsOf(text)) words.add(word);
  };
  for (const word of templateWords) words.add(word);
  for (const [name] of BACKGROUNDS) words.add(name);
  for (const cell of CELLS) words.add(cell);
  for (const { name } of concepts) add(name);
  for (const kind of concepts.map((concept) => concept.kind).toSorted()) add(kind);
  for (const { tagWords } of concepts) for (const tag of tagWords) add(tag);
  return [...words];
}

/** The files of a word-level tokenizer in the Hugging Face layout. */
export interface TokenizerFiles {
  readonly "tokenizer.json": object;
  readonly "tokenizer_config.json": object;
}

/** Builds a tokenizer of whole words: lower case, split at spaces and punctuation; other words are `<unk>`. */
export function buildTokenizer(vocabulary: readonly string[]): TokenizerFiles {
  const [pad, bos, eos, unk, image] = SPECIAL_TOKENS;
  const added = SPECIAL_TOKENS.map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
  return {
    "tokenizer.json": {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: added,
      normalizer: { type: "Lowercase" },
      pre_tokenizer: { type: "BertPreTokenizer" },
      post_processor: {
        type: "TemplateProcessing",
        single: [{ SpecialToken: { id: bos, type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
        pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 0 } }],
        special_tokens: { [bos]: { id: bos, ids: [1], tokens: [bos] } },
      },
      decoder: { type: "WordPiece", prefix: "##", cleanup: true },
      model: {
        type: "WordPiece",
        unk_token: unk,
        continuing_subword_prefix: "##",
        max_input_chars_per_word: 100,
        vocab: Object.fromEntries(vocabulary.map((word, id) => [word, id])),
      },
    },
    "tokenizer_config.json": {
      tokenizer_class: "PreTrainedTokenizerFast",
      pad_token: pad,
      bos_token: bos,
      eos_token: eos,
      unk_token: unk,
      additional_special_tokens: [image],
      clean_up_tokenization_spaces: true,
      model_max_length: 512,
    },
  };
}
