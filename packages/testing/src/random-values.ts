import type { InputSpec } from "@basic-mllm/core";

/** Values of one tensor on the host. */
export interface HostTensor {
  readonly shape: readonly number[];
  /** Row-major; exact in float32. */
  readonly values: readonly number[];
  readonly dtype: "float32" | "int32";
}

/** Standard normal values times `scale`, rounded to float32, the same on every machine. */
export function normalValues(size: number, seed: string, scale = 1): number[] {
  const uniform = generator(seed);
  return Array.from({ length: size }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    return Math.fround(scale * radius * Math.cos(2 * Math.PI * uniform()));
  });
}

/** The values of a case's input: as given, or drawn by `seed`. */
export function hostTensor(spec: InputSpec, seed: string): HostTensor {
  const { shape, dtype = "float32", scale, values } = spec;
  const size = shape.reduce((product, length) => product * length, 1);
  return { shape, dtype, values: (values ?? normalValues(size, seed, scale)).map(round(dtype)) };
}

function round(dtype: "float32" | "int32"): (value: number) => number {
  return dtype === "int32" ? Math.round : Math.fround;
}

/** Uniform values in [0, 1): mulberry32, seeded by the FNV-1a hash of a text. */
function generator(seed: string): () => number {
  let state = [...seed].reduce(
    (hash, letter) => Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 16_777_619),
    -2_128_831_035,
  );
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
