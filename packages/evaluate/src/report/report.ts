import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { accuracy } from "./accuracy.js";
import { chartsOf } from "./charts.js";
import { axisLabels, drawCharts } from "./client.js";
import type { ReportData } from "./data.js";
import { samples } from "./gallery.js";
import { header } from "./header.js";
import { html, raw } from "./html.js";
import { baselineFirst } from "./metrics.js";
import { patchMaps } from "./patch-maps.js";
import { chartPlaces, details, matching, warnings } from "./sections.js";
import { STYLE } from "./style.js";

/**
 * The report as one HTML file: no other file, no network.
 *
 * @param data - One run (shown in depth) or several (compared: runs without visual losses come first, pictures are those
 *   of the first run that has some).
 */
export function renderReport(data: ReportData): string {
  const runs = baselineFirst(data.runs);
  const pictured = runs.find((run) => run.samples.length + run.patches.length > 0);
  const whose = pictured === undefined || runs.length === 1 ? "" : `Of the run “${pictured.name}”. `;
  const charts = chartsOf(runs);
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${data.title}</title><style>${raw(asset("uPlot.min.css"))}${raw(STYLE)}</style></head>
<body><main>${header({ ...data, runs })}${warnings(runs)}${accuracy(runs)}${samples(pictured, whose)}
${patchMaps(pictured?.patches ?? [], whose)}${matching(runs)}${chartPlaces(charts)}${details(runs)}
<footer>Written by basic-mllm. BASIC: Tang, Wang, Cao, Xu, ICCV 2025, arXiv 2508.06895.</footer></main>
<script type="application/json" id="charts">${raw(jsonText(charts))}</script>
<script>${raw(asset("uPlot.iife.min.js"))}</script>
<script>${raw(scriptText(`(${drawCharts.toString()})(${axisLabels.toString()});`))}</script></body></html>`;
  return page.html;
}

function asset(name: string): string {
  return readFileSync(createRequire(import.meta.url).resolve(`uplot/dist/${name}`), "utf8");
}

/** JSON inside of a script element, where `<!--` and `<script` would change what ends it. */
function jsonText(value: unknown): string {
  return JSON.stringify(value).replaceAll("<", "\\u003c");
}

/** A script element ends at the first `</`, wherever it stands. */
function scriptText(text: string): string {
  return text.replaceAll("</", "<\\/");
}
