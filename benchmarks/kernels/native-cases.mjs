// Calls of the native addon at the shapes of the quickstart and of larger models: `open(addon)` gives the call.
const NONE = new Float32Array(0);

/** Values that are cheap to make, between -1 and 1. */
function values(length, seed) {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
}

const zeros = (length) => new Float32Array(length);

/** Rows of 16 samples of the quickstart. */
const SAMPLES = [34, 47, 39, 60, 30, 42, 51, 38, 45, 33, 57, 36, 40, 49, 31, 44];

/** Offsets of rows that are packed one sample after the other. */
function offsetsOf(lengths) {
  let end = 0;
  return Int32Array.from([0, ...lengths.map((length) => (end += length))]);
}

function attentionCase(name, { queries, keys = queries, heads, keyHeads = heads, headWidth }, pass) {
  const open = (addon) => {
    const [queryOffsets, keyOffsets] = [offsetsOf(queries), offsetsOf(keys)];
    const rows = queryOffsets.at(-1) * heads;
    const [q, dy] = [1, 4].map((seed) => values(rows * headWidth, seed));
    const [k, v] = [2, 3].map((seed) => values(keyOffsets.at(-1) * keyHeads * headWidth, seed));
    const scale = 1 / Math.sqrt(headWidth);
    const layout = {
      queryOffsets,
      keyOffsets,
      heads,
      keyHeads,
      headWidth,
      scale,
      causal: true,
      window: 0,
      softcap: 0,
    };
    const [y, lse] = [zeros(q.length), zeros(rows)];
    const counts = Int32Array.from({ length: queryOffsets.at(-1) }, () => 1);
    const from = Int32Array.from({ length: keyOffsets.at(-1) }, (_, i) =>
      i % 3 === 0 ? i + 8 : counts.length,
    );
    const received = zeros(from.length);
    const [dq, dk, dv] = [q, k, v].map(({ length }) => zeros(length));
    addon.attention(q, k, v, layout, y, lse);
    return {
      forward: () => addon.attention(q, k, v, layout, y, lse),
      received: () => addon.attentionReceived(q, k, v, layout, counts, from, y, lse, received),
      backward: () => addon.attentionBackward(dy, q, k, v, y, lse, layout, dq, dk, dv),
    }[pass];
  };
  return { name: `attention/${name}/${pass}`, open };
}

const PASSES = ["forward", "received", "backward"];
const quickstart = { queries: SAMPLES, heads: 4, headWidth: 32 };
const attention = [
  ...PASSES.map((pass) => attentionCase("quickstart", quickstart, pass)),
  ...[128, 512, 1024, 2048].flatMap((rows) =>
    PASSES.map((pass) =>
      attentionCase(`T=${rows}`, { queries: [rows], heads: 9, keyHeads: 3, headWidth: 64 }, pass),
    ),
  ),
  attentionCase(
    "decode/keys=8192",
    { queries: [1], keys: [8192], heads: 9, keyHeads: 3, headWidth: 64 },
    "forward",
  ),
];

/** Whether an addon computes slopes in the forward pass: `call(slope)` then overwrites them. */
function writesSlope(call, length) {
  const slope = zeros(length).fill(Number.NaN);
  call(slope);
  return !Number.isNaN(slope[0]);
}

function klCase(name, { rows, words, width }, pass) {
  const open = (addon) => {
    const [v, r, vocabulary] = [values(rows * width, 1), values(rows * width, 2), values(words * width, 3)];
    const [a, dloss] = [zeros(rows).fill(1), zeros(rows).fill(1)];
    const inputs = { v, r, vocabulary, a, width, chunkBytes: 2 ** 24 };
    const [loss, kl, lseV, lseR] = [0, 1, 2, 3].map(() => zeros(rows));
    const dv = zeros(rows * width);
    const forward = (slope) => addon.linearKl(inputs, loss, kl, lseV, lseR, slope);
    const fused = writesSlope(forward, dv.length);
    return () => {
      forward(pass === "both" && fused ? dv : NONE);
      if (pass === "both" && !fused) addon.linearKlBackward(inputs, dloss, kl, lseV, lseR, dv, NONE);
    };
  };
  return { name: `linear-kl/${name}/${pass}`, open };
}

