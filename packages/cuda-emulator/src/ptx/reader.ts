import type { Token } from "./lexer.js";
import { PtxError } from "./ptx-error.js";

const END: Token = { kind: "mark", text: "end of the text", line: 0 };

/** Reads tokens one after the other. */
export class Reader {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get done(): boolean {
    return this.#at >= this.#tokens.length;
  }

  /** Line of the next token. */
  get line(): number {
    return (this.#tokens[this.#at] ?? this.#tokens.at(-1) ?? END).line;
  }

  /** The token `ahead` of the next one. */
  peek(ahead = 0): string {
    return (this.#tokens[this.#at + ahead] ?? END).text;
  }

  /** Whether the next token is a string. */
  get atText(): boolean {
    return this.#tokens[this.#at]?.kind === "text";
  }

  next(): string {
    if (this.done) throw new PtxError("the text ends too early", this.line);
    const token = this.peek();
    this.#at++;
    return token;
  }

  /** Takes the next token if it is `text`. */
  take(text: string): boolean {
    if (this.done || this.peek() !== text) return false;
    this.#at++;
    return true;
  }

  expect(text: string): void {
    if (!this.take(text)) throw new PtxError(`expected "${text}", found "${this.peek()}"`, this.line);
  }

  number(): number {
    const text = this.next();
    const value = Number(text.replace(/U$/, ""));
    if (!Number.isInteger(value)) throw new PtxError(`expected a number, found "${text}"`, this.line);
    return value;
  }

  /** Skips `{ … }`. */
  skipBraces(): void {
    this.expect("{");
    for (let depth = 1; depth > 0; ) {
      const token = this.next();
      if (token === "{") depth++;
      if (token === "}") depth--;
    }
  }
}
