import {
  layerWeights,
  type Normalise,
  normalisePatchWeights,
  type VisualLoss,
  type VisualSpan,
  type VisualView,
  valueAndGradients,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import type { GoldenCase } from "./golden-case.js";
import { type LossOptions, lossesOf, lossOptionsOf, refine } from "./loss-options.js";

/** Segments of a sample: `["t", n]` text, `["i", n]` one image. */
type Layout = readonly (readonly (readonly ["t" | "i", number])[])[];

/** An image in a padded batch. */
interface PaddedImage {
  readonly sample: number;
  /** Position in the sequence. */
  readonly position: number;
  readonly length: number;
}

/** Whole sequences: the packer's work is done here, then the losses run as in training. */
export async function checkBatch(golden: GoldenCase): Promise<void> {
  golden.allowFields("options", "layout");
  const options = lossOptionsOf(golden);
  const images = paddedImages(golden.record["layout"] as Layout);
  const rows = images.flatMap(({ sample, position, length }) =>
    Array.from({ length }, (_, i) => ({ sample, position: position + i, end: position + length })),
  );
  const view = packedView(golden, { images, rows, options });
  const losses = lossesOf(options);
  const samples = [...new Set(images.map(({ sample }) => sample))];
  for (const [name, loss] of Object.entries(losses)) {
    const { value, gradients } = valueAndGradients(
      () => tf.div(loss.compute(view).sum, samples.length) as tf.Scalar,
      [view.initial],
    );
    await golden.compareTensor(`out.${name}`, value);
    const gradient = await (gradients[0] as tf.Tensor).data();
    golden.compare(`grad.inputs.${name}`, scatterRows(golden, rows, gradient as Float32Array));
  }
  for (const sample of samples) await checkSample(golden, sample, { view, losses, mode: options.normalize });
}

/** Values of one sample alone. */
async function checkSample(
  golden: GoldenCase,
  sample: number,
  run: { view: VisualView; losses: Record<string, VisualLoss>; mode: Normalise },
): Promise<void> {
  const { view, losses } = run;
  const spans = view.images.filter((image) => image.sample === sample);
  const start = spans[0]?.start ?? 0;
  const length = spans.reduce((sum, span) => sum + span.length, 0);
  const rowsOf = (x: tf.Tensor2D): tf.Tensor2D => tf.slice(x, [start, 0], [length, -1]);
  const alone: VisualView = {
    ...view,
    images: spans.map((span) => ({ ...span, start: span.start - start })),
    initial: rowsOf(view.initial),
    refined: rowsOf(view.refined as tf.Tensor2D),
    patchWeights: tf.slice(view.patchWeights as tf.Tensor1D, [start], [length]),
  };
  const raw = alone.patchWeights as tf.Tensor1D;
  await golden.compareTensor(`out.sample${sample}.a_raw`, raw);
  await golden.compareTensor(`out.sample${sample}.a`, normalisePatchWeights(raw, alone.images, run.mode));
  await golden.compareTensor(`out.sample${sample}.vhat`, alone.refined as tf.Tensor2D);
  for (const [name, loss] of Object.entries(losses)) {
    await golden.compareTensor(`out.sample${sample}.${name}`, loss.compute(alone).sum);
  }
}

function paddedImages(layout: Layout): readonly PaddedImage[] {
  return layout.flatMap((segments, sample) => {
    let position = 0;
    return segments.flatMap(([kind, length]) => {
      if (kind !== "t" && kind !== "i") throw new Error(`unknown segment "${String(kind)}"`);
      const image = { sample, position, length };
      position += length;
      return kind === "i" ? [image] : [];
    });
  });
}

interface PaddedRow {
  readonly sample: number;
  readonly position: number;
  /** Position after the row's own image. */
  readonly end: number;
}

function packedView(
  golden: GoldenCase,
  {
    images,
    rows,
    options,
  }: { images: readonly PaddedImage[]; rows: readonly PaddedRow[]; options: LossOptions },
): VisualView {
  const [k, B, S, D] = golden.shape("in.hidden") as [number, number, number, number];
  const hidden = golden.floats("in.hidden");
  const blocks = Array.from({ length: k }, (_, i) =>
    gatherRows(hidden.subarray(i * B * S * D, (i + 1) * B * S * D), rows, { S, D }),
  );
  const stacked = tf.tensor3d(
    blocks.flatMap((block) => [...block]),
    [k, rows.length, D],
  );
  let start = 0;
  const spans: VisualSpan[] = images.map(({ sample, length }) => {
    const span = { sample, start, length };
    start += length;
    return span;
  });
  return {
    initial: tf.tensor2d(gatherRows(golden.floats("in.inputs"), rows, { S, D }), [rows.length, D]),
    images: spans,
    refined: refine(stacked, layerWeights(k, options.scheme)),
    patchWeights: tf.tensor1d(rows.map((row) => attentionTo(golden, row))),
    vocabulary: golden.tensor("in.table") as tf.Tensor2D,
  };
}

/** Rows `[N, D]` of a padded `[B, S, D]`. */
function gatherRows(
  values: Float32Array,
  rows: readonly PaddedRow[],
  { S, D }: { S: number; D: number },
): Float32Array {
  const gathered = new Float32Array(rows.length * D);
  for (const [i, { sample, position }] of rows.entries()) {
    const from = (sample * S + position) * D;
    gathered.set(values.subarray(from, from + D), i * D);
  }
  return gathered;
}

function scatterRows(golden: GoldenCase, rows: readonly PaddedRow[], values: Float32Array): Float32Array {
  const [B, S, D] = golden.shape("in.inputs") as [number, number, number];
  const padded = new Float32Array(B * S * D);
  for (const [i, { sample, position }] of rows.entries()) {
    padded.set(values.subarray(i * D, (i + 1) * D), (sample * S + position) * D);
  }
  return padded;
}

/** Mean over blocks, heads and the valid text rows after the image of the attention to a row. */
function attentionTo(golden: GoldenCase, { sample, position, end }: PaddedRow): number {
  const [k, B, n, S] = golden.shape("in.attn") as [number, number, number, number];
  const attention = golden.floats("in.attn");
  const valid = golden.floats("in.attention_mask");
  const image = golden.floats("in.image_mask");
  const queries = Array.from({ length: S - end }, (_, i) => end + i).filter(
    (t) => valid[sample * S + t] === 1 && image[sample * S + t] === 0,
  );
  let sum = 0;
  for (let block = 0; block < k; block++) {
    for (let head = 0; head < n; head++) {
      for (const t of queries) {
        sum += attention[(((block * B + sample) * n + head) * S + t) * S + position] as number;
      }
    }
  }
  return queries.length === 0 ? 0 : sum / (k * n * queries.length);
}
