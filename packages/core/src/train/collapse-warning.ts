/**
 * One entry per log step of a stage, oldest first: the diagnostics of {@link Objective.diagnose}. Not of several
 * stages: with another batch size the number of matches is another one.
 */
export type DiagnosticHistory = readonly Readonly<Record<string, number>>[];

/** A named problem for the run's metrics and the terminal. */
export interface DiagnosticWarning {
  readonly name: "direction-collapse" | "strong-supervision";
  readonly text: string;
}

/** Above this mean cosine the visual rows may have run together. */
const COLLAPSED_COSINE = 0.9;
/** Distinct matched tokens that are left of the most ever seen. */
const COLLAPSED_MATCHES = 0.5;
/** λ · loss / L_lm at the start from which the prototype's language loss suffered. */
const STRONG_RATIO = 0.3;

/**
 * Recognises the degenerate minimum of direction alignment: all visual rows drift to one common direction.
 *
 * It shows as cos(v, v̂) near 1 while the number of distinct matched tokens falls; the meaningful share can
 * even rise meanwhile, so it says nothing alone.
 *
 * @returns Null while all is well.
 */
export function collapseWarning(history: DiagnosticHistory): DiagnosticWarning | null {
  const first = history[0];
  const last = history.at(-1);
  if (first === undefined || last === undefined) return null;
  const { cosine, distinctMatches } = last as { cosine?: number; distinctMatches?: number };
  if (cosine === undefined || distinctMatches === undefined) return null;
  // Without a direction loss rows may run together for a while, and there is nothing to lower.
  if (!history.some((entry) => "ratioDirection" in entry)) return null;
  const most = Math.max(...history.map((entry) => entry["distinctMatches"] ?? 0));
  if (!(cosine > COLLAPSED_COSINE && distinctMatches <= COLLAPSED_MATCHES * most)) return null;
  return {
    name: "direction-collapse",
    text:
      "Direction collapse: the visual embeddings drift to one common direction. " +
      `cos(v, v̂) went ${change(first, last, "cosine", 2)}, distinct matched tokens ${most} -> ${distinctMatches}, ` +
      `|v| ${change(first, last, "normInitial", 1)}. ` +
      "Do not trust the meaningful share now. Divide the weight of `direction` by ten, or start it " +
      "in the finetune stage only; keep `stopGradient: true`; or use `das-nce` with weight 0.1, which tells rows apart.",
  };
}

/**
 * Warns where a supervised loss begins as a large part of the language loss: it will bend the embeddings first.
 *
 * @param diagnostics - Of the first log step at which the losses have their full weight.
 */
export function strengthWarning(diagnostics: Readonly<Record<string, number>>): DiagnosticWarning | null {
  const strong = Object.entries(diagnostics)
    .filter(([name, value]) => name.startsWith("ratio") && value > STRONG_RATIO)
    .map(([name, value]) => `${name} ${value.toFixed(2)}`);
  if (strong.length === 0) return null;
  return {
    name: "strong-supervision",
    text:
      `Supervision starts strong against the language loss: ${strong.join(", ")} (λ · loss / language loss, ` +
      `usual below ${STRONG_RATIO}). Lower its weight, ramp it up, or check \`supervision.normalise\`: ` +
      "`mean` multiplies the patch weights by the number of visual rows.",
  };
}

function change(
  first: Readonly<Record<string, number>>,
  last: Readonly<Record<string, number>>,
  name: string,
  digits: number,
): string {
  const text = (value: number | undefined): string => value?.toFixed(digits) ?? "?";
  return `${text(first[name])} -> ${text(last[name])}`;
}
