// Calls of every kernel contract: products at sizes of the quickstart, since a software adapter takes seconds for larger
// ones, the rest at those of SmolLM2-135M.
import { packBf16 } from "@basic-mllm/core";

/** SmolLM2-135M. */
const WIDTH = 576;
const INNER = 1536;
const [HEADS, KV_HEADS, HEAD_WIDTH] = [9, 3, 64];
const WORDS = 49_152;
/** Outputs of the matrices of one of its blocks. */
const MATRICES = { query: WIDTH, key: 192, value: 192, output: WIDTH, gate: INNER, up: INNER, down: WIDTH };
const CHUNK_BYTES = 16 * 2 ** 20;

/** Language model of the quickstart. */
const QUICK = { width: 128, inner: 384, words: 1518, rows: 64 };

const at = (shape, options = {}) => ({ shape, ...options });
const positive = (shape) => at(shape, { positive: true });
const weight = (outputs, inputs) => at([outputs, inputs], { scale: inputs ** -0.5 });
const rowNumbers = (count, below) => Int32Array.from({ length: count }, (_, i) => (i * 7919) % below);

/** bf16 words of a matrix. */
function packed(height, width) {
  const values = Float32Array.from({ length: 4096 }, (_, i) => Math.sin(i) * width ** -0.5);
  const words = packBf16(values);
  const all = Int32Array.from({ length: (height * width) / 2 }, (_, i) => words[i % words.length]);
  return at([all.length], { values: all });
}

const linearCases = () => {
  const { width, inner, rows } = QUICK;
  const [x, up, pair] = [at([rows, width]), weight(inner, width), `R=${rows}/${width} to 2 x ${inner}`];
  const product = `R=${rows}/${width} to ${inner}`;
  const pairWeights = { weight0: up, weight1: up };
  const bf16 = { storage: "bf16", inFeatures: width, outFeatures: inner };
  const square = weight(width, width);
  return [
    { kernel: "BasicLinear", sizes: product, inputs: { x, weight: up }, attrs: { activation: "none" } },
    {
      kernel: "BasicLinearBias",
      sizes: `${product}, gelu`,
      inputs: { x, weight: up, bias: at([inner]) },
      attrs: { activation: "gelu-tanh" },
    },
    { kernel: "BasicLinearPair", sizes: pair, inputs: { x, ...pairWeights }, results: [0, 1] },
    {
      kernel: "BasicLinearTriple",
      sizes: `R=${rows}/${width} to 3 x ${width}`,
      inputs: { x, weight0: square, weight1: square, weight2: square },
      results: [0, 1, 2],
    },
    {
      kernel: "BasicLinearBackward",
      sizes: pair,
      inputs: { x, dy0: at([rows, inner]), dy1: at([rows, inner]), ...pairWeights },
    },
    {
      kernel: "BasicFrozenLinear",
      sizes: `${product}, bf16`,
      inputs: { x, weight: packed(inner, width) },
      attrs: bf16,
    },
    {
      kernel: "BasicFrozenLinearBias",
      sizes: product,
      inputs: { x, weight: up, bias: at([inner]) },
      attrs: { ...bf16, storage: "f32" },
    },
    {
      kernel: "BasicFrozenLinearBackward",
      sizes: `${product}, bf16`,
      inputs: { dy: at([rows, inner]), weight: packed(inner, width) },
      attrs: bf16,
    },
  ];
};

