import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { chartsOf } from "./charts.js";
import { drawCharts } from "./client.js";
import type { ReportData } from "./data.js";
import { html, raw } from "./html.js";
import { patchMaps } from "./patch-maps.js";
import { accuracy, chartPlaces, details, header, matching, samples, warnings } from "./sections.js";
import { STYLE } from "./style.js";

/**
 * The report as one HTML file: no other file, no network.
 *
 * @param data - One run (shown in depth) or several (compared; pictures are those of the first).
 */
export function renderReport(data: ReportData): string {
  const { runs } = data;
  const [first] = runs;
  const charts = chartsOf(runs);
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${data.title}</title><style>${raw(asset("uPlot.min.css"))}${raw(STYLE)}</style></head>
<body><main>${header(data)}${warnings(runs)}${accuracy(runs)}${samples(first?.samples ?? [])}
${patchMaps(first?.patches ?? [], "")}${matching(runs)}${chartPlaces(charts)}${details(runs)}
<footer>Written by basic-mllm. BASIC: Tang, Wang, Cao, Xu, ICCV 2025, arXiv 2508.06895.</footer></main>
<script type="application/json" id="charts">${raw(scriptText(JSON.stringify(charts)))}</script>
<script>${raw(asset("uPlot.iife.min.js"))}</script>
<script>${raw(scriptText(`(${drawCharts.toString()})();`))}</script></body></html>`;
  return page.html;
}

function asset(name: string): string {
  return readFileSync(createRequire(import.meta.url).resolve(`uplot/dist/${name}`), "utf8");
}

/** A script element ends at the first `</`, wherever it stands. */
function scriptText(text: string): string {
  return text.replaceAll("</", "<\\/");
}
