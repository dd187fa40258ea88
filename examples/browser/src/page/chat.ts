import type { Picture, Request } from "../protocol.js";
import { create, find } from "./elements.js";
import { drawPicture } from "./viewer.js";

const SUGGESTIONS = [
  "what is in the image?",
  "what kind of thing is in the image?",
  "what color is the background?",
  "where is the cat?",
  "is there a cat in the image?",
];

/** Questions about the chosen picture, and the answers. */
export class Chat {
  readonly #form = find("ask-form", HTMLFormElement);
  readonly #list = find("answers", HTMLUListElement);
  readonly #texts = new Map<number, HTMLElement>();
  #asked = 0;

  constructor(picture: () => Picture | undefined, send: (request: Request) => void) {
    const ask = (question: string): void => {
      const chosen = picture();
      if (chosen === undefined || question === "") return;
      const id = this.#asked++;
      this.#add(id, chosen, question);
      send({ kind: "ask", id, picture: chosen, question });
    };
    const suggestions = SUGGESTIONS.map((question) => {
      const button = create("button", "chip", question);
      button.type = "button";
      button.disabled = true;
      button.addEventListener("click", () => ask(question));
      return button;
    });
    find("suggestions", HTMLDivElement).append(...suggestions);
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const input = this.#input();
      ask(input.value.trim());
      input.value = "";
    });
  }

  /** A model is there to be asked. */
  enable(): void {
    const suggestions = find("suggestions", HTMLDivElement).querySelectorAll("button");
    const parts = this.#form.querySelectorAll<HTMLInputElement | HTMLButtonElement>("input, button");
    for (const part of [...suggestions, ...parts]) part.disabled = false;
  }

  /** More of an answer. */
  append(id: number, text: string): void {
    const place = this.#texts.get(id);
    if (place === undefined) return;
    place.textContent = `${place.classList.contains("waiting") ? "" : place.textContent}${text}`;
    place.classList.remove("waiting");
  }

  finish(id: number, answer: string, unknown: readonly string[]): void {
    const place = this.#texts.get(id);
    if (place === undefined) return;
    place.classList.remove("waiting");
    place.textContent = answer === "" ? "(no answer)" : answer;
    if (unknown.length > 0) {
      const words = unknown.map((word) => `"${word}"`).join(", ");
      place.after(create("small", "hint", `The model's vocabulary lacks ${words}.`));
    }
  }

  fail(id: number, text: string): void {
    const place = this.#texts.get(id);
    if (place === undefined) return;
    place.classList.replace("waiting", "error");
    place.textContent = text;
  }

  #add(id: number, picture: Picture, question: string): void {
    const canvas = create("canvas", "");
    [canvas.width, canvas.height] = [64, 64];
    drawPicture(canvas, picture);
    const text = create("p", "answer waiting", "thinking, after this step");
    this.#texts.set(id, text);
    this.#list.querySelector(":scope > .hint")?.remove();
    this.#list.prepend(create("li", "", canvas, create("div", "", create("p", "question", question), text)));
  }

  #input(): HTMLInputElement {
    const input = this.#form.elements.namedItem("question");
    if (input instanceof HTMLInputElement) return input;
    throw new Error("index.html has no field for questions");
  }
}