const elementCases = () => {
  const [wide, sizes] = [at([128, INNER]), `R=128/D=${INNER}`];
  return [
    { kernel: "BasicActivation", sizes: `${sizes}, gelu`, inputs: { x: wide }, attrs: { kind: "gelu-tanh" } },
    {
      kernel: "BasicActivationBackward",
      sizes: `${sizes}, gelu`,
      inputs: { dy: wide, x: wide },
      attrs: { kind: "gelu-tanh" },
    },
    { kernel: "BasicGatedActivation", sizes, inputs: { gate: wide, up: wide }, attrs: { kind: "silu" } },
    {
      kernel: "BasicGatedActivationBackward",
      sizes,
      inputs: { dy: wide, gate: wide, up: wide },
      attrs: { kind: "silu" },
    },
    {
      kernel: "BasicDropout",
      sizes,
      inputs: { x: wide },
      attrs: { probability: 0.0625, stream: Int32Array.of(7, 0, 19_088_743, -5) },
    },
    {
      kernel: "BasicAccumulate",
      sizes: `${INNER} x ${WIDTH}`,
      inputs: { sum: at([INNER, WIDTH]), term: at([INNER, WIDTH]) },
    },
  ];
};

const normCases = () => {
  const [x, column, perRow, sizes] = [at([128, WIDTH]), at([WIDTH]), positive([128]), `R=128/D=${WIDTH}`];
  const rms = { x, weight: column };
  return [
    { kernel: "BasicRmsNorm", sizes, inputs: rms, attrs: { epsilon: 1e-5, addOne: false } },
    {
      kernel: "BasicRmsNormBackward",
      sizes,
      inputs: { dy: x, ...rms, inverse: perRow },
      attrs: { addOne: false, needsWeight: true },
    },
    { kernel: "BasicLayerNorm", sizes, inputs: { ...rms, bias: column }, attrs: { epsilon: 1e-5 } },
    {
      kernel: "BasicLayerNormBackward",
      sizes,
      inputs: { dy: x, ...rms, mean: at([128]), inverse: perRow },
      attrs: { needsWeight: true },
    },
    {
      kernel: "BasicRotary",
      sizes: `R=128/H=${HEADS}/w=${HEAD_WIDTH}`,
      inputs: { x },
      attrs: { ...turns(128), heads: HEADS, rotaryWidth: HEAD_WIDTH, inverse: false },
    },
  ];
};

function turns(rows, first = 0) {
  return {
    positions: Int32Array.from({ length: rows }, (_, row) => first + row),
    frequencies: Float32Array.from({ length: HEAD_WIDTH / 2 }, (_, i) => 1e4 ** ((-2 * i) / HEAD_WIDTH)),
    scale: 1,
  };
}

/** A gather reads the rows that it takes, not the table. */
const rowCases = () => {
  const words = 8192;
  const [table, ids] = [at([words, WIDTH]), rowNumbers(512, words)];
  const [rows, sizes] = [4 * 512 * WIDTH, `R=512/D=${WIDTH}/V=${words}`];
  const spliced = Int32Array.from(ids, (id, row) => (row < 196 ? -1 - row : id));
  return [
    { kernel: "BasicEmbedding", sizes, inputs: { table }, attrs: { ids }, readBytes: rows },
    {
      kernel: "BasicSplice",
      sizes: `${sizes}/N=196`,
      inputs: { table, visual: at([196, WIDTH]) },
      attrs: { ids: spliced },
      parameters: ["visual"],
      readBytes: rows,
    },
    {
      kernel: "BasicRowGather",
      sizes: `R=512/D=${WIDTH}/n=256`,
      inputs: { x: at([512, WIDTH]) },
      attrs: { rows: rowNumbers(256, 512) },
      readBytes: rows / 2,
    },
    {
      kernel: "BasicScatterAddRows",
      sizes: `R=512/D=${WIDTH}/n=256`,
      inputs: { dy: at([256, WIDTH]) },
      attrs: { rows: rowNumbers(256, 512), height: 512 },
    },
    {
      kernel: "BasicPackedEmbedding",
      sizes: `R=512/D=${WIDTH}/V=${words}, bf16`,
      inputs: { table: packed(words, WIDTH) },
      attrs: { storage: "bf16", height: words, width: WIDTH, ids: ids },
      readBytes: rows / 2,
    },
  ];
};

