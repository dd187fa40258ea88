import type { Lora } from "../layers/lora.js";
import { languageLoss, supervisedTokens } from "../losses/language.js";
import type { LanguageModel, PackedRows } from "../models/interfaces.js";
import type { Objective } from "./objective.js";

/** A micro-batch of text: no row stands for a picture. */
export interface LanguageBatch {
  readonly packed: PackedRows;
}

/**
 * Next-token training of a language model on text alone.
 *
 * Labels may carry weights (`packed.labelWeights`): the loss is then their weighted mean. Groups: `language`, and `lora`
 * where there are adapters.
 */
export function createLanguageObjective(language: LanguageModel, lora?: Lora): Objective<LanguageBatch> {
  return {
    groups: { language: language.parameters, ...(lora && { lora: lora.parameters }) },
    count: ({ packed }) => ({ tokens: supervisedTokens(packed), samples: 0 }),
    parts: ({ packed }) => {
      const { hidden } = language.forward({ packed, visual: null });
      return [
        { name: "language", sum: languageLoss(hidden, language.head, packed), per: "tokens", weight: 1 },
      ];
    },
  };
}
