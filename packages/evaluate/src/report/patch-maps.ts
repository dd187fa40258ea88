import type { MatchedPatch, PatchPicture } from "./data.js";
import { type Html, html, number, percent } from "./html.js";

/** Patch weights over the picture, and the words that the embeddings point at, before and after training. */
export function patchMaps(pictures: readonly PatchPicture[], whose: string): Html {
  if (pictures.length === 0) return html``;
  return html`<h2>Where the text looks, and what the patches mean</h2>
    <p class="soft">${whose}First: patch weights a<sub>j</sub>, the attention that question and answer pay to each patch.
    Second and third: the vocabulary word nearest to each visual embedding, before training and after. Green words are
    meaningful: they belong to the scene. Low shares are normal for small models and short training: most embeddings lie
    between words, and a patch of mere background has no word of its own. What counts is a share that rises from before to
    after while the words stay different. A word that is cut off is shown whole under the pointer.</p>
    <div class="maps">${pictures.map(
      (picture) => html`<div class="card"><h3>${picture.question}</h3><div class="trio">
      ${overlay(picture)}${words(picture, picture.before, "before training")}${words(picture, picture.after, "after training")}</div></div>`,
    )}</div>`;
}

function overlay(picture: PatchPicture): Html {
  const { weights } = picture;
  const top = Math.max(...weights, 1e-12);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const cells = weights.map((weight) => {
    const share = weight / top;
    return html`<div style="background:rgb(${Math.round(30 + 225 * share)} ${Math.round(60 + 120 * share)} ${Math.round(120 * (1 - share))} / ${(0.72 - 0.5 * share).toFixed(2)})" title="a = ${weight.toExponential(2)}"></div>`;
  });
  return html`<figure>${gridOver(picture, cells)}
    <figcaption>patch weights, Σ a<sub>j</sub> = ${number(sum)}</figcaption></figure>`;
}

function words(picture: PatchPicture, patches: readonly MatchedPatch[], caption: string): Html {
  const cells = patches.map(
    ({ word, meaningful }) =>
      html`<div class="${meaningful ? "hit" : ""}" title="${word}"><span>${word}</span></div>`,
  );
  const share = patches.filter((patch) => patch.meaningful).length / Math.max(1, patches.length);
  return html`<figure class="words">${gridOver(picture, cells)}
    <figcaption>${caption}, ${percent(share)} meaningful</figcaption></figure>`;
}

/** The cells over exactly that part of the picture that the encoder saw, in the picture's proportions. */
function gridOver({ image, grid, seen }: PatchPicture, cells: readonly Html[]): Html {
  const [rows, columns] = grid;
  const template = `grid-template:repeat(${rows},minmax(0,1fr))/repeat(${columns},minmax(0,1fr))`;
  const box = seen === undefined ? "" : `;aspect-ratio:${digits(seen.aspect)}`;
  const place = seen === undefined ? "" : placeOf(seen);
  return html`<div class="patchy" style="--columns:${columns}${box}"><img src="${image}" alt="" style="${place}"><div class="cells" style="${template}">${cells}</div></div>`;
}

function placeOf({ left, top, width, height }: NonNullable<PatchPicture["seen"]>): string {
  const share = (value: number): string => `${digits(value * 100)}%`;
  return `position:absolute;left:${share(-left / width)};top:${share(-top / height)};width:${share(1 / width)};height:${share(1 / height)}`;
}

/** Without a minus before zero. */
function digits(value: number): string {
  return String(Number(value.toFixed(3)) + 0);
}