const attentionCases = () => {
  const [rows, half] = [128, 64];
  const [q, k] = [at([rows, WIDTH]), at([rows, KV_HEADS * HEAD_WIDTH])];
  const offsets = Int32Array.of(0, half, rows);
  const scores = { scale: HEAD_WIDTH ** -0.5, window: 0, softcap: 0 };
  const attrs = {
    qOffsets: offsets,
    kvOffsets: offsets,
    heads: HEADS,
    kvHeads: KV_HEADS,
    causal: true,
    ...scores,
  };
  const received = {
    countsAsText: Int32Array.from({ length: rows }, (_, row) => (row % half < 32 ? 0 : 1)),
    receiveFrom: Int32Array.from({ length: rows }, (_, row) => (row < half ? 32 : half + 32)),
  };
  const sizes = `2 samples/R=${rows}/H=${HEADS}/G=${KV_HEADS}/w=${HEAD_WIDTH}`;
  const inputs = { q, k, v: k };
  const buffer = at([1, 512, KV_HEADS * HEAD_WIDTH]);
  const row = at([1, KV_HEADS * HEAD_WIDTH]);
  const cached = {
    offsets: Int32Array.of(0, 1),
    starts: Int32Array.of(400),
    heads: HEADS,
    kvHeads: KV_HEADS,
    ...scores,
  };
  return [
    { kernel: "BasicAttention", sizes, inputs, attrs },
    { kernel: "BasicAttentionReceived", sizes, inputs, attrs: { ...attrs, ...received } },
    {
      kernel: "BasicAttentionBackward",
      sizes,
      inputs: { dy: q, ...inputs, y: q, logSumExp: at([rows, HEADS], { positive: true, scale: 8 }) },
      attrs,
    },
    {
      kernel: "BasicCachedAttention",
      sizes: `1 row after 400/H=${HEADS}/G=${KV_HEADS}/w=${HEAD_WIDTH}`,
      inputs: { q: at([1, WIDTH]), k: row, v: row, keys: buffer, values: buffer },
      attrs: cached,
      readBytes: 4 * (WIDTH + 2 * 401 * KV_HEADS * HEAD_WIDTH),
      writtenBytes: 4 * (WIDTH + 2 * KV_HEADS * HEAD_WIDTH),
    },
    decoderBlockCase(buffer, cached),
  ];
};

function decoderBlockCase(buffer, cached) {
  const { scale: rotaryScale, ...positions } = turns(1, 400);
  const names = Object.keys(MATRICES);
  const matrices = names.map((name) => [name, weight(MATRICES[name], name === "down" ? INNER : WIDTH)]);
  const weights = matrices.reduce((sum, [, { shape }]) => sum + shape[0] * shape[1], 0);
  return {
    kernel: "BasicDecoderBlock",
    sizes: `1 row after 400/D=${WIDTH}`,
    inputs: {
      x: at([1, WIDTH]),
      keys: buffer,
      values: buffer,
      attentionNorm: at([WIDTH]),
      mlpNorm: at([WIDTH]),
      ...Object.fromEntries(matrices),
    },
    attrs: {
      ...cached,
      ...positions,
      rotaryScale,
      headWidth: HEAD_WIDTH,
      inner: INNER,
      epsilon: 1e-5,
      addOne: false,
      activation: "silu",
      ...Object.fromEntries(names.map((name) => [`${name}Storage`, "f32"])),
    },
    readBytes: 4 * (weights + 3 * WIDTH + 2 * 400 * KV_HEADS * HEAD_WIDTH),
    writtenBytes: 4 * (WIDTH + 2 * KV_HEADS * HEAD_WIDTH),
  };
}

/** Losses over the whole vocabulary, called as in the rows of before. */
function vocabularyCase(kernel, { rows, width = WIDTH, words = WORDS }) {
  const [x, vocabulary] = [at([rows, width]), at([words, width])];
  const sizes = `D=${width}/V=${words}/R=${rows}`;
  const attrs = { chunkBytes: CHUNK_BYTES, withSlope: true };
  if (kernel === "BasicLinearKl") {
    const inputs = { v: x, r: x, vocabulary, a: positive([rows]) };
    return { kernel, title: `linear-kl/${sizes}`, inputs, attrs, parameters: ["v"] };
  }
  return {
    kernel,
    title: `linear-cross-entropy/${sizes}`,
    inputs: { x, weight: vocabulary },
    attrs: { ...attrs, labels: rowNumbers(rows, words), softcap: 0 },
    parameters: ["x"],
  };
}

