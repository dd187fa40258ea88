import { IMAGE_SLOT, type PreviewRecord, type TokenPiece } from "@basic-mllm/data";

import { type Html, html, percent, raw } from "./html.js";
import { STYLE } from "./style.js";

/** What {@link renderPreview} shows. */
export interface PreviewPage {
  readonly title: string;
  /** Name of the template that made the tokens. */
  readonly template: string;
  /** Records of the whole data set. */
  readonly size: number;
  readonly records: readonly PreviewRecord[];
}

const PREVIEW_STYLE = `
.sheet { display: grid; gap: 16px; margin-top: 24px; }
.record { display: grid; grid-template-columns: 224px minmax(0, 1fr); gap: 8px 20px; }
.record header { grid-column: 1 / -1; display: flex; flex-wrap: wrap; gap: 4px 14px; align-items: baseline; }
.record header b { overflow-wrap: anywhere; } .record.bare { grid-template-columns: minmax(0, 1fr); }
.thumbs { display: grid; gap: 8px; align-content: start; } .thumbs img { max-width: 100%; border-radius: 8px; display: block; }
.thumbs figcaption { overflow-wrap: anywhere; }
.tokens { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.9; font: 13.5px/1.9 ui-monospace, monospace; max-width: none; }
.tokens span, .legend span.key { box-shadow: inset 1px 0 0 var(--line); padding: 2px 0; border-radius: 2px; }
.tokens .on, .legend .on { background: color-mix(in srgb, var(--good) 24%, transparent); box-shadow: inset 1px 0 0 var(--good); }
.tokens .special, .legend .special { color: var(--c1); font-weight: 600; }
.tokens .image, .legend .image { color: var(--accent); font-weight: 600; }
.legend span.key { padding: 2px 6px; font-family: ui-monospace, monospace; }
@media (max-width: 700px) { .record { grid-template-columns: minmax(0, 1fr); } }
`;

/** A contact sheet of a data set as one HTML file: no other file, no network, no script. */
export function renderPreview({ title, template, size, records }: PreviewPage): string {
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title><style>${raw(STYLE)}${raw(PREVIEW_STYLE)}</style></head>
<body><main><h1>${title}</h1>
<p class="soft">${records.length} of ${size} records, at even distances, under the template “${template}”. Each image is one token here; in training it is as many as the encoder gives.</p>
${figures(records)}
<div class="legend"><span class="key on">trained</span><span class="key">read only</span><span class="key special">special token</span><span class="key image">&lt;image&gt;</span></div>
<div class="sheet">${records.map(card)}</div>
<footer>Written by basic-mllm.</footer></main></body></html>`;
  return page.html;
}

function figures(records: readonly PreviewRecord[]): Html {
  const counts = records.map(({ tokens }) => countTokens(tokens));
  const total = counts.reduce((sum, { text }) => sum + text, 0);
  const supervised = counts.reduce((sum, count) => sum + count.supervised, 0);
  const problems = records.filter((record) => record.problems.length > 0).length;
  const tiles: readonly (readonly [label: string, value: string])[] = [
    ["records shown", String(records.length)],
    ["images", String(records.reduce((sum, { images }) => sum + images.length, 0))],
    ["text tokens", String(total)],
    ["of them trained", total === 0 ? "–" : percent(supervised / total)],
    ["records with a problem", String(problems)],
  ];
  return html`<div class="tiles">${tiles.map(([label, value]) => html`<div class="tile"><b>${value}</b><small>${label}</small></div>`)}</div>`;
}

/** Tokens without images, and those of them that have labels. */
function countTokens(tokens: readonly TokenPiece[]): { readonly text: number; readonly supervised: number } {
  const text = tokens.filter(({ kind }) => kind !== "image");
  const count = (pieces: readonly TokenPiece[]): number =>
    pieces.reduce((sum, { ids }) => sum + ids.length, 0);
  return { text: count(text), supervised: count(text.filter(({ supervised }) => supervised)) };
}

function card({ index, id, images, tokens, problems }: PreviewRecord): Html {
  const { text, supervised } = countTokens(tokens);
  const counts =
    tokens.length === 0 ? html`` : html`<small>${text} text tokens, ${supervised} trained</small>`;
  const head = html`<header><b>${id ?? "no sample"}</b><small>record ${index}</small>${counts}</header>`;
  const thumbs = html`<div class="thumbs">${images.map(thumbnail)}</div>`;
  return html`<article class="card record${images.length === 0 ? " bare" : ""}">${head}${images.length === 0 ? html`` : thumbs}
<div>${problems.map((problem) => html`<p class="warning">${problem}</p>`)}${
    tokens.length === 0 ? html`` : html`<p class="tokens">${tokens.map(token)}</p>`
  }</div></article>`;
}

function thumbnail({ name, address }: PreviewRecord["images"][number]): Html {
  const picture = address === null ? html`<p class="no">not shown</p>` : html`<img src="${address}" alt="">`;
  return html`<figure>${picture}<figcaption>${name}</figcaption></figure>`;
}

function token({ text, ids, kind, supervised }: TokenPiece): Html {
  const names = [kind === "text" ? "" : kind, supervised ? "on" : ""].filter((name) => name !== "");
  const shown = text === "" ? "·" : text.replaceAll("\n", "↵\n");
  const known = ids.filter((id) => id !== IMAGE_SLOT);
  const title = known.length === 0 ? "image" : `token ${known.join(", ")}`;
  return html`<span class="${names.join(" ")}" title="${title}">${shown}</span>`;
}
