import {
  type LayerWeightScheme,
  layerWeights,
  normalisePatchWeights,
  supervisedDepth,
  type VisualLoss,
  type VisualLossResult,
  type VisualView,
  valueAndGradients,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import type { GoldenCase } from "./golden-case.js";
import { lossesOf, lossOptionsOf, refine } from "./loss-options.js";
import { checkBatch } from "./losses-batch.js";
import { type Check, caseCheck, jsonCheck, readIndex } from "./runner.js";

/** λ₂ of `out.total`. */
const DISTRIBUTION_WEIGHT = 0.01;

/** BASIC's losses on plain tensors. */
export function lossFamily(folder: string): readonly Check[] {
  const cases = readIndex(folder).map((record) =>
    caseCheck(folder, record, (golden) => {
      if (record["kind"] === undefined) return checkPlain(golden);
      if (record["kind"] === "batch") return checkBatch(golden);
      throw new Error(`unknown kind "${record["kind"]}"`);
    }),
  );
  return [...cases, ...jsonCheck(folder, "layer_weights.json", layerWeightDifferences)];
}

async function checkPlain(golden: GoldenCase): Promise<void> {
  golden.allowFields("options", "sizes", "skip_grad_rows");
  const options = lossOptionsOf(golden);
  const skipped = (golden.record["skip_grad_rows"] ?? []) as readonly number[];
  const [k, N, D] = golden.shape("in.hidden") as [number, number, number];
  const weights = layerWeights(k, options.scheme);
  golden.compare("out.layer_weights", weights);
  const raw = attentionShare(golden);
  golden.compare("out.a_raw", raw);
  const images = [{ sample: 0, start: 0, length: N }];
  const patchWeights = tf.tensor1d(raw);
  await golden.compareTensor("out.a", normalisePatchWeights(patchWeights, images, options.normalize));
  const initial = golden.tensor("in.v") as tf.Tensor2D;
  const hidden = golden.tensor("in.hidden") as tf.Tensor3D;
  await golden.compareTensor("out.vhat", refine(hidden, weights));
  const view = (): VisualView => ({
    initial,
    images,
    refined: refine(hidden, weights),
    patchWeights,
    vocabulary: golden.tensor("in.table") as tf.Tensor2D,
  });
  await checkLossValues(golden, lossesOf(options), view);
  const leaves = golden.has("grad.hidden.das") ? { v: initial, hidden } : { v: initial };
  await checkGradients(golden, { losses: lossesOf(options), view, leaves }, (leaf, i) =>
    leaf === "v" ? skipped.includes(Math.floor(i / D)) : false,
  );
}

async function checkLossValues(
  golden: GoldenCase,
  losses: { readonly das: VisualLoss; readonly sds: VisualLoss },
  view: () => VisualView,
): Promise<void> {
  const das = losses.das.compute(view());
  const sds = losses.sds.compute(view());
  await golden.compareTensor("out.das_terms", das.perRow as tf.Tensor);
  await golden.compareTensor("out.sds_terms", sds.perRow as tf.Tensor);
  await golden.compareTensor("out.das", das.sum);
  await golden.compareTensor("out.sds", sds.sum);
  await golden.compareTensor("out.total", totalOf(das, sds));
}

async function checkGradients(
  golden: GoldenCase,
  run: {
    readonly losses: { readonly das: VisualLoss; readonly sds: VisualLoss };
    readonly view: () => VisualView;
    readonly leaves: Readonly<Record<string, tf.Tensor>>;
  },
  ignore: (leaf: string, index: number) => boolean,
): Promise<void> {
  const { losses, view, leaves } = run;
  const totals: Record<string, () => tf.Scalar> = {
    das: () => losses.das.compute(view()).sum,
    sds: () => losses.sds.compute(view()).sum,
    total: () => {
      const seen = view();
      return totalOf(losses.das.compute(seen), losses.sds.compute(seen));
    },
  };
  for (const [name, loss] of Object.entries(totals)) {
    const { gradients } = valueAndGradients(loss, Object.values(leaves));
    for (const [i, leaf] of Object.keys(leaves).entries()) {
      const gradient = gradients[i] as tf.Tensor;
      await golden.compareTensor(`grad.${leaf}.${name}`, gradient, { ignore: (at) => ignore(leaf, at) });
    }
  }
}

function totalOf(das: VisualLossResult, sds: VisualLossResult): tf.Scalar {
  return tf.add(das.sum, tf.mul(sds.sum, DISTRIBUTION_WEIGHT));
}

/** a_raw from attention probabilities `in.attn [k, n, T, N]` of the text rows in `in.query_mask [T]`. */
function attentionShare(golden: GoldenCase): Float32Array {
  const [k, n, T, N] = golden.shape("in.attn") as [number, number, number, number];
  const attention = golden.floats("in.attn");
  const mask = golden.floats("in.query_mask");
  const rows = mask.reduce((sum, value) => sum + value, 0);
  const share = new Float64Array(N);
  for (const [i, probability] of attention.entries()) {
    const t = Math.floor(i / N) % T;
    if (mask[t] === 1) share[i % N] = (share[i % N] as number) + probability / (k * n * rows);
  }
  return Float32Array.from(share);
}

interface LayerWeightFile {
  readonly layer_weights: readonly {
    readonly k: number;
    readonly scheme: LayerWeightScheme;
    readonly weights: readonly number[];
  }[];
  readonly num_layers: readonly (readonly [blocks: number, k: number])[];
}

function layerWeightDifferences(file: LayerWeightFile): readonly { label: string; error: number }[] {
  const weights = file.layer_weights.flatMap(({ k, scheme, weights: expected }) =>
    layerWeights(k, scheme).map((weight, i) => ({
      label: `w_${i + 1} of k = ${k}, ${scheme}`,
      error: Math.abs(weight - (expected[i] ?? Number.NaN)),
    })),
  );
  const depths = file.num_layers.map(([blocks, k]) => ({
    label: `k of ${blocks} blocks`,
    error: Math.abs(supervisedDepth(blocks) - k),
  }));
  return [...weights, ...depths];
}
