// Kernels that run in our backend and in libraries: matrix products and attention, at the shapes of models.

/** m, n, k, and how the operands lie: N row by row, T its transpose. */
const PRODUCTS = [
  ["2048x2048x2048", "NN NT TN"],
  ["512x576x576", "NN NT TN"],
  ["512x1536x576", "NN NT"],
  ["512x576x1536", "NN NT"],
  ["576x1536x512", "TN"],
  ["512x49152x576", "NT"],
  ["512x576x49152", "NN"],
  ["49152x576x512", "TN"],
  ["512x768x192", "NN"],
  ["1536x256x256", "NN NT"],
  ["1536x688x256", "NN NT"],
  ["1536x256x688", "NN NT"],
  ["688x256x1536", "TN"],
  ["64x128x128", "NN NT TN"],
];

/** Samples, heads, rows and columns of a head. */
const ATTENTION = [
  [16, 8, 96, 32],
  [4, 9, 128, 64],
  [2, 9, 512, 64],
  [1, 9, 1024, 64],
  [1, 9, 2048, 64],
];

const productCases = PRODUCTS.flatMap(([sizes, kinds]) =>
  kinds.split(" ").flatMap((operands) =>
    ["f32", "bf16"].map((precision) => ({
      name: `gemm/${sizes}/${operands}/${precision}`,
      kernel: "product",
      sizes: sizes.split("x").map(Number),
      operands,
      precision,
    })),
  ),
);

const attentionCases = ATTENTION.map(([samples, heads, rows, width]) => ({
  name: `attention/${samples}x${heads}x${rows}x${width}/causal`,
  kernel: "attention",
  sizes: [samples, heads, rows, width],
  precision: "f32",
}));

/** Products by precision, and attention forward and backward. */
export const kernelPeerCases = [...productCases, ...attentionCases];

/** A product of more FLOPs takes a JavaScript engine seconds. */
const MOST_FLOPS = 2e9;

/** The float32 products that other JavaScript engines get through. */
export const javascriptCases = productCases.filter(
  (one) => one.precision === "f32" && flopsOfCase(one) <= MOST_FLOPS,
);

/** FLOPs of the products of a case, without those of pairs that a causal mask hides. */
export function flopsOfCase({ kernel, sizes }) {
  if (kernel === "product") return 2 * sizes.reduce((product, size) => product * size, 1);
  const [samples, heads, rows, width] = sizes;
  // Two products forward, five backward.
  return 14 * samples * heads * ((rows * (rows + 1)) / 2) * width;
}
