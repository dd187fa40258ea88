/** Reads the bytes of a pickle one after the other. */
export class Cursor {
  readonly #bytes: Uint8Array;
  readonly #tooShort: () => Error;
  #position = 0;

  /** @param tooShort - Makes the error for bytes that are not there. */
  constructor(bytes: Uint8Array, tooShort: () => Error) {
    this.#bytes = bytes;
    this.#tooShort = tooShort;
  }

  byte(): number {
    return this.take(1).getUint8(0);
  }

  /** The next `count` bytes. */
  take(count: number): DataView {
    const start = this.#position;
    if (start + count > this.#bytes.length) throw this.#tooShort();
    this.#position = start + count;
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset + start, count);
  }

  /** UTF-8 of `count` bytes. */
  text(count: number): string {
    return decode(this.take(count));
  }

  /** ASCII up to a line end, without it. */
  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#position);
    if (end === -1) throw this.#tooShort();
    const text = this.text(end - this.#position);
    this.#position = end + 1;
    return text;
  }

  /** A little-endian two's-complement integer with its length before it; NaN beyond 53 bits. */
  long(): number {
    const view = this.take(this.byte());
    let value = 0n;
    for (let i = view.byteLength - 1; i >= 0; i--) value = (value << 8n) | BigInt(view.getUint8(i));
    const signed = BigInt.asIntN(view.byteLength * 8, value);
    const number = Number(signed);
    return Number.isSafeInteger(number) ? number : Number.NaN;
  }
}

function decode(view: DataView): string {
  return new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
}