function crossEntropyCase(name, { rows, words, width }, pass) {
  const open = (addon) => {
    const [x, weight] = [values(rows * width, 1), values(words * width, 2)];
    const labels = Int32Array.from({ length: rows }, (_, row) => (row * 7919) % words);
    const options = { labels, width, softcap: 0, chunkBytes: 2 ** 24 };
    const [loss, lse, dloss] = [zeros(rows), zeros(rows), zeros(rows).fill(1)];
    const [dx, dweight] = [zeros(x.length), pass === "trained" ? zeros(weight.length) : NONE];
    const forward = (slope) => addon.linearCrossEntropy(x, weight, options, loss, lse, slope);
    const fused = writesSlope(forward, dx.length);
    const backward = (into) =>
      addon.linearCrossEntropyBackward(dloss, x, weight, lse, options, into, dweight);
    return {
      forward: () => forward(NONE),
      both: () => {
        forward(fused ? dx : NONE);
        if (!fused) backward(dx);
      },
      trained: () => {
        forward(fused ? dx : NONE);
        backward(fused ? NONE : dx);
      },
    }[pass];
  };
  return { name: `linear-cross-entropy/${name}/${pass}`, open };
}

const SIZES = {
  quickstart: { rows: 256, words: 2000, width: 128 },
  "V=49152,R=256": { rows: 256, words: 49152, width: 576 },
};
const losses = Object.entries(SIZES).flatMap(([name, size]) => [
  ...["forward", "both"].map((pass) => klCase(name, size, pass)),
  ...["forward", "both", "trained"].map((pass) => crossEntropyCase(name, size, pass)),
]);

/** A call on fixed arguments. */
const plain = (name, open) => ({ name, open });
const ROWS = SAMPLES.reduce((sum, rows) => sum + rows);

function elementCases(rows, width, hidden, size) {
  const [x, dy, weight] = [values(rows * width, 1), values(rows * width, 2), values(width, 3)];
  const [gate, up, dh] = [4, 5, 6].map((seed) => values(rows * hidden, seed));
  const [y, inverse, dweight] = [zeros(x.length), zeros(rows), zeros(width)];
  const [h, dgate, dup] = [1, 2, 3].map(() => zeros(gate.length));
  const positions = Int32Array.from({ length: rows }, (_, row) => row % 47);
  const frequencies = Float32Array.from({ length: 16 }, (_, i) => 10_000 ** (-i / 16));
  const whole = Int32Array.of(x.length, 1, 1);
  return [
    plain(`add/${size}`, (addon) => () => addon.binary(0, x, dy, y, whole)),
    plain(`rms-norm/${size}`, (addon) => () => addon.rmsNorm(x, weight, 1e-6, false, y, inverse)),
    plain(`rms-norm-backward/${size}`, (addon) => {
      addon.rmsNorm(x, weight, 1e-6, false, y, inverse);
      return () => addon.rmsNormBackward(dy, x, weight, inverse, false, y, dweight);
    }),
    plain(
      `rotary/${size}`,
      (addon) => () => addon.rotary(x, width / 32, positions, frequencies, 1, false, y),
    ),
    plain(`gated-activation/${size}`, (addon) => () => addon.gatedActivation("silu", gate, up, h)),
    plain(
      `gated-activation-backward/${size}`,
      (addon) => () => addon.gatedActivationBackward("silu", dh, gate, up, dgate, dup),
    ),
  ];
}

/** `y = x Wᵀ` and the two products of its gradients, at the shapes of layers. */
function linearCases(rows, inputs, outputs) {
  const [x, weight, dy] = [rows * inputs, outputs * inputs, rows * outputs].map(values);
  const [y, dx, dw] = [zeros(dy.length), zeros(x.length), zeros(weight.length)];
  const size = `R=${rows},I=${inputs},O=${outputs}`;
  return [
    plain(`linear/${size}`, (addon) => () => addon.linear(x, weight, NONE, rows, inputs, outputs, "none", y)),
    plain(
      `linear-dx/${size}`,
      (addon) => () => addon.matmul(dy, weight, dx, 1, 1, rows, inputs, outputs, false, false),
    ),
    plain(
      `linear-dw/${size}`,
      (addon) => () => addon.matmul(dy, x, dw, 1, 1, outputs, inputs, rows, true, false),
    ),
  ];
}

