import { requireOption } from "./sampling.js";

/**
 * Lets text through up to the first stop string. Holds back what may be the start of one, so that a stop string is found
 * over the borders of pieces and never shown.
 */
export class StopStrings {
  readonly #stops: readonly string[];
  #held = "";
  #stopped = false;

  /** @throws `BasicError` `E_CONFIG` for an empty stop string. */
  constructor(stops: readonly string[]) {
    requireOption("stopStrings", stops, "texts of at least one letter", !stops.includes(""));
    this.#stops = stops;
  }

  /** Whether a stop string has come. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** @returns What may be shown now. */
  push(piece: string): string {
    if (this.#stopped) return "";
    const text = this.#held + piece;
    const found = this.#stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
    if (found.length > 0) {
      this.#stopped = true;
      this.#held = "";
      return text.slice(0, Math.min(...found));
    }
    const safe = text.length - Math.max(0, ...this.#stops.map((stop) => overlap(text, stop)));
    this.#held = text.slice(safe);
    return text.slice(0, safe);
  }

  /** @returns What was held back and is no stop string after all. */
  end(): string {
    const rest = this.#held;
    this.#held = "";
    return rest;
  }
}

/** Length of the longest end of `text` that `stop` starts with. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--) {
    if (text.endsWith(stop.slice(0, length))) return length;
  }
  return 0;
}
