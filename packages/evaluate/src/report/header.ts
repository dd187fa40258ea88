import type { ReportData, ReportRun } from "./data.js";
import { type Html, html, percent, sentence } from "./html.js";
import { headline } from "./metrics.js";

/** Title, what was trained and the figures that matter: tiles for one run, a table for several. */
export function header({ title, date, runs }: ReportData): Html {
  const [run] = runs;
  if (run === undefined) return html`<h1>${title}</h1><p class="soft">No runs.</p>`;
  if (runs.length > 1) return comparison(title, date, runs);
  const [split] = headline(run);
  const shown = figures(run).filter(([, value]) => value !== "–");
  return html`<h1>${title}</h1>
    <p class="soft">${sentence(run.description)} Figures are for the split “${split}”. ${date}.</p>
    <div class="tiles">${shown.map(([label, value]) => html`<div class="tile"><b>${value}</b><small>${label}</small></div>`)}</div>`;
}

function figures(run: ReportRun): readonly (readonly [label: string, value: string])[] {
  const [, metrics] = headline(run);
  return [
    ["mean accuracy", percent(metrics["vqa"])],
    ["blind model", percent(run.blind?.["vqa"])],
    ["names the object", percent(metrics["name"])],
    ["training", minutes(run.seconds)],
  ];
}

/** One row a run: nothing stands for all that belongs to one. */
function comparison(title: string, date: string, runs: readonly ReportRun[]): Html {
  const splits = [...new Set(runs.map((run) => headline(run)[0]))];
  const of = splits.length === 1 ? `the split “${splits[0]}”` : "the first split of each run";
  const all = runs.map(figures);
  const shown = [...(all[0] ?? []).keys()].filter((i) => all.some((row) => row[i]?.[1] !== "–"));
  const heads = shown.map((i) => html`<th class="n">${all[0]?.[i]?.[0] ?? ""}</th>`);
  const rows = runs.map((run, r) => {
    const cells = shown.map((i) => html`<td class="n">${all[r]?.[i]?.[1] ?? ""}</td>`);
    return html`<tr><td>${run.name}<br><small>${sentence(run.description)}</small></td>${cells}</tr>`;
  });
  return html`<h1>${title}</h1>
    <p class="soft">${runs.length} runs. Figures are for ${of}. ${date}.</p>
    <div class="card scroll runs"><table><tr><th>run</th>${heads}</tr>${rows}</table></div>`;
}

function minutes(seconds: number): string {
  return seconds < 90 ? `${seconds.toFixed(0)} s` : `${(seconds / 60).toFixed(1)} min`;
}
