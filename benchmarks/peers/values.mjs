// Numbers that every side makes for itself, equal bit for bit: a hash of the place and a name. torch_values.py has the same.

/** FNV-1a of an ASCII name. */
function seedOf(name) {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** A mixing function with little bias (C. Wellons' lowbias32). */
function mix(value) {
  let x = value;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** Evenly spread around 0 with this standard deviation. */
export function noise(name, size, deviation) {
  const seed = seedOf(name);
  const factor = Math.fround((deviation * Math.sqrt(3)) / 2 ** 31);
  const values = new Float32Array(size);
  for (let i = 0; i < size; i++) values[i] = (mix((i + seed) | 0) - 2 ** 31) * factor;
  return values;
}

/** Whole numbers below `bound`. */
export function integers(name, size, bound) {
  const seed = seedOf(name);
  return Int32Array.from({ length: size }, (_, i) => mix((i + seed) | 0) % bound);
}