/** Sizes of the tensors that tiny-s2 trains: a projector and a decoder. */
const TINY = [
  ...[192 * 256, 256, 256 * 256, 256, 4096 * 256],
  ...Array.from({ length: 8 }, () => [
    ...Array(4).fill(256 * 256),
    ...Array(3).fill(256 * 688),
    256,
    256,
  ]).flat(),
  256,
];

const list = (values) => ({ ...values });

/** Calls on parts of a list: a native call takes 15 tensors. */
function inParts(tensors, call) {
  for (let first = 0; first < tensors.length; first += 15) call(tensors.slice(first, first + 15));
}

/** Length of a moment's array, as core's momentShape. */
function wordsOf(moments, length) {
  if (moments === "float32") return length;
  return moments === "bfloat16" ? Math.ceil(length / 2) : Math.ceil(length / 256) + Math.ceil(length / 4);
}

/** A step of AdamW for tensors of these sizes. Builds from before `adamwPacked` take float32 moments, one tensor a call. */
function adamwCase(name, sizes, moments = "float32") {
  const control = Float32Array.of(1, 1);
  const open = (addon) => {
    const packs = moments !== "float32" && addon.adamwPacked !== undefined;
    const tensors = sizes.map((length) => {
      const [parameter, gradient, ...floats] = [1, 4, 2, 3].map((seed) => values(length, seed).map(Math.abs));
      const [m, v] = packs ? [1, 2].map(() => new Int32Array(wordsOf(moments, length))) : floats;
      return { parameter, gradient, m, v };
    });
    if (addon.adamwPacked === undefined) {
      return () => {
        for (const { parameter, gradient, m, v } of tensors)
          addon.adamw(parameter, gradient, m, v, control, 1e-3, 0.9, 0.999, 1e-8, 0.01, 7);
      };
    }
    return () => inParts(tensors, (some) => update(addon, some, { moments, control }));
  };
  return { name: `adamw/${name}`, open };
}

function update(addon, tensors, { moments, control }) {
  const settings = {
    count: tensors.length,
    learningRates: list(tensors.map(() => 1e-3)),
    weightDecays: list(tensors.map(() => 0.01)),
    ...{ beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step: 7 },
  };
  const [parameter, gradient, m, v] = ["parameter", "gradient", "m", "v"].map((name) =>
    list(tensors.map((tensor) => tensor[name])),
  );
  if (moments === "float32") addon.adamw(settings, parameter, gradient, m, v, control);
  else addon.adamwPacked(settings, moments, parameter, gradient, m, v, control);
}

function squaredNormCase(name, sizes) {
  const open = (addon) => {
    const [tensors, sum] = [sizes.map((length, i) => values(length, i + 1)), new Float32Array(1)];
    if (addon.adamwPacked === undefined) {
      return () => {
        for (const x of tensors) addon.squaredNorm(x, sum);
      };
    }
    return () => inParts(tensors, (some) => addon.squaredNorm(some.length, list(some), sum.fill(0)));
  };
  return { name: `squared-norm/${name}`, open };
}

/** Every case. */
export const nativeCases = [
  ...attention,
  ...losses,
  ...elementCases(ROWS, 128, 384, "quickstart"),
  ...elementCases(512, 576, 1536, "R=512,D=576"),
  ...linearCases(800, 128, 384),
  ...linearCases(1536, 256, 688),
  ...linearCases(1536, 688, 256),
  ...linearCases(512, 576, 1536),
  adamwCase("49152", [49_152]),
  adamwCase("4194304", [4_194_304]),
  ...["float32", "bfloat16", "int8"].map((moments) => adamwCase(`tiny-s2/${moments}`, TINY, moments)),
  squaredNormCase("tiny-s2", TINY),
];
