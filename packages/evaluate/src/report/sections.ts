import type { ReportRun } from "./data.js";
import { type Html, html, percent, prose, raw } from "./html.js";
import { headline, TYPES } from "./metrics.js";

/** Named warnings of the run, for example the collapse of the visual embeddings. */
export function warnings(runs: readonly ReportRun[]): Html {
  const all = runs.flatMap((run) =>
    run.warnings.map((text) => `${runs.length > 1 ? `${run.name}: ` : ""}${text}`),
  );
  return html`${all.map((text) => html`<div class="warning">${prose(text)}</div>`)}`;
}

/** Meaningful and strict share per block, before and after; and the replacement test. */
export function matching(runs: readonly ReportRun[]): Html {
  const rows = runs.flatMap((run) =>
    run.shares.after.map((after, i) => {
      const before = run.shares.before[i];
      const cells = [before?.meaningful, after.meaningful, before?.strict, after.strict].map(percent);
      const distinct = [before?.distinct, after.distinct].map((value) =>
        value === undefined ? "–" : String(value),
      );
      const place = after.block === 0 ? "projector output" : `after block ${after.block}`;
      return html`<tr>${runs.length > 1 ? html`<td>${run.name}</td>` : html``}<td>${place}</td>${[...cells, ...distinct].map((cell) => html`<td class="n">${cell}</td>`)}</tr>`;
    }),
  );
  if (rows.length === 0) return html``;
  const columns = ["meaningful before", "after", "strict before", "after", "distinct words before", "after"];
  return html`<h2>Token matching</h2>
    <p class="soft">The nearest vocabulary word (cosine) of every visual embedding of the test set. Meaningful: a word of the
    scene. Strict: a word of what is drawn under that patch. A rising share with few distinct words is a collapse, not an
    understanding. For comparison, the paper reports 74 of 576 before and 217 of 576 with BASIC for a 7B model.</p>
    <div class="card scroll"><table><tr>${runs.length > 1 ? html`<th>run</th>` : html``}<th></th>${columns.map((name) => html`<th class="n">${name}</th>`)}</tr>${rows}</table></div>
    ${replacement(runs)}`;
}

function replacement(runs: readonly ReportRun[]): Html {
  const rows = runs.flatMap((run) => {
    if (run.replacement === undefined) return [];
    const full = headline(run)[1];
    const types = TYPES.filter(([key]) => run.replacement?.[key] !== undefined);
    return types.map(([key, label]) => {
      const [whole, left] = [full[key], run.replacement?.[key]];
      return html`<tr>${runs.length > 1 ? html`<td>${run.name}</td>` : html``}<td>${label}</td><td class="n">${percent(whole)}</td><td class="n">${percent(left)}</td></tr>`;
    });
  });
  if (rows.length === 0) return html``;
  return html`<h2>Replacement test</h2>
    <p class="soft">Each visual embedding is replaced by the embedding of its nearest word, and the same questions are asked
    again: how much of the meaning do the words carry?</p>
    <div class="card scroll"><table><tr>${runs.length > 1 ? html`<th>run</th>` : html``}<th>question</th><th class="n">with embeddings</th><th class="n">with words</th></tr>${rows}</table></div>`;
}

/** Model parts, machine, recipe. */
export function details(runs: readonly ReportRun[]): Html {
  const blocks = runs.map((run) => {
    const parts = run.parts.map(
      (part) =>
        html`<tr><td>${part.name}</td><td class="n">${part.parameters.toLocaleString("en")}</td><td>${part.trains.length === 0 ? "frozen" : `trains in ${part.trains.join(", ")}`}</td></tr>`,
    );
    const environment = run.environment.map(
      ([label, value]) => html`<tr><td>${label}</td><td>${value}</td></tr>`,
    );
    return html`<div class="card"><h3>${run.name}</h3><div class="scroll"><table>${parts}</table></div>
      <div class="scroll"><table>${environment}</table></div>
      <details><summary>recipe</summary><pre>${JSON.stringify(run.recipe, null, 2)}</pre></details></div>`;
  });
  return html`<h2>How it was made</h2><div class="grid">${blocks}</div>`;
}

/** Charts are drawn by the script; this makes their places. */
export function chartPlaces(charts: readonly { readonly title: string; readonly note: string }[]): Html {
  if (charts.length === 0) return html``;
  const places = charts.map(
    (chart, i) =>
      html`<div class="card"><h3>${chart.title}</h3><small>${chart.note}</small><div class="chart" id="chart-${i}"></div></div>`,
  );
  return html`<h2>Training</h2><div class="grid">${raw(places.map((place) => place.html).join(""))}</div>`;
}
