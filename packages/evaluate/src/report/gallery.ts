import type { AnsweredQuestion, ReportRun } from "./data.js";
import { type Html, html } from "./html.js";
import { headline } from "./metrics.js";

/** Pictures with questions, the model's answers, and the truth where it was missed. */
export function samples(run: ReportRun | undefined, whose: string): Html {
  if (run === undefined || run.samples.length === 0) return html``;
  return html`<h2>What it says</h2>
    <p class="soft">${whose}The first pictures of the split “${headline(run)[0]}”, in its order: nothing was picked.</p>
    <div class="legend qa"><span class="ok">✓ right answer</span><span class="no">✗ <s>wrong answer</s> <b>what is right</b></span></div>
    <div class="pictures">${run.samples.map(
      (picture) =>
        html`<div class="card picture"><img src="${picture.image}" alt="test picture"><ul class="qa">${picture.questions.map(answered)}</ul></div>`,
    )}</div>`;
}

function answered({ question, answer, truth, correct }: AnsweredQuestion): Html {
  const said = correct ? html`✓ ${answer}` : html`✗ <s>${answer || "(nothing)"}</s> <b>${truth}</b>`;
  return html`<li class="${correct ? "ok" : "no"}"><q>${question}</q>${said}</li>`;
}
