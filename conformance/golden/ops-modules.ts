import {
  bicubicWeights,
  createProjector,
  createVit,
  type Parameter,
  siglipConfig,
  type ValueSource,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { checkComputation, inputsOf, lookUp, variantOf } from "./differentiate.js";
import type { GoldenCase } from "./golden-case.js";

/** Ops that are parts of models, run with the case's weights. */
export const moduleOps: Readonly<Record<string, (golden: GoldenCase) => Promise<void>>> = {
  projector: checkProjector,
  patch_embed: checkPatchEmbedding,
  position_interpolation: checkInterpolation,
};

const projectorNames: Readonly<Record<string, string>> = {
  linear: "linear",
  mlp2x_gelu: "mlp2x_gelu",
  pixel_shuffle_x2: "pixel-shuffle",
};

async function checkProjector(golden: GoldenCase): Promise<void> {
  golden.allowFields("factor");
  const name = lookUp(projectorNames, variantOf(golden), "projector");
  const [images, rows, features] = golden.shape("in.x") as [number, number, number];
  const factor = (golden.record["factor"] ?? 1) as number;
  const side = Math.sqrt(rows);
  const project = (values: ValueSource, width: number) => {
    const made = createProjector(name, {
      features,
      width,
      values,
      ...(golden.has("in.b1") ? {} : { bias: false }),
      ...(factor > 1 && { factor }),
    });
    const run = (x: tf.Tensor): tf.Tensor => {
      const offsets = Int32Array.from({ length: images + 1 }, (_, i) => i * rows);
      const grids = Array.from({ length: images }, () => [side, side] as const);
      const flat = tf.reshape(x, [images * rows, features]) as tf.Tensor2D;
      return tf.reshape(made.project({ rows: flat, offsets, grids }).rows, [
        images,
        rows / factor ** 2,
        width,
      ]);
    };
    return { made, run };
  };
  const { made, run } = project(weightsOf(golden), golden.shape("out.y")[2] as number);
  const leaves = { ...inputsOf(golden, "x"), ...renamed(made.parameters) };
  const { x } = leaves as { x: tf.Tensor };
  await checkComputation(golden, { leaves, run: () => ({ y: run(x) }) });
  if (golden.has("out.shuffled")) {
    // The shuffled rows themselves: multiplied by the identity.
    const shuffled = project(
      (_, [rows, columns]) => identity(rows as number, columns as number),
      features * factor ** 2,
    );
    await golden.compareTensor("out.shuffled", shuffled.run(x));
  }
}

function identity(rows: number, columns: number): Float32Array {
  return Float32Array.from({ length: rows * columns }, (_, i) =>
    i % columns === Math.floor(i / columns) ? 1 : 0,
  );
}

/** `linear_2.weight` is `in.w2`, its bias `in.b2`. */
function weightsOf(golden: GoldenCase): ValueSource {
  return (name) => golden.floats(`in.${shortName(name)}`);
}

function renamed(parameters: Iterable<Parameter>): Record<string, tf.Tensor> {
  return Object.fromEntries([...parameters].map(({ name, value }) => [shortName(name), value]));
}

function shortName(name: string): string {
  const [layer, kind] = name.split(".") as [string, string];
  return `${kind === "bias" ? "b" : "w"}${layer.slice("linear_".length)}`;
}

const PATCHES = "vision_model.embeddings.patch_embedding";

/** A transformer of which no block is run, with position embeddings of zero. */
async function checkPatchEmbedding(golden: GoldenCase): Promise<void> {
  golden.allowFields("patch");
  const [images, , height, width] = golden.shape("in.x") as [number, number, number, number];
  const patchSize = golden.record["patch"] as number;
  const bias = golden.has("in.bias");
  const values: ValueSource = (name, shape) => {
    if (name.startsWith(PATCHES)) return golden.floats(`in.${name.slice(PATCHES.length + 1)}`);
    return new Float32Array(shape.reduce((size, dimension) => size * dimension, 1));
  };
  const config = siglipConfig({
    imageSize: Math.max(height, width),
    patchSize,
    width: golden.shape("in.weight")[0] as number,
    depth: 1,
    heads: 1,
    inner: 1,
    patchBias: bias,
  });
  const vit = createVit(config, { values, layer: 0 });
  const parameter = (name: string): tf.Tensor => vit.parameters.get(`${PATCHES}.${name}`).value;
  const leaves = {
    ...inputsOf(golden, "x"),
    weight: parameter("weight"),
    ...(bias && { bias: parameter("bias") }),
  };
  const { x } = leaves as unknown as { x: tf.Tensor };
  const run = (): Record<string, tf.Tensor> => {
    const { rows } = vit.encode(tf.transpose(x, [0, 2, 3, 1]) as tf.Tensor4D);
    return { y: tf.reshape(rows, [images, rows.shape[0] / images, rows.shape[1]]) };
  };
  await checkComputation(golden, { leaves, run });
}

async function checkInterpolation(golden: GoldenCase): Promise<void> {
  golden.allowFields();
  const [, D, h, w] = golden.shape("in.table") as [number, number, number, number];
  const [, , height, width] = golden.shape("out.y") as [number, number, number, number];
  const weights = tf.tensor2d(bicubicWeights([h, w], [height, width]), [height * width, h * w]);
  const leaves = inputsOf(golden, "table");
  const { table } = leaves as { table: tf.Tensor };
  const run = (): Record<string, tf.Tensor> => {
    const rows = tf.transpose(tf.reshape(table, [D, h * w]));
    return { y: tf.reshape(tf.transpose(tf.matMul(weights, rows)), [1, D, height, width]) };
  };
  await checkComputation(golden, { leaves, run });
}
