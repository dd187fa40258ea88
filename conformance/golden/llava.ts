import { join } from "node:path";
import {
  layerWeights,
  normalisePatchWeights,
  supervisedDepth,
  type VisualSpan,
  type VisualView,
  valueAndGradients,
  visualSpans,
} from "@basic-mllm/core";
import { generate } from "@basic-mllm/evaluate";
import { loadLlava } from "@basic-mllm/weights";
import * as tf from "@tensorflow/tfjs-core";

import type { CaseRecord, GoldenCase } from "./golden-case.js";
import { batchOf, type LlavaCase, openLlava, parameterOf } from "./llava-model.js";
import { unpackRows } from "./padded.js";
import { type Check, caseCheck, readIndex } from "./runner.js";
import { checkTrajectory } from "./trajectory.js";

const POSITION = { stage: "golden", step: 0, steps: 1 };

/** LLaVA with BASIC from pixels to gradients, greedy generation, and whole training runs. */
export function llavaFamily(folder: string): readonly Check[] {
  const records = readIndex(folder);
  // Shared inputs of other cases hold nothing to compare.
  const data = new Map(records.filter(({ kind }) => kind === "data").map((record) => [record.name, record]));
  return records
    .filter(({ name }) => !data.has(name))
    .map((record) => caseCheck(folder, record, (golden) => checkCase(golden, data)));
}

async function checkCase(golden: GoldenCase, data: ReadonlyMap<string, CaseRecord>): Promise<void> {
  switch (golden.record["kind"]) {
    case "end_to_end":
      return checkEndToEnd(golden);
    case "generation":
      return checkGeneration(golden);
    case "trajectory":
      return checkTrajectory(golden, data);
    default:
      throw new Error(`unknown kind "${String(golden.record["kind"])}"`);
  }
}

async function checkEndToEnd(golden: GoldenCase): Promise<void> {
  golden.allowFields("options", "losses");
  const opened = await openLlava(golden);
  const batch = batchOf(golden, opened.model);
  await checkForward(golden, opened, batch);
  const { tokens, samples } = opened.objective.count(batch);
  const { lambda_das, lambda_sds } = opened.options;
  const means = (): Record<string, tf.Scalar> => {
    const [language, direction, distribution] = opened.objective
      .parts(batch, POSITION)
      .map(({ sum }) => sum) as [tf.Scalar, tf.Scalar, tf.Scalar];
    const lm = tf.div(language, tokens) as tf.Scalar;
    const das = tf.div(direction, samples) as tf.Scalar;
    const sds = tf.div(distribution, samples) as tf.Scalar;
    const total = tf.addN([lm, tf.mul(das, lambda_das), tf.mul(sds, lambda_sds)]) as tf.Scalar;
    return { lm, das, sds, total };
  };
  for (const [name, value] of Object.entries(means())) await golden.compareTensor(`out.${name}`, value);
  for (const name of ["lm", "das", "sds", "total"]) {
    const prefix = `grad.${name}.`;
    const wanted = golden.tensorNames.filter((tensor) => tensor.startsWith(prefix));
    const parameters = wanted.map((tensor) => parameterOf(opened.model, tensor.slice(prefix.length)).value);
    const { gradients } = valueAndGradients(() => means()[name] as tf.Scalar, parameters);
    for (const [i, tensor] of wanted.entries()) await golden.compareTensor(tensor, gradients[i] as tf.Tensor);
  }
}

type LlavaBatch = ReturnType<typeof batchOf>;

async function checkForward(golden: GoldenCase, opened: LlavaCase, batch: LlavaBatch): Promise<void> {
  const { model, options } = opened;
  const { vision, projector, language } = model;
  const { pixels, shape } = batch.visual as Extract<LlavaBatch["visual"], { readonly pixels: Float32Array }>;
  const features = vision.encode(tf.tensor4d(pixels, [...shape]));
  await golden.compareTensor("out.features", features.rows);
  const projected = projector.project(features);
  await golden.compareTensor("out.projected", projected.rows);
  const depth = options.k ?? supervisedDepth(language.depth);
  const observed = language.forward(
    { packed: batch.packed, visual: projected.rows },
    { layerWeights: layerWeights(depth, options.scheme), patchWeights: true, stopGradient: true },
  );
  const size = golden.shape("out.logits").reduce((product, dimension) => product * dimension, 1);
  const logits = await language.logits(observed.hidden).data();
  golden.compare("out.logits", unpackRows(logits, batch.paddedRows, size));
  const view: VisualView = {
    initial: projected.rows,
    images: visualSpans(batch.packed.images),
    refined: observed.refined as tf.Tensor2D,
    patchWeights: observed.patchWeights as tf.Tensor1D,
    vocabulary: language.vocabulary,
    head: language.head,
  };
  const samples = new Set(view.images.map(({ sample }) => sample));
  for (const sample of samples) await checkSample(golden, opened, alone(view, sample), sample);
}

async function checkSample(
  golden: GoldenCase,
  { losses, options }: LlavaCase,
  view: VisualView,
  sample: number,
): Promise<void> {
  const prefix = `out.sample${sample}`;
  const raw = view.patchWeights as tf.Tensor1D;
  await golden.compareTensor(`${prefix}.a_raw`, raw);
  await golden.compareTensor(`${prefix}.a`, normalisePatchWeights(raw, view.images, options.normalize));
  await golden.compareTensor(`${prefix}.vhat`, view.refined as tf.Tensor2D);
  await golden.compareTensor(`${prefix}.das`, losses.das.compute(view).sum);
  await golden.compareTensor(`${prefix}.sds`, losses.sds.compute(view).sum);
}

/** The rows of one sample. */
function alone(view: VisualView, sample: number): VisualView {
  const spans = view.images.filter((image) => image.sample === sample);
  const start = (spans[0] as VisualSpan).start;
  const length = spans.reduce((sum, span) => sum + span.length, 0);
  const rows = (x: tf.Tensor2D): tf.Tensor2D => tf.slice(x, [start, 0], [length, -1]);
  return {
    ...view,
    images: spans.map((span) => ({ ...span, start: span.start - start })),
    initial: rows(view.initial),
    refined: rows(view.refined as tf.Tensor2D),
    patchWeights: tf.slice(view.patchWeights as tf.Tensor1D, [start], [length]),
  };
}

async function checkGeneration(golden: GoldenCase): Promise<void> {
  golden.allowFields("smallest_top1_margin");
  const model = await loadLlava(join(golden.folder, String(golden.record["folder"])));
  const batch = batchOf(golden, model);
  const { pixels, shape } = batch.visual as Extract<LlavaBatch["visual"], { readonly pixels: Float32Array }>;
  const visual = model.projector.project(model.vision.encode(tf.tensor4d(pixels, [...shape]))).rows;
  const maxTokens = golden.shape("out.tokens")[1] as number;
  const tokens = await generate(
    model.language,
    { packed: batch.packed, visual },
    { maxTokens, endOfSequence: null },
  );
  golden.compareExactly("out.tokens", tokens);
}
