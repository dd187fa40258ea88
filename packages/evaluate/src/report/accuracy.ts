import type { ReportRun } from "./data.js";
import { type Html, html, percent } from "./html.js";
import { headline, metricLabel, metricText, TYPES } from "./metrics.js";

/** Accuracy per question type: one bar a run, a mark where the blind model stands. */
export function accuracy(runs: readonly ReportRun[]): Html {
  const types = TYPES.filter(([key]) => runs.some((run) => headline(run)[1][key] !== undefined));
  if (types.length === 0) return html``;
  const blind = runs.some((run) => run.blind !== undefined);
  const bars = types.map(([key, label]) => {
    const tracks = runs.map((run, i) => track(headline(run)[1][key], run.blind?.[key], i));
    return html`<div>${label}</div><div>${tracks}</div>`;
  });
  return html`<h2>Accuracy by question</h2>
    <p class="soft">Whole answers, exact match. ${blind ? "The mark in a bar is a model trained in the same way without ever seeing a picture." : ""}</p>
    ${legend(runs)}<div class="card bars">${bars}</div>${splitTable(runs)}`;
}

function track(value: number | undefined, blind: number | undefined, color: number): Html {
  if (value === undefined) return html`<div class="track"><div class="rail"></div><em></em></div>`;
  const mark =
    blind === undefined
      ? html``
      : html`<div class="mark" style="left:${(blind * 100).toFixed(1)}%" title="blind ${percent(blind)}"></div>`;
  return html`<div class="track"><div class="rail"><div class="fill" style="width:${(value * 100).toFixed(1)}%;background:var(--c${color % 8});opacity:.55"></div>${mark}</div><em>${percent(value)}</em></div>`;
}

function legend(runs: readonly ReportRun[]): Html {
  if (runs.length < 2) return html``;
  return html`<div class="legend">${runs.map((run, i) => html`<span><i style="background:var(--c${i % 8})"></i>${run.name}</span>`)}</div>`;
}

/** Every metric of every split, for the reader who wants the number. */
function splitTable(runs: readonly ReportRun[]): Html {
  const several = runs.length > 1;
  const rows = runs.flatMap((run) =>
    Object.entries(run.final).map(([split, metrics]) => ({ run: run.name, split, metrics })),
  );
  const keys = [...new Set(rows.flatMap((row) => Object.keys(row.metrics)))];
  const cells = (metrics: Readonly<Record<string, number>>): Html[] =>
    keys.map((key) => html`<td class="n">${metricText(key, metrics[key])}</td>`);
  const body = rows.map(
    (row) =>
      html`<tr>${several ? html`<td>${row.run}</td>` : html``}<td>${row.split}</td>${cells(row.metrics)}</tr>`,
  );
  return html`<details><summary>All figures of all splits</summary><div class="scroll"><table>
    <tr>${several ? html`<th>run</th>` : html``}<th>split</th>${keys.map((key) => html`<th class="n" title="${key}">${metricLabel(key)}</th>`)}</tr>${body}</table></div></details>`;
}
