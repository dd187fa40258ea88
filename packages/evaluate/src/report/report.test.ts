import { expect, it } from "vitest";

import { chartsOf } from "./charts.js";
import { axisLabels } from "./client.js";
import type { ReportRun } from "./data.js";
import { html, number, percent } from "./html.js";
import { renderReport } from "./report.js";

const run: ReportRun = {
  name: "tiny <run>",
  description: "A run.",
  seconds: 12,
  environment: [["backend", "cpu"]],
  parts: [{ name: "projector", parameters: 1234, trains: ["align"] }],
  recipe: { name: "tiny" },
  train: [0, 1, 2].map((globalStep) => ({
    stage: "align",
    globalStep,
    loss: 2 - globalStep / 10,
    parts: { language: 2 - globalStep / 10 },
    learningRate: 0.1,
    gradientNorm: 1,
    tokensPerSecond: 100,
    diagnostics: { cosine: 0.5 },
  })),
  evaluations: [],
  warnings: ["collapse"],
  final: { test: { vqa: 0.5, name: 0.25 } },
  blind: { vqa: 0.2 },
  samples: [
    {
      image: "data:,",
      questions: [{ type: "name", question: "what ?", answer: "</script>", truth: "lion", correct: false }],
    },
  ],
  patches: [
    {
      image: "data:,",
      grid: [1, 2],
      question: "q",
      weights: [0.1, 0.2],
      before: [{ word: "a", meaningful: false }],
      after: [{ word: "lion", meaningful: true }],
    },
  ],
  shares: {
    before: [{ block: 0, meaningful: 0, strict: 0, distinct: 1 }],
    after: [{ block: 0, meaningful: 0.5, strict: 0.5, distinct: 2 }],
  },
  replacement: { vqa: 0.3 },
};

