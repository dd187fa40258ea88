import type { ReportData, ReportRun, SamplePicture } from "./data.js";
import { type Html, html, number, percent, raw } from "./html.js";

/** Question types and how people call them. */
const TYPES: readonly (readonly [key: string, label: string])[] = [
  ["name", "What is it?"],
  ["kind", "What kind of thing?"],
  ["where", "Where is it?"],
  ["color", "Background colour"],
  ["yesno", "Is there a …?"],
  ["count", "How many?"],
  ["vqa", "Mean"],
];

/** Title, one sentence and the figures that matter. */
export function header({ title, date, runs }: ReportData): Html {
  const [run] = runs;
  if (run === undefined) return html`<h1>${title}</h1><p class="soft">No runs.</p>`;
  const [split, metrics] = headline(run);
  const tiles: (readonly [string, string])[] = [
    ["mean accuracy", percent(metrics["vqa"])],
    ["blind model", percent(run.blind?.["vqa"])],
    ["names the object", percent(metrics["name"])],
    ["training", minutes(run.seconds)],
  ];
  const shown = tiles.filter(([, value]) => value !== "–");
  return html`<h1>${title}</h1>
    <p class="soft">${run.description} Figures are for the split “${split}”. ${date}.</p>
    <div class="tiles">${shown.map(([label, value]) => html`<div class="tile"><b>${value}</b><small>${label}</small></div>`)}</div>`;
}

function headline(run: ReportRun): readonly [string, Readonly<Record<string, number>>] {
  return Object.entries(run.final)[0] ?? ["none", {}];
}

function minutes(seconds: number): string {
  return seconds < 90 ? `${seconds.toFixed(0)} s` : `${(seconds / 60).toFixed(1)} min`;
}

/** Named warnings of the run, for example the collapse of the visual embeddings. */
export function warnings(runs: readonly ReportRun[]): Html {
  const all = runs.flatMap((run) =>
    run.warnings.map((text) => `${runs.length > 1 ? `${run.name}: ` : ""}${text}`),
  );
  return html`${all.map((text) => html`<div class="warning">${text}</div>`)}`;
}

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
    <p class="soft">Whole answers, exact match. ${blind ? "The dark mark is a model trained in the same way without ever seeing a picture." : ""}</p>
    ${legend(runs)}<div class="card bars">${bars}</div>${splitTable(runs)}`;
}

function track(value: number | undefined, blind: number | undefined, color: number): Html {
  if (value === undefined) return html`<div class="track"></div>`;
  const mark =
    blind === undefined
      ? html``
      : html`<div class="mark" style="left:${(blind * 100).toFixed(1)}%" title="blind ${percent(blind)}"></div>`;
  return html`<div class="track"><div class="fill" style="width:${(value * 100).toFixed(1)}%;background:var(--c${color % 8});opacity:.55"></div>${mark}<em>${percent(value)}</em></div>`;
}

function legend(runs: readonly ReportRun[]): Html {
  if (runs.length < 2) return html``;
  return html`<div class="legend">${runs.map((run, i) => html`<span><i style="background:var(--c${i % 8})"></i>${run.name}</span>`)}</div>`;
}

/** Every metric of every split, for the reader who wants the number. */
function splitTable(runs: readonly ReportRun[]): Html {
  const rows = runs.flatMap((run) =>
    Object.entries(run.final).map(([split, metrics]) => ({ run: run.name, split, metrics })),
  );
  const keys = [...new Set(rows.flatMap((row) => Object.keys(row.metrics)))];
  const cells = (metrics: Readonly<Record<string, number>>): Html[] =>
    keys.map((key) => html`<td class="n">${number(metrics[key])}</td>`);
  const body = rows.map(
    (row) => html`<tr><td>${row.run}</td><td>${row.split}</td>${cells(row.metrics)}</tr>`,
  );
  return html`<details><summary>All figures of all splits</summary><div class="scroll"><table>
    <tr><th>run</th><th>split</th>${keys.map((key) => html`<th class="n">${key}</th>`)}</tr>${body}</table></div></details>`;
}

/** Pictures with questions, the model's answers, and the truth where it was missed. */
export function samples(pictures: readonly SamplePicture[]): Html {
  if (pictures.length === 0) return html``;
  return html`<h2>What it says</h2>
    <p class="soft">Pictures that it has never seen, in order of the test set: nothing was picked.</p>
    <div class="pictures">${pictures.map(
      (picture) =>
        html`<div class="card picture"><img src="${picture.image}" alt="test picture"><ul class="qa">${picture.questions.map(
          (qa) =>
            html`<li class="${qa.correct ? "ok" : "no"}"><span>${qa.question}</span>${qa.correct ? html`✓ ${qa.answer}` : html`✗ <s>${qa.answer || "(nothing)"}</s> ${qa.truth}`}</li>`,
        )}</ul></div>`,
    )}</div>`;
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
    const keys = TYPES.map(([key]) => key).filter((key) => run.replacement?.[key] !== undefined);
    return keys.map((key) => {
      const [whole, left] = [full[key], run.replacement?.[key]];
      return html`<tr><td>${run.name}</td><td>${key}</td><td class="n">${percent(whole)}</td><td class="n">${percent(left)}</td></tr>`;
    });
  });
  if (rows.length === 0) return html``;
  return html`<h2>Replacement test</h2>
    <p class="soft">Each visual embedding is replaced by the embedding of its nearest word, and the same questions are asked
    again: how much of the meaning do the words carry?</p>
    <div class="card scroll"><table><tr><th>run</th><th>question</th><th class="n">with embeddings</th><th class="n">with words</th></tr>${rows}</table></div>`;
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
