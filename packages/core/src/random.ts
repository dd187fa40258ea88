const ROUNDS = 10;
const MULTIPLIER_A = 0xd2511f53;
const MULTIPLIER_B = 0xcd9e8d57;
const WEYL_A = 0x9e3779b9;
const WEYL_B = 0xbb67ae85;
const TWO_POW_32 = 0x1_0000_0000;

/** Four unsigned 32-bit words. */
export type Words4 = readonly [number, number, number, number];

/**
 * Philox4x32-10, a counter-based generator: 128 random bits from a counter and a key, without state.
 *
 * Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011; equal to Random123's.
 *
 * @param counter - Four words: which block.
 * @param key - Two words: which sequence.
 */
export function philox(counter: Words4, key: readonly [number, number]): Words4 {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < ROUNDS; round++) {
    const highA = multiplyHigh(MULTIPLIER_A, c0);
    const lowA = Math.imul(MULTIPLIER_A, c0);
    const highB = multiplyHigh(MULTIPLIER_B, c2);
    const lowB = Math.imul(MULTIPLIER_B, c2);
    c0 = (highB ^ c1 ^ k0) >>> 0;
    c1 = lowB >>> 0;
    c2 = (highA ^ c3 ^ k1) >>> 0;
    c3 = lowA >>> 0;
    k0 = (k0 + WEYL_A) >>> 0;
    k1 = (k1 + WEYL_B) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** Upper 32 bits of the 64-bit product of two unsigned words. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const cross = aHigh * bLow + ((aLow * bLow) >>> 16);
  const middle = aLow * bHigh + (cross & 0xffff);
  // Both sums are below 2^32.
  return aHigh * bHigh + (cross >>> 16) + (middle >>> 16);
}

/** A sequence of random numbers. The same seed and stream give the same sequence everywhere. */
export interface Random {
  /** Uniform in `[0, 1)`, 32 bits. */
  uniform(): number;
  /** Standard normal. */
  normal(): number;
  /** Uniform integer in `0 .. n - 1`, without bias. n from 1 to 2^32. */
  int(n: number): number;
  /** The numbers `0 .. n - 1` in random order (Fisher-Yates). */
  permutation(n: number): Int32Array;
  /** Fills `array` with normal values of standard deviation `std` and returns it. */
  fillNormal(array: Float32Array, std: number): Float32Array;
  /** Fills `array` with uniform values in `[low, high)` and returns it. */
  fillUniform(array: Float32Array, low: number, high: number): Float32Array;
  /** Fills `array` with 0 at `probability` (in steps of 2^-16) and 1 elsewhere, and returns it. 16 bits a value. */
  fillMask(array: Uint8Array, probability: number): Uint8Array;
}

/**
 * Random numbers that depend on the arguments alone: no global state, no history.
 *
 * The seed is Philox's key, the hash of the stream is the upper half of its counter.
 *
 * @param seed - Non-negative integer up to 2^53.
 * @param stream - What the numbers are for, for example `"order", "align", epoch`.
 */
export function createRandom(seed: number, ...stream: readonly (string | number)[]): Random {
  return randomFromWords(randomWords(seed, ...stream));
}

/**
 * Seed and stream as four words: Philox's key, then the upper half of its counter. What kernels take that draw their own
 * numbers.
 */
export function randomWords(seed: number, ...stream: readonly (string | number)[]): Int32Array {
  const [high, low] = hashStream(stream);
  return Int32Array.of(seed, Math.floor(seed / TWO_POW_32), low, high);
}

/** The sequence of {@link randomWords}. */
export function randomFromWords(stream: Int32Array): Random {
  const [keyLow = 0, keyHigh = 0, low = 0, high = 0] = Uint32Array.from(stream);
  const key = [keyLow, keyHigh] as const;
  let block = 0;
  let words: Words4 = [0, 0, 0, 0];
  let used = 4;
  let spare: number | undefined;

  const next = (): number => {
    if (used === 4) {
      words = philox([block >>> 0, Math.floor(block / TWO_POW_32), low, high], key);
      block++;
      used = 0;
    }
    return words[used++] as number;
  };
  const uniform = (): number => next() / TWO_POW_32;
  const normal = (): number => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    // Box-Muller. The half keeps the logarithm finite.
    const radius = Math.sqrt(-2 * Math.log((next() + 0.5) / TWO_POW_32));
    const angle = (2 * Math.PI * next()) / TWO_POW_32;
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
  const int = (n: number): number => {
    const limit = TWO_POW_32 - (TWO_POW_32 % n);
    let word = next();
    while (word >= limit) word = next();
    return word % n;
  };
  const permutation = (n: number): Int32Array => {
    const order = Int32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = int(i + 1);
      const swapped = order[i] as number;
      order[i] = order[j] as number;
      order[j] = swapped;
    }
    return order;
  };
  return {
    uniform,
    normal,
    int,
    permutation,
    fillNormal: (array, std) => fill(array, () => std * normal()),
    fillUniform: (array, low, high) => fill(array, () => low + (high - low) * uniform()),
    fillMask: (array, probability) => {
      const threshold = Math.round(probability * 0x10000);
      for (let i = 0; i < array.length; i += 2) {
        const word = next();
        array[i] = (word & 0xffff) >= threshold ? 1 : 0;
        // Beyond the end of an odd length nothing is written.
        array[i + 1] = word >>> 16 >= threshold ? 1 : 0;
      }
      return array;
    },
  };
}

function fill(array: Float32Array, draw: () => number): Float32Array {
  for (let i = 0; i < array.length; i++) array[i] = draw();
  return array;
}

/** 64 bits that tell streams apart: two hashes of the same text with different starts. */
function hashStream(stream: readonly (string | number)[]): readonly [number, number] {
  const text = JSON.stringify(stream);
  return [mix(text, 0x811c9dc5), mix(text, 0x9747b28c)];
}

/** MurmurHash3's mixing over UTF-16 units. */
function mix(text: string, start: number): number {
  let hash = start;
  for (let i = 0; i < text.length; i++) {
    const unit = Math.imul(text.charCodeAt(i), 0xcc9e2d51);
    hash ^= Math.imul((unit << 15) | (unit >>> 17), 0x1b873593);
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  hash ^= text.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
