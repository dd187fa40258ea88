// The least work that a call of the native addon has to do: products in FLOPs, and bytes of its arguments, each once.

/** Pairs of a query and a key that see each other, over all samples. */
function pairs({ queryOffsets, keyOffsets, causal, window }) {
  let sum = 0;
  for (let sample = 0; sample + 1 < queryOffsets.length; sample++) {
    const queries = queryOffsets[sample + 1] - queryOffsets[sample];
    const keys = keyOffsets[sample + 1] - keyOffsets[sample];
    for (let row = 0; row < queries; row++) {
      const seen = causal ? keys - queries + row + 1 : keys;
      sum += window > 0 ? Math.min(seen, window) : seen;
    }
  }
  return sum;
}

const attention = (layout, products) => 2 * products * pairs(layout) * layout.heads * layout.headWidth;

/** A product of `rows` rows with a table of words, `products` times. */
const overWords = (rows, table, products) => 2 * products * rows * table.length;

const FLOPS = {
  linear: ([, , , rows, inputs, outputs]) => 2 * rows * inputs * outputs,
  linearBackward: ([, , rows, inputs, outputs]) => 2 * rows * inputs * outputs,
  matmul: ([, , c, , , , , k]) => 2 * c.length * k,
  attention: ([, , , layout]) => attention(layout, 2),
  attentionReceived: ([, , , layout]) => attention(layout, 2),
  attentionBackward: ([, , , , , , layout]) => attention(layout, 5),
  linearCrossEntropy: ([, weight, { labels }]) => overWords(labels.length, weight, 1),
  linearCrossEntropyBackward: ([dloss, , weight, , , dx, dweight]) =>
    overWords(dloss.length, weight, Math.sign(dx.length) + Math.sign(dweight.length)),
  linearKl: ([{ a, vocabulary }]) => overWords(a.length, vocabulary, 2),
  linearKlBackward: ([{ a, vocabulary }, , , , , dv, dr]) =>
    overWords(a.length, vocabulary, Math.sign(dv.length) + Math.sign(dr.length)),
};

/** FLOPs of the products of a call; 0 for kernels that only pass over memory. */
export function flopsOf(name, args) {
  return FLOPS[name]?.(args) ?? 0;
}

/** Bytes of all arrays among the arguments, those inside of options included. */
export function bytesOf(args) {
  return args.reduce((sum, value) => {
    if (ArrayBuffer.isView(value)) return sum + value.byteLength;
    return typeof value === "object" && value !== null ? sum + bytesOf(Object.values(value)) : sum;
  }, 0);
}