const vocabularyCases = () => {
  const { width, words, rows } = QUICK;
  const sizes = `D=${width}/V=${words}/R=${rows}`;
  const [row, each, table] = [at([rows, width]), positive([rows]), at([words, width])];
  const lse = at([rows], { positive: true, scale: 12 });
  return [
    ...["BasicLinearCrossEntropy", "BasicLinearKl"].flatMap((kernel) => [
      { ...vocabularyCase(kernel, { rows: 16 }), mode: "forward + gradient" },
      { ...vocabularyCase(kernel, { rows: 256 }), mode: "forward + gradient", imagined: true },
      vocabularyCase(kernel, QUICK),
    ]),
    {
      kernel: "BasicLinearCrossEntropyBackward",
      sizes,
      inputs: { dloss: each, x: row, weight: table, logSumExp: lse },
      attrs: {
        labels: rowNumbers(rows, words),
        softcap: 0,
        chunkBytes: CHUNK_BYTES,
        needsInput: true,
        needsWeight: true,
      },
    },
    {
      kernel: "BasicLinearKlBackward",
      sizes,
      inputs: { dloss: each, v: row, r: row, vocabulary: table, a: each, kl: each, lseV: lse, lseR: lse },
      attrs: { chunkBytes: CHUNK_BYTES, needsRefined: true },
    },
  ];
};

const lossCases = () => {
  const [row, each, sizes] = [at([128, WIDTH]), positive([128]), `R=128/D=${WIDTH}`];
  const inputs = { v: row, r: row, a: each };
  return [
    { kernel: "BasicDirection", sizes, inputs },
    {
      kernel: "BasicDirectionBackward",
      sizes,
      inputs: { dloss: each, ...inputs },
      attrs: { needsRefined: true },
    },
  ];
};

const updateCases = () => {
  const shapes = [[384, WIDTH], [WIDTH, WIDTH], [WIDTH]];
  const sizes = shapes.map((shape) => shape.join(" x ")).join(", ");
  const each = (make) => Object.fromEntries(shapes.flatMap(make));
  return [
    { kernel: "BasicSquaredNorm", sizes, inputs: each((shape, i) => [[`x${i}`, at(shape)]]) },
    {
      kernel: "BasicAdamw",
      sizes,
      inputs: {
        ...each((shape, i) => [
          [`parameter${i}`, at(shape)],
          [`gradient${i}`, at(shape)],
          [`m${i}`, at(shape, { scale: 0.1 })],
          [`v${i}`, positive(shape)],
        ]),
        control: at([2], { values: Float32Array.of(1, 1) }),
      },
      attrs: {
        learningRates: Float64Array.of(1e-3, 1e-3, 1e-3),
        weightDecays: Float64Array.of(0.01, 0.01, 0),
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        step: 7,
        moments: "float32",
      },
    },
  ];
};

/**
 * `kernel`: name of a contract; `inputs`: shapes and values; `parameters`: what is differentiated, all that can be unless
 * it is said; `results`: outputs whose sum is the loss; `readBytes`, `writtenBytes`: where not all of the tensors are;
 * `mode`: the only one that is run; `imagined`: for dispatches and memory alone, at sizes that would take long, unless
 * `--long` asks for them.
 */
export function kernelCases() {
  const cases = [
    linearCases,
    elementCases,
    normCases,
    rowCases,
    attentionCases,
    vocabularyCases,
    lossCases,
    updateCases,
  ].flatMap((make) => make());
  return cases.map((one) => ({
    attrs: {},
    results: [0],
    imagined: false,
    title: `${one.kernel}/${one.sizes}`,
    ...one,
  }));
}
