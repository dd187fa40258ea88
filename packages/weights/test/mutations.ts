import fc from "fast-check";

/** One change of a file; places are taken modulo its length. */
type Mutation =
  | { readonly kind: "set"; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: "insert"; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: "cut"; readonly at: number };

const lengths = [
  0n,
  1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
];

/** Damaged forms of a file: bytes flipped, set and inserted, 32- and 64-bit lengths changed, the end cut off. */
export function damaged(whole: Uint8Array): fc.Arbitrary<Uint8Array> {
  const at = fc.oneof(fc.nat(whole.length - 1), fc.nat(Math.min(whole.length, 1024) - 1));
  const length = fc.oneof(fc.constantFrom(...lengths), fc.bigInt(0n, BigInt(2 * whole.length)));
  const mutation: fc.Arbitrary<Mutation> = fc.oneof(
    fc.record({
      kind: fc.constant("set"),
      at,
      bytes: fc.uint8Array({ minLength: 1, maxLength: 4 }),
    } as const),
    fc.record({
      kind: fc.constant("set"),
      at: fc.oneof(fc.constantFrom(...lengthPlaces(whole)), at),
      bytes: length.map(bytesOf),
    } as const),
    fc.record({
      kind: fc.constant("insert"),
      at,
      bytes: fc.uint8Array({ minLength: 1, maxLength: 9 }),
    } as const),
    fc.record({
      kind: fc.constant("set"),
      at,
      bytes: fc
        .constantFrom(0, 2 ** 16, 2 ** 31, 2 ** 32 - 1)
        .map((value) => bytesOf(BigInt(value)).slice(0, 4)),
    } as const),
    fc.record({ kind: fc.constant("cut"), at } as const),
  );
  return fc
    .array(mutation, { minLength: 1, maxLength: 4 })
    .map((mutations) => mutations.reduce(apply, whole));
}

function apply(bytes: Uint8Array, mutation: Mutation): Uint8Array {
  const at = bytes.length === 0 ? 0 : mutation.at % bytes.length;
  if (mutation.kind === "cut") return bytes.slice(0, at);
  if (mutation.kind === "insert")
    return Uint8Array.of(...bytes.subarray(0, at), ...mutation.bytes, ...bytes.subarray(at));
  const changed = bytes.slice();
  changed.set(mutation.bytes.subarray(0, bytes.length - at), at);
  return changed;
}

/** Where eight bytes may be the length of something in the file. */
function lengthPlaces(whole: Uint8Array): readonly number[] {
  const view = new DataView(whole.buffer, whole.byteOffset, whole.byteLength);
  const places = Array.from({ length: whole.length - 7 }, (_, at) => at).filter((at) => {
    const value = view.getBigUint64(at, true);
    return value > 0n && value <= BigInt(whole.length);
  });
  return places.length === 0 ? [0] : places;
}

function bytesOf(value: bigint): Uint8Array {
  return new Uint8Array(BigUint64Array.of(value).buffer);
}
