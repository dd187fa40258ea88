import type { ReportRun } from "./data.js";

/** One chart as the page's script draws it. */
export interface Chart {
  readonly title: string;
  /** What the vertical axis counts, for people. */
  readonly note: string;
  readonly log: boolean;
  readonly x: readonly number[];
  readonly series: readonly { readonly label: string; readonly values: readonly (number | null)[] }[];
}

/** Charts have at most this many points a curve; more would only weigh. */
const MAX_POINTS = 600;

/** The curves of one or several runs. With one run a curve is a loss part; with several, a run. */
export function chartsOf(runs: readonly ReportRun[]): readonly Chart[] {
  const [first] = runs;
  if (first === undefined) return [];
  const charts =
    runs.length === 1 ? lossCharts(first) : [compare(runs, "Language loss", (p) => p.parts["language"])];
  return [...charts, ...diagnosticCharts(runs), ...speedCharts(runs)].filter((chart) =>
    chart.series.some((series) => series.values.some((value) => value !== null)),
  );
}

type Point = ReportRun["train"][number];

function lossCharts(run: ReportRun): readonly Chart[] {
  const points = thin(run.train);
  const names = [...new Set(points.flatMap((point) => Object.keys(point.parts)))];
  const x = points.map((point) => point.globalStep);
  const series = names.map((label) => ({ label, values: smooth(points.map((p) => p.parts[label])) }));
  return [
    { title: "Loss by part", note: "unweighted, logarithmic; smoothed over 5 points", log: true, x, series },
  ];
}

const DIAGNOSTICS: readonly (readonly [key: string, title: string, note: string])[] = [
  ["cosine", "cos(v, v̂)", "1 with few distinct words means collapse"],
  ["distinctMatches", "Distinct matched words", "how many different words the visual embeddings point at"],
  ["normInitial", "Length of v", "mean |v| of the projector's output"],
  ["normRefined", "Length of v̂", "mean |v̂| of the refined embeddings"],
  ["normVocabulary", "Length of E", "mean |E| of the vocabulary: what |v| should be near to"],
  ["effectiveRank", "Effective rank", "dimensions that the visual embeddings use"],
  ["meaningfulShare", "Meaningful share", "visual embeddings whose nearest word belongs to the scene"],
  ["strictShare", "Strict share", "visual embeddings whose nearest word is drawn under that patch"],
  ["patchWeightSum", "Sum of patch weights", "attention that the text of an image pays to it"],
];

const RATIO = /^ratio(?=[A-Z])/;

function diagnosticCharts(runs: readonly ReportRun[]): readonly Chart[] {
  const charts = DIAGNOSTICS.map(([key, title, note]) => ({
    ...compare(runs, title, (p) => p.diagnostics?.[key]),
    note,
  }));
  return [...charts, ...ratioCharts(runs)];
}

/** A chart for each visual loss that any of the runs has. */
function ratioCharts(runs: readonly ReportRun[]): readonly Chart[] {
  const names = runs.flatMap(({ train }) => train.flatMap((point) => Object.keys(point.diagnostics ?? {})));
  const ratios = [...new Set(names)].filter((name) => RATIO.test(name));
  return ratios.map((key) => ({
    ...compare(runs, `λ·${lossName(key)} / language`, (p) => p.diagnostics?.[key]),
    note: "above about 0.3 the supervision leads",
  }));
}

/** `ratioDasNce` to `das-nce`. */
function lossName(key: string): string {
  const name = key.replace(RATIO, "");
  return name.replace(/[A-Z]/g, (letter, at: number) => `${at > 0 ? "-" : ""}${letter.toLowerCase()}`);
}

function speedCharts(runs: readonly ReportRun[]): readonly Chart[] {
  return [
    { ...compare(runs, "Learning rate", (p) => p.learningRate), note: "of the first parameter group" },
    {
      ...compare(runs, "Gradient norm", (p) => p.gradientNorm),
      note: "before clipping, logarithmic",
      log: true,
    },
    { ...compare(runs, "Throughput", (p) => p.tokensPerSecond), note: "tokens per second" },
  ];
}

function compare(
  runs: readonly ReportRun[],
  title: string,
  value: (point: Point) => number | undefined,
): Chart {
  const thinned = runs.map((run) => thin(run.train.filter((point) => value(point) !== undefined)));
  const x = [...new Set(thinned.flat().map((point) => point.globalStep))].sort((a, b) => a - b);
  const series = runs.map((run, i) => {
    const byStep = new Map(thinned[i]?.map((point) => [point.globalStep, value(point)]));
    return { label: run.name, values: x.map((step) => rounded(byStep.get(step))) };
  });
  return { title, note: "", log: false, x, series };
}

/** Five digits: an axis cannot be drawn over the rounding noise of a curve that stays at 1. */
function rounded(value: number | undefined): number | null {
  return value === undefined ? null : Number(value.toPrecision(5));
}

function thin(points: readonly Point[]): readonly Point[] {
  const every = Math.max(1, Math.ceil(points.length / MAX_POINTS));
  return points.filter((_, i) => i % every === 0 || i === points.length - 1);
}

/** Mean of up to five neighbours; a logarithmic axis takes no zero. */
function smooth(values: readonly (number | undefined)[]): readonly (number | null)[] {
  return values.map((value, i) => {
    const near = values.slice(Math.max(0, i - 2), i + 3).filter((other) => other !== undefined);
    const mean = near.reduce((sum, other) => sum + other, 0) / near.length;
    return value === undefined || !(mean > 0) ? null : Number(mean.toPrecision(6));
  });
}
