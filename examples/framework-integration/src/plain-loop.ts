import { createDirectionLoss, createDistributionLoss, layerWeights, startBackend } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

// Somebody else's model and loop: padded [B, T, D] tensors, tf.variables, tf.variableGrads and plain SGD with
// momentum. Only `createDirectionLoss`, `createDistributionLoss` and `layerWeights` come from basic-mllm.

const [PICTURES, PATCHES, FEATURES, WIDTH, WORDS, BLOCKS] = [16, 4, 8, 16, 5, 2];
const ROWS = PATCHES + 1; // four patches, then the token that asks what they show
const ASK = 4;

/** Losses of one step. */
export interface StepLosses {
  readonly language: number;
  readonly direction: number;
  readonly distribution: number;
}

const losses = {
  direction: createDirectionLoss({ normalise: "sum" }),
  distribution: createDistributionLoss({ normalise: "sum" }),
};

/** Trains for some steps with λ = `strength` for both of BASIC's losses, and returns the losses of each step. */
export async function runPlainLoop(steps: number, strength: number): Promise<readonly StepLosses[]> {
  await startBackend("cpu");
  const weights = createWeights();
  const variables = Object.values(weights);
  const momenta = tf.tidy(() => variables.map((variable) => tf.variable(tf.zerosLike(variable), false)));
  const history: StepLosses[] = [];
  for (let step = 0; step < steps; step++) {
    const seen: Partial<Record<keyof StepLosses, tf.Scalar>> = {};
    const { value, grads } = tf.variableGrads(() => {
      const parts = forward(weights, step);
      for (const [name, loss] of Object.entries(parts))
        seen[name as keyof StepLosses] = tf.keep(tf.clone(loss));
      const { language, direction, distribution } = parts;
      return tf.add(language, tf.mul(tf.add(direction, distribution), strength)) as tf.Scalar;
    }, variables);
    for (const [i, variable] of variables.entries()) update(variable, momenta[i], grads[variable.name]);
    history.push(await readLosses(seen));
    tf.dispose([value, grads]);
  }
  tf.dispose([variables, momenta]);
  return history;
}

/** Their model: projector, embedding table and two blocks of attention. Returns their loss, and BASIC's two. */
function forward(weights: Weights, step: number): Record<keyof StepLosses, tf.Scalar> {
  const { features, targets } = pictures(step);
  const initial = tf.matMul(features, weights.projector); // [B · P, D]
  const ask = tf.tile(tf.slice(weights.table, [ASK, 0], [1, WIDTH]), [PICTURES, 1]);
  const visual = tf.reshape(initial, [PICTURES, PATCHES, WIDTH]);
  let x: tf.Tensor = tf.concat([visual, tf.reshape(ask, [PICTURES, 1, WIDTH])], 1); // [B, T, D]
  let refined: tf.Tensor = tf.zerosLike(visual);
  let received: tf.Tensor = tf.zeros([PICTURES, PATCHES]);
  for (const [i, share] of layerWeights(BLOCKS, "increasing").entries()) {
    const { output, attention } = block(x, weights.blocks, i);
    x = output;
    refined = tf.add(refined, tf.mul(tf.slice(x, [0, 0, 0], [PICTURES, PATCHES, WIDTH]), share));
    const toPatches = tf.slice(attention, [0, PATCHES, 0], [PICTURES, 1, PATCHES]);
    received = tf.add(received, tf.div(tf.reshape(toPatches, [PICTURES, PATCHES]), BLOCKS));
  }
  const last = tf.reshape(tf.slice(x, [0, PATCHES, 0], [PICTURES, 1, WIDTH]), [PICTURES, WIDTH]);
  const logits = tf.matMul(last, weights.table, false, true);
  const language = tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(logits), targets), -1)));

  // All that BASIC needs to see: rows of the pictures before and after the shallow blocks, and who looked at them.
  const view = {
    initial: initial as tf.Tensor2D,
    refined: tf.reshape(refined, [-1, WIDTH]) as tf.Tensor2D,
    patchWeights: tf.reshape(received, [-1]) as tf.Tensor1D,
    vocabulary: weights.table as tf.Tensor2D,
    images: Array.from({ length: PICTURES }, (_, i) => ({ sample: i, start: i * PATCHES, length: PATCHES })),
  };
  const perPicture = (sum: tf.Scalar): tf.Scalar => tf.div(sum, PICTURES);
  return {
    language: language as tf.Scalar,
    direction: perPicture(losses.direction.compute(view).sum),
    distribution: perPicture(losses.distribution.compute(view).sum),
  };
}