it("is one file that needs no other", () => {
  const page = renderReport({ title: "t", date: "2026-01-01", runs: [run] });
  expect(page).not.toMatch(/(src|href)="(?!data:)/);
  expect(page).toContain("50.0 %");
  expect(page).toContain("collapse");
});

it("escapes what a model or a user wrote", () => {
  const page = renderReport({ title: "t", date: "2026-01-01", runs: [run] });
  expect(page).toContain("tiny &#60;run&#62;");
  expect(page).not.toContain("</script></s>");
});

it("keeps the data of charts whole, whatever runs are called", () => {
  const names = ["<!--<script>", "</script>"];
  const page = pageOf(...names.map((name) => ({ ...run, name })));
  const [, json = ""] = /id="charts">([^<]*)<\/script>/.exec(page) ?? [];
  const [chart] = JSON.parse(json) as ReturnType<typeof chartsOf>;
  expect(chart?.series.map(({ label }) => label)).toEqual(names);
});

it("lays the patch grid over the part of the picture that the model saw", () => {
  const [picture] = run.patches;
  const seen = { left: 0.25, top: -0.5, width: 0.5, height: 2, aspect: 1.5 };
  const patches = picture === undefined ? [] : [{ ...picture, seen }];
  const page = renderReport({ title: "t", date: "2026-01-01", runs: [{ ...run, patches }] });
  expect(page).toContain('style="--columns:2;aspect-ratio:1.5"');
  expect(page).toContain("position:absolute;left:-50%;top:25%;width:200%;height:50%");
  expect(page).not.toContain("background-size: cover");
});

it("shows a word that does not fit whole under the pointer", () => {
  const page = renderReport({ title: "t", date: "2026-01-01", runs: [run] });
  expect(page).toContain('<div class="hit" title="lion"><span>lion</span></div>');
});

function pageOf(...runs: readonly ReportRun[]): string {
  return renderReport({ title: "t", date: "2026-01-01", runs });
}

it("strikes the model's wrong answer, sets the truth beside it, and explains both", () => {
  const page = pageOf(run);
  expect(page).toContain("✗ <s>&#60;/script&#62;</s> <b>lion</b>");
  expect(page).toContain('<span class="no">✗ <s>wrong answer</s> <b>what is right</b></span>');
  expect(page).toContain("The first pictures of the split “test”");
  expect(page).not.toContain("never seen");
});

it("keeps the percentage off the bar", () => {
  expect(pageOf(run)).toMatch(/title="blind 20.0 %"><\/div><\/div><em>50.0 %<\/em>/);
});

it("calls metrics the same in every section and writes shares as percentages", () => {
  const page = pageOf({ ...run, final: { test: { vqa: 0.5, name: 0.2675, nll: 0.454 } } });
  expect(page).toContain('<th class="n" title="name">What is it?</th>');
  expect(page).toContain('<td class="n">26.8 %</td><td class="n">0.454</td>');
  expect(page).toContain('<tr><td>Mean</td><td class="n">50.0 %</td><td class="n">30.0 %</td></tr>');
});

it("names the run in the replacement test where there are several", () => {
  expect(pageOf(run, { ...run, name: "other" })).toContain("<tr><td>other</td><td>Mean</td>");
});

it("draws arrows and code in warnings", () => {
  const page = pageOf({ ...run, warnings: ["went 1 -> 2, lower `direction`"] });
  expect(page).toContain("went 1 → 2, lower <code>direction</code>");
});

it("says of several runs which figures, descriptions and pictures are whose", () => {
  const page = pageOf(
    { ...run, name: "both", description: "All losses" },
    { ...run, name: "other", samples: [] },
  );
  expect(page).toContain("<td>both<br><small>All losses.</small></td>");
  expect(page).toContain("<td>other<br><small>A run.</small></td>");
  expect(page).not.toContain('class="tiles"');
  expect(page).toContain("Of the run “both”. The first pictures");
});

it("puts the run with the language loss alone before the others", () => {
  const train = run.train.map((point) => ({ ...point, parts: { language: 1, direction: 1 } }));
  const page = pageOf({ ...run, name: "both", train }, { ...run, name: "none" });
  expect(page.indexOf("<td>none<br>")).toBeLessThan(page.indexOf("<td>both<br>"));
  expect(page).toContain("<td>both<br>");
});

it("labels an axis with enough digits to tell its ticks apart", () => {
  expect(axisLabels([0, 0.0005, 0.001, 0.0015])).toEqual(["0", "0.0005", "0.001", "0.0015"]);
  expect(axisLabels([0, 0.00002, null])).toEqual(["0", "2e-5", ""]);
  expect(axisLabels([0.1 + 0.2, 1])).toEqual(["0.3", "1"]);
  expect(axisLabels([5000, 10000])).toEqual(["5,000", "10,000"]);
});

it("draws a loss part a curve for one run, a run a curve for several", () => {
  expect(chartsOf([run])[0]?.series.map(({ label }) => label)).toEqual(["language"]);
  const compared = chartsOf([run, { ...run, name: "other" }])[0];
  expect(compared?.series.map(({ label }) => label)).toEqual(["tiny <run>", "other"]);
});

it("has a chart for everything that the training log holds, and for each visual loss of any run", () => {
  const diagnostics = {
    cosine: 0.5,
    distinctMatches: 9,
    normInitial: 1,
    normRefined: 2,
    normVocabulary: 3,
    effectiveRank: 4,
    meaningfulShare: 0.5,
    strictShare: 0.25,
    patchWeightSum: 0.1,
    ratioDirection: 0.2,
  };
  const logged = (extra: Record<string, number>): ReportRun => ({
    ...run,
    train: run.train.map((point) => ({ ...point, diagnostics: { ...diagnostics, ...extra } })),
  });
  const charts = chartsOf([logged({}), { ...logged({ ratioDasNce: 0.4 }), name: "other" }]);
  expect(charts.map(({ title }) => title)).toEqual([
    "Language loss",
    "cos(v, v̂)",
    "Distinct matched words",
    "Length of v",
    "Length of v̂",
    "Length of E",
    "Effective rank",
    "Meaningful share",
    "Strict share",
    "Sum of patch weights",
    "λ·direction / language",
    "λ·das-nce / language",
    "Learning rate",
    "Gradient norm",
    "Throughput",
  ]);
  const contrastive = charts.find(({ title }) => title === "λ·das-nce / language");
  expect(contrastive?.series.map(({ values }) => values)).toEqual([
    [null, null, null],
    [0.4, 0.4, 0.4],
  ]);
});

it("draws a curve that is 1 but for rounding as a straight line", () => {
  const noise = run.train.map((point, i) => ({ ...point, diagnostics: { patchWeightSum: 1 + i * 6e-8 } }));
  const chart = chartsOf([{ ...run, train: noise }]).find(({ title }) => title === "Sum of patch weights");
  expect(chart?.series[0]?.values).toEqual([1, 1, 1]);
});

it("leaves out a chart that has no points", () => {
  const titles = chartsOf([run]).map(({ title }) => title);
  expect(titles).toContain("cos(v, v̂)");
  expect(titles).not.toContain("Effective rank");
});

it("writes numbers for people", () => {
  expect([percent(0.7025), percent(undefined), number(0.00001234), number(12.5)]).toEqual([
    "70.3 %",
    "–",
    "1.23e-5",
    "12.5",
  ]);
  expect(html`<p>${"a & b"}</p>`.html).toBe("<p>a &#38; b</p>");
});
