/**
 * Text of tokens as they come, without decoding all of them again each time.
 *
 * A token's text may depend on the ones before (a leading space, bytes of one character), so a few tokens that were shown
 * already are decoded with the new ones, and the difference is the new text. Text that ends in the middle of a character
 * waits for the rest of it.
 */
export class TextStream {
  readonly #decode: (ids: readonly number[]) => string;
  #ids: number[] = [];
  /** How many of `#ids` are shown. */
  #shown = 0;
  #shownText = "";

  /** @param decode - Text of token ids; bytes of half a character are U+FFFD in it. */
  constructor(decode: (ids: readonly number[]) => string) {
    this.#decode = decode;
  }

  /** @returns Text that is whole now; often that of this token. */
  push(id: number): string {
    this.#ids.push(id);
    const text = this.#decode(this.#ids);
    return text.endsWith("\ufffd") ? "" : this.#show(text);
  }

  /** @returns What still waits: half a character, as U+FFFD. */
  end(): string {
    return this.#show(this.#decode(this.#ids));
  }

  #show(text: string): string {
    const fresh = text.slice(this.#shownText.length);
    const last = this.#ids.slice(this.#shown);
    const lastText = this.#decode(last);
    // Tokens without text of their own cannot stand for what came before: a decoder would strip the next space.
    if (lastText.trim() !== "" && !lastText.includes("\ufffd")) {
      this.#ids = last;
      this.#shownText = lastText;
    } else {
      this.#shownText = text;
    }
    this.#shown = this.#ids.length;
    return fresh;
  }
}
