import type { Picture, Request, SceneChoices } from "../protocol.js";
import { create, fillSelect, find } from "./elements.js";
import { drawPicture } from "./viewer.js";

/** Pictures that the visitor may choose from, and where more come from. */
export class Gallery {
  readonly #list = find("thumbnails", HTMLDivElement);
  readonly #onChoose: (picture: Picture) => void;
  readonly #send: (request: Request) => void;
  #number = 0;

  constructor(onChoose: (picture: Picture) => void, send: (request: Request) => void) {
    this.#onChoose = onChoose;
    this.#send = send;
    find("more", HTMLButtonElement).addEventListener("click", () =>
      send({ kind: "draw-unseen", number: this.#number++ }),
    );
    const file = find("file", HTMLInputElement);
    file.addEventListener("change", () => {
      this.#open(file.files?.[0]);
      // The same file may be chosen again.
      file.value = "";
    });
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      this.#open(event.dataTransfer?.files[0]);
    });
    this.#listenToBuilder(find("builder", HTMLFormElement));
  }

  /** What the scene builder offers, and the pictures to begin with; chooses the first. */
  open(choices: SceneChoices, pictures: readonly Picture[]): void {
    fillBuilder(find("builder", HTMLFormElement), choices);
    find("artists", HTMLSpanElement).textContent = choices.styles
      .map(({ name, author }) => `${author} (${name})`)
      .join(", ");
    for (const picture of pictures) this.add(picture, false);
    this.#number = pictures.length;
    const [first] = pictures;
    if (first !== undefined) this.#choose(first);
  }

  /** Adds a picture and chooses it unless told otherwise. */
  add(picture: Picture, choose = true): void {
    const canvas = create("canvas", "");
    [canvas.width, canvas.height] = [64, 64];
    drawPicture(canvas, picture);
    const button = create("button", "thumbnail", canvas);
    button.type = "button";
    button.role = "option";
    button.dataset["picture"] = picture.name;
    button.ariaLabel = picture.caption ?? picture.name;
    button.addEventListener("click", () => this.#choose(picture));
    this.#list.append(button);
    if (choose) this.#choose(picture);
  }

  #choose(picture: Picture): void {
    for (const button of this.#list.querySelectorAll("button")) {
      button.ariaSelected = String(button.dataset["picture"] === picture.name);
    }
    this.#onChoose(picture);
  }

  #open(file: File | undefined): void {
    if (file === undefined) return;
    file
      .arrayBuffer()
      .then((buffer) => {
        const bytes = new Uint8Array(buffer);
        this.#send({ kind: "open", number: this.#number++, name: file.name, bytes });
      })
      // The worker says the same of an empty file.
      .catch(() => this.#send({ kind: "open", number: 0, name: file.name, bytes: new Uint8Array() }));
  }

  #listenToBuilder(form: HTMLFormElement): void {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const data = new FormData(form);
      const chosen = (name: string): number => Number(data.get(name));
      const order = {
        concept: chosen("concept"),
        style: chosen("style"),
        cell: chosen("cell"),
        background: chosen("background"),
      };
      this.#send({ kind: "draw", number: this.#number++, order });
    });
  }
}

function fillBuilder(form: HTMLFormElement, { concepts, styles, cells, backgrounds }: SceneChoices): void {
  const options: Readonly<Record<string, readonly string[]>> = {
    concept: concepts.map(({ name, heldOut }) => (heldOut ? `${name} (never in training)` : name)),
    style: styles.map(({ name, unseen }) => (unseen ? `${name} (never in training)` : name)),
    cell: cells,
    background: backgrounds,
  };
  for (const [name, names] of Object.entries(options)) {
    const select = form.elements.namedItem(name);
    if (select instanceof HTMLSelectElement) fillSelect(select, names);
  }
}
