import type { PatchMap, Picture } from "../protocol.js";
import { create, find } from "./elements.js";

/** The chosen picture beside its patch map. */
export class Viewer {
  readonly #plain = find("plain", HTMLCanvasElement);
  readonly #attention = find("attention", HTMLCanvasElement);
  readonly #words = find("words", HTMLDivElement);
  #picture: Picture | undefined;

  get picture(): Picture | undefined {
    return this.#picture;
  }

  /** Shows another picture; its map comes later. */
  show(picture: Picture): void {
    this.#picture = picture;
    drawPicture(this.#plain, picture);
    drawPicture(this.#attention, picture);
    this.#words.replaceChildren();
    find("caption", HTMLElement).textContent = picture.caption ?? picture.name;
  }

  /** Shows what supervision sees; a map of another picture is passed over. */
  showMap({ picture, grid, weights, words, globalStep }: PatchMap): void {
    if (this.#picture?.name !== picture) return;
    drawPicture(this.#attention, this.#picture);
    drawHeat(this.#attention, weights, grid);
    this.#words.style.setProperty("--columns", `${grid[1]}`);
    this.#words.replaceChildren(...words.map((word) => create("span", "", word)));
    find("map-caption", HTMLElement).textContent =
      `Step ${globalStep.toLocaleString("en")}: attention on each patch, and the word nearest to its embedding`;
  }
}

/** Fills a canvas with a picture; its pixels stay sharp. */
export function drawPicture(canvas: HTMLCanvasElement, { width, height, pixels }: Picture): void {
  const data = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    data.data.set(pixels.subarray(3 * i, 3 * i + 3), 4 * i);
    data.data[4 * i + 3] = 255;
  }
  const small = new OffscreenCanvas(width, height);
  small.getContext("2d")?.putImageData(data, 0, 0);
  const context = canvas.getContext("2d");
  if (context === null) return;
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
}

/** Darkens patches that get less attention than the one that gets most. */
function drawHeat(
  canvas: HTMLCanvasElement,
  weights: readonly number[],
  [rows, columns]: readonly [number, number],
): void {
  const context = canvas.getContext("2d");
  if (context === null) return;
  const most = Math.max(1e-12, ...weights);
  const [width, height] = [canvas.width / columns, canvas.height / rows];
  for (const [patch, weight] of weights.entries()) {
    context.fillStyle = `rgb(12 10 30 / ${0.8 * (1 - weight / most)})`;
    context.fillRect((patch % columns) * width, Math.floor(patch / columns) * height, width, height);
  }
}
