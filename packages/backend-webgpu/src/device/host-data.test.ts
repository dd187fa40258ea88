import { describe, expect, it } from "vitest";

import { HostData } from "./host-data.js";

function counted() {
  const released: unknown[] = [];
  let uploads = 0;
  const data = new HostData({
    upload: (bytes) => ({ number: uploads++, size: bytes.length }) as unknown as GPUBuffer,
    release: (buffer) => released.push(buffer),
  });
  return { data, released, uploads: () => uploads };
}

describe("HostData", () => {
  it("uploads the same bytes once", () => {
    const { data, uploads } = counted();
    const first = data.get(Uint8Array.of(1, 2, 3, 4));
    expect(data.get(Uint8Array.of(1, 2, 3, 4))).toBe(first);
    expect(uploads()).toBe(1);
  });

  it("does not take an array that changed for what it was", () => {
    const { data } = counted();
    const bytes = Uint8Array.of(1, 2, 3, 4);
    const first = data.get(bytes);
    bytes[0] = 9;
    expect(data.get(bytes)).not.toBe(first);
    expect(data.get(Uint8Array.of(1, 2, 3, 4))).toBe(first);
  });

  it("gives back what was not asked for longest when it holds too much", () => {
    const { data, released } = counted();
    const large = (value: number) => new Uint8Array(3 * 2 ** 20).fill(value);
    const [first, second] = [data.get(large(1)), data.get(large(2))];
    data.get(large(1));
    data.get(large(3));
    expect(released).toEqual([second]);
    expect(data.get(large(1))).toBe(first);
  });
});
