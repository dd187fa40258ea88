/** What a test question is about; `yes`, `no-random` and `no-adversarial` are "is there a …" questions; `answer` is any other. */
export type QuestionType =
  | "name"
  | "kind"
  | "where"
  | "color"
  | "count"
  | "yes"
  | "no-random"
  | "no-adversarial"
  | "answer";

/** One test question, in the order of the evaluation data. */
export interface QuestionItem {
  readonly id: string;
  readonly type: QuestionType;
  readonly question: string;
  readonly truth: string;
}

/** How one question was answered. */
export interface Answered extends QuestionItem {
  /** Decoded answer, by teacher-forced argmax: equal to greedy decoding wherever it is right. */
  readonly answer: string;
  /** Every answer token, end of sequence included, was right. */
  readonly correct: boolean;
  /** Summed negative log-likelihood of the answer, in nats, and its number of tokens. */
  readonly nll: number;
  readonly tokens: number;
  /** For yes/no questions: whether "yes" was likelier than "no". */
  readonly saysYes?: boolean;
}

const EXACT: readonly QuestionType[] = ["name", "kind", "where", "color", "count", "answer"];

/**
 * Accuracy per question type.
 *
 * `yesno` is the mean of balanced accuracies against random and adversarial negatives, `f1…` POPE's F1, `vqa` the mean
 * over the types that were asked (`yesno` as one of them), `nll` nats per answer token.
 */
export function score(answers: readonly Answered[]): Readonly<Record<string, number>> {
  const metrics: Record<string, number> = {};
  for (const type of EXACT) {
    const asked = answers.filter((answer) => answer.type === type);
    if (asked.length > 0) metrics[type] = share(asked, (answer) => answer.correct);
  }
  Object.assign(metrics, yesNo(answers));
  const counted = [...EXACT, "yesno"].flatMap((key) => metrics[key] ?? []);
  const tokens = answers.reduce((sum, answer) => sum + answer.tokens, 0);
  if (counted.length > 0) metrics["vqa"] = counted.reduce((sum, value) => sum + value, 0) / counted.length;
  if (tokens > 0) metrics["nll"] = answers.reduce((sum, answer) => sum + answer.nll, 0) / tokens;
  return metrics;
}

function yesNo(answers: readonly Answered[]): Readonly<Record<string, number>> {
  const yes = answers.filter((answer) => answer.type === "yes");
  const metrics: Record<string, number> = {};
  if (yes.length === 0) return metrics;
  const truePositives = share(yes, (answer) => answer.saysYes === true);
  const balanced: number[] = [];
  for (const [type, suffix] of [
    ["no-random", "Random"],
    ["no-adversarial", "Adversarial"],
  ] as const) {
    const no = answers.filter((answer) => answer.type === type);
    if (no.length === 0) continue;
    const falsePositives = share(no, (answer) => answer.saysYes === true);
    balanced.push((truePositives + 1 - falsePositives) / 2);
    metrics[`f1${suffix}`] = (2 * truePositives) / Math.max(1e-12, 1 + truePositives + falsePositives);
  }
  if (balanced.length > 0)
    metrics["yesno"] = balanced.reduce((sum, value) => sum + value, 0) / balanced.length;
  return metrics;
}

function share<T>(items: readonly T[], test: (item: T) => boolean): number {
  return items.filter(test).length / items.length;
}