/** One head of causal attention with a residual. Its weights: rows `2iD ..` for the queries, then the values. */
function block(x: tf.Tensor, weights: tf.Variable, i: number): { output: tf.Tensor; attention: tf.Tensor } {
  const times = (row: number): tf.Tensor => {
    const weight = tf.slice(weights, [row * WIDTH, 0], [WIDTH, WIDTH]) as tf.Tensor2D;
    return tf.reshape(tf.matMul(tf.reshape(x, [-1, WIDTH]) as tf.Tensor2D, weight), x.shape);
  };
  const scores = tf.div(tf.matMul(times(2 * i), x, false, true), Math.sqrt(WIDTH)); // [B, T, T]
  const future = Array.from({ length: ROWS * ROWS }, (_, at) =>
    at % ROWS > Math.floor(at / ROWS) ? -1e9 : 0,
  );
  const attention = tf.softmax(tf.add(scores, tf.tensor(future, [1, ROWS, ROWS])));
  return { output: tf.add(x, tf.matMul(attention, times(2 * i + 1))), attention };
}

/** Momentum 0.9, learning rate 0.05: no optimizer of ours. */
function update(
  variable: tf.Variable,
  momentum: tf.Variable | undefined,
  gradient: tf.Tensor | undefined,
): void {
  if (momentum === undefined || gradient === undefined) throw new Error(`${variable.name} has no gradient`);
  tf.tidy(() => {
    momentum.assign(tf.add(tf.mul(momentum, 0.9), gradient));
    variable.assign(tf.sub(variable, tf.mul(momentum, 0.05)));
  });
}

type Weights = ReturnType<typeof createWeights>;

function createWeights() {
  const random = (name: string, shape: [number, number], seed: number) =>
    tf.tidy(() => tf.variable(tf.randomNormal(shape, 0, 0.3, "float32", seed), true, name));
  return {
    projector: random("projector", [FEATURES, WIDTH], 1),
    table: random("table", [WORDS, WIDTH], 2),
    blocks: random("blocks", [2 * BLOCKS * WIDTH, WIDTH], 3),
  };
}

/** Four kinds of pictures: each patch is the kind's pattern and noise. `features` `[B · P, F]`, `targets` one-hot `[B, V]`. */
function pictures(step: number): { features: tf.Tensor2D; targets: tf.Tensor2D } {
  const labels = Array.from({ length: PICTURES }, (_, i) => (i + step) % 4);
  const values = labels.flatMap((label) =>
    Array.from({ length: PATCHES * FEATURES }, (_, i) => (i % FEATURES === label ? 2 : 0)),
  );
  const noise = tf.randomNormal([PICTURES * PATCHES, FEATURES], 0, 0.2, "float32", step + 1);
  return {
    features: tf.add(tf.tensor2d(values, [PICTURES * PATCHES, FEATURES]), noise) as tf.Tensor2D,
    targets: tf.tensor2d(labels.map((label) => Array.from({ length: WORDS }, (_, i) => Number(i === label)))),
  };
}

async function readLosses(seen: Partial<Record<keyof StepLosses, tf.Scalar>>): Promise<StepLosses> {
  const read = async (tensor: tf.Scalar | undefined): Promise<number> => {
    const [value = Number.NaN] = (await tensor?.data()) ?? [];
    tensor?.dispose();
    return value;
  };
  return {
    language: await read(seen.language),
    direction: await read(seen.direction),
    distribution: await read(seen.distribution),
  };
}
