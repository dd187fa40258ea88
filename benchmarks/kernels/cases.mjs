// The kernel cases: three losses and kernels whose memory must not grow with the vocabulary, nor with rows squared.

/** D of every case, and the heads of attention. */
export const WIDTH = 128;
export const HEADS = 4;

const WORDS = [2_000, 32_000, 151_936];
const ROWS = [128, 512, 2048];

const overWords = (kernel, mode) =>
  WORDS.flatMap((words) =>
    ROWS.map((rows) => ({ name: `${kernel}/V=${words}/R=${rows}`, mode, kernel, words, rows })),
  );

/** Every kernel case. `mode` says what a step does with it. */
export const kernelCases = [
  ...overWords("linear-kl", "forward + gradient of v"),
  ...overWords("linear-cross-entropy", "forward + gradient of x"),
  ...overWords("linear-cross-entropy-trained", "forward + gradients of x and W"),
  ...ROWS.map((rows) => ({
    name: `attention/R=${rows}`,
    mode: "forward + gradients",
    kernel: "attention",
    words: 0,
    rows,
  })),
];
