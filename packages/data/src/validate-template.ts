import { BasicError } from "@basic-mllm/core";

import { createFinding, createSpread, type Finding, type FindingCounter, type Spread } from "./findings.js";
import type { Sample } from "./samples.js";
import { encodeSample, type Template } from "./templates.js";
import type { TextTokenizer } from "./tokenizer.js";

/** How samples come out of one template. */
export interface TemplateReport {
  readonly template: string;
  /** Tokens without images. */
  readonly tokens: Spread;
  /** Share of these tokens that have labels. */
  readonly supervisedShare: number;
  /** Samples with more tokens than `maxLength`; none without such a limit. */
  readonly overLong: Finding;
  /** Samples that this template cannot use, by error code; the examples are the texts of the errors. */
  readonly unusable: readonly ({ readonly code: string } & Finding)[];
}

/** Encodes samples one by one under a template, and keeps what {@link TemplateReport} tells of them. */
export function createTemplateCheck(
  template: Template,
  tokenizer: TextTokenizer,
  maxLength = Number.POSITIVE_INFINITY,
): { add(sample: Sample): void; result(): TemplateReport } {
  const tokens = createSpread();
  const overLong = createFinding();
  const unusable = new Map<string, FindingCounter>();
  let total = 0;
  let supervised = 0;
  const count = (sample: Sample): void => {
    const { ids, weights } = encodeSample(template, tokenizer, sample);
    const length = ids.length - sample.images.length;
    tokens.add(length);
    total += length;
    supervised += weights.reduce((sum, weight) => sum + (weight > 0 ? 1 : 0), 0);
    if (length > maxLength) overLong.add(`${sample.id} (${length} tokens)`);
  };
  return {
    add: (sample) => {
      try {
        count(sample);
      } catch (error) {
        if (!(error instanceof BasicError)) throw error;
        const known = unusable.get(error.code) ?? createFinding();
        known.add(error.message);
        unusable.set(error.code, known);
      }
    },
    result: () => ({
      template: template.name,
      tokens: tokens.result(),
      supervisedShare: total === 0 ? 0 : supervised / total,
      overLong: overLong.result(),
      unusable: [...unusable].map(([code, finding]) => ({ code, ...finding.result() })),
    }),
  };
}
