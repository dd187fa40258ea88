import { copyProjector, createProjector, type Parameter, type ValueSource } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { checkComputation } from "./differentiate.js";
import type { GoldenCase } from "./golden-case.js";
import { type Check, caseCheck, readIndex } from "./runner.js";

/** Projectors with the weights of the originals' checkpoints: forward values and gradients. */
export function projectorFamily(folder: string): readonly Check[] {
  return readIndex(folder).map((record) => caseCheck(folder, record, checkProjector));
}

async function checkProjector(golden: GoldenCase): Promise<void> {
  golden.allowFields("projector", "options", "grid");
  const [images, rows, features] = golden.shape("in.x") as [number, number, number];
  const [, rowsAfter, width] = golden.shape("out.y") as [number, number, number];
  const grid = golden.record["grid"] as readonly [number, number];
  const values: ValueSource = (name) => golden.floats(`in.${originalName(name)}`);
  const made = createProjector(String(golden.record["projector"]), {
    ...(golden.record["options"] as object),
    features,
    width,
    patches: grid,
    ...(golden.has("in.table") ? { vocabulary: golden.tensor("in.table") as tf.Tensor2D } : { values }),
  });
  // The table of a vocabulary is taken when it is made; all other weights are the case's.
  if (golden.has("in.table")) fill(made.parameters, values);
  const again = copyProjector(made, await valuesOf(made.parameters));
  const x = golden.tensor("in.x");
  const run = (): Record<string, tf.Tensor> => {
    const flat = tf.reshape(x, [images * rows, features]) as tf.Tensor2D;
    const offsets = Int32Array.from({ length: images + 1 }, (_, i) => i * rows);
    const projected = again.project({
      rows: flat,
      offsets,
      grids: Array.from({ length: images }, () => grid),
    });
    return { y: tf.reshape(projected.rows, [images, rowsAfter, width]) };
  };
  const trained = [...again.parameters].filter(({ constant }) => !constant);
  const leaves = Object.fromEntries(trained.map(({ name, value }) => [originalName(name), value]));
  await checkComputation(golden, { leaves: { x, ...leaves }, run });
  made.parameters.dispose();
  again.parameters.dispose();
}

/** Prismatic numbers the members of its sequence, GELUs included. */
function originalName(name: string): string {
  const [, layer, part] = /^linear_(\d+)\.(.+)$/.exec(name) ?? [];
  return layer === undefined ? name : `projector.${2 * (Number(layer) - 1)}.${part}`;
}

function fill(parameters: Iterable<Parameter>, values: ValueSource): void {
  for (const parameter of parameters) {
    if (parameter.constant) continue;
    const { name, shape } = parameter;
    parameter.assign(tf.tensor(values(name, shape, "weight"), [...shape]));
  }
}

async function valuesOf(parameters: Iterable<Parameter>): Promise<ValueSource> {
  const byName = new Map<string, Float32Array>();
  for (const { name, value } of parameters) byName.set(name, await value.data<"float32">());
  return (name) => byName.get(name) ?? new Float32Array();
}
