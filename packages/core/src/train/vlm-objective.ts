import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../errors.js";
import { supervisedTokens } from "../losses/language.js";
import { layerWeights, supervisedDepth } from "../losses/layer-weights.js";
import { normalisePatchWeights } from "../losses/patch-weights.js";
import type { Observed, VisualRows } from "../models/interfaces.js";
import { ParameterSet } from "../parameters.js";
import { centredGram, ratioName, visualDiagnostics } from "./diagnostics.js";
import { nearestTokens, walkNearestTokens } from "./nearest-tokens.js";
import type { Counts, LossPart, Objective, StepPosition } from "./objective.js";
import { untaped } from "./untaped.js";
import { samplesWithImage, type VlmBatch, visualSpans } from "./vlm-batch.js";
import { activeLosses, lossParts, observeFor, runForward, type VlmObjectiveOptions } from "./vlm-forward.js";
import type { WeightedLoss } from "./weighted-losses.js";

/** Rows that the diagnostics read at most: the first ones of the batch. */
const DIAGNOSED_ROWS = 1024;

/**
 * Multimodal training: language loss per supervised token, visual losses per sample with an image.
 *
 * ```text
 * L = L_lm + Σ λ_i L_i          BASIC: L_lm + λ₁ L_das + λ₂ L_sds
 * ```
 *
 * Groups: `vision` (where there is an encoder), `projector`, `language`, `lora` (where there are adapters), `losses`
 * (weights of the losses themselves, to be trained with the projector). What trains is each parameter's own `trainable`.
 *
 * @throws {@link BasicError} `E_CONFIG` when the supervised depth does not fit the LLM; from `parts`:
 * `E_IMAGE_TOKENS` when visual rows and places disagree, `E_CONFIG` for pixels without an encoder.
 */
export function createVlmObjective(options: VlmObjectiveOptions): Objective<VlmBatch> {
  const { encoder, projector, language } = options;
  const weights = observedWeights(options);
  const run = (batch: VlmBatch, position: StepPosition): readonly LossPart[] => {
    const active = activeLosses(options, position);
    const forward = runForward(batch, options, observeFor(batch, { active, weights, options }));
    return lossParts(forward, batch, { active, options, position });
  };
  return {
    groups: {
      ...(encoder !== null && { vision: encoder.parameters }),
      projector: projector.parameters,
      language: language.parameters,
      ...(options.lora && { lora: options.lora.parameters }),
      losses: ownParameters(options.losses),
    },
    count: ({ packed }): Counts => ({ tokens: supervisedTokens(packed), samples: samplesWithImage(packed) }),
    parts: run,
    diagnose: (batch, position) => diagnose(batch, { weights, options, position }),
    walkDiagnostics: (batch, position) => walkDiagnostics(batch, { weights, options, position }),
  };
}

function observedWeights({ language, supervision = {} }: VlmObjectiveOptions): readonly number[] {
  const depth = supervision.depth ?? supervisedDepth(language.depth);
  if (depth > language.depth) {
    throw new BasicError(
      "E_CONFIG",
      `supervision.depth is ${depth}, but the language model has ${language.depth} blocks. ` +
        `Use 1 to ${language.depth}, or null for half of them.`,
    );
  }
  return layerWeights(depth, supervision.layerWeights);
}

function ownParameters(losses: readonly WeightedLoss[]): ParameterSet {
  const set = new ParameterSet();
  for (const { loss } of losses) {
    for (const parameter of loss.parameters ?? []) set.add(parameter);
  }
  return set;
}

/** A step to look at. */
interface DiagnoseCall {
  readonly weights: readonly number[];
  readonly options: VlmObjectiveOptions;
  readonly position: StepPosition;
}

/** Tensors of a forward pass that the diagnostics read back. */
type Measured = {
  readonly initial: tf.Tensor2D;
  readonly refined: tf.Tensor2D;
  readonly gram: tf.Tensor2D;
  readonly patchWeights: tf.Tensor1D;
  readonly normVocabulary: tf.Scalar;
  /** `[parts]`: the loss sums, language first. */
  readonly sums: tf.Tensor1D;
};

/** See {@link visualDiagnostics}; also `normVocabulary` and `ratio…` = λ · loss / L_lm of each visual loss. */
async function diagnose(batch: VlmBatch, call: DiagnoseCall): Promise<Readonly<Record<string, number>>> {
  const { packed, words } = batch;
  if (packed.images.length === 0) return {};
  const { language, decode } = call.options;
  const names: { name: string; weight: number }[] = [];
  const measured = untaped((): Measured => measure(batch, call, names));
  const matches = await nearestTokens(measured.initial, matchedWith(call));
  const host = await readBack(measured);
  const counts = { tokens: supervisedTokens(packed), samples: samplesWithImage(packed) };
  return {
    ...visualDiagnostics({
      initial: host.initial,
      refined: host.refined,
      gram: host.gram,
      patchWeights: host.patchWeights,
      width: language.width,
      matches,
      images: visualSpans(packed.images),
      ...(words && { words }),
      ...(decode && { decode }),
    }),
    normVocabulary: host.normVocabulary[0] as number,
    ...lossRatios(names, host.sums, counts),
  };
}

/** What {@link diagnose} runs on the device. */
function walkDiagnostics(batch: VlmBatch, call: DiagnoseCall): void {
  if (batch.packed.images.length === 0) return;
  untaped(() => {
    const { initial } = measure(batch, call, []);
    walkNearestTokens(initial, matchedWith(call));
  });
}

/** The vocabulary whose words visual rows are matched with. */
function matchedWith({ options: { language, supervision = {} } }: DiagnoseCall): tf.Tensor2D {
  return supervision.vocabulary === "head" ? language.head.weight : language.vocabulary;
}

function measure(
  batch: VlmBatch,
  { weights, options, position }: DiagnoseCall,
  names: { name: string; weight: number }[],
): Measured {
  const { language, supervision = {} } = options;
  const active = activeLosses(options, position);
  const observe = observeFor(batch, { active, weights, options });
  const forward = runForward(batch, options, {
    ...observe,
    layerWeights: weights,
    patchWeights: true,
    stopGradient: true,
  });
  const parts = lossParts(forward, batch, { active, options, position });
  names.push(...parts);
  const { refined, patchWeights } = forward.observed as Required<Observed>;
  const spans = visualSpans(batch.packed.images);
  const first = (rows: tf.Tensor2D): tf.Tensor2D =>
    tf.slice(rows, [0, 0], [Math.min(DIAGNOSED_ROWS, rows.shape[0]), -1]);
  const initial = first((forward.projected as VisualRows).rows);
  return {
    initial,
    gram: centredGram(initial),
    refined: first(refined),
    patchWeights: normalisePatchWeights(patchWeights, spans, supervision.normalise ?? "none"),
    normVocabulary: tf.mean(tf.sqrt(tf.sum(tf.square(language.vocabulary), 1))),
    sums: tf.stack(parts.map(({ sum }) => sum)) as tf.Tensor1D,
  };
}

async function readBack(measured: Measured): Promise<Record<keyof Measured, Float32Array>> {
  const entries: [string, Float32Array][] = [];
  for (const [name, tensor] of Object.entries(measured)) {
    entries.push([name, (await tensor.data()) as Float32Array]);
    tensor.dispose();
  }
  return Object.fromEntries(entries) as Record<keyof Measured, Float32Array>;
}

/** `ratioDirection`, `ratioDistribution`, ... : λ · loss / L_lm; absent where nothing is supervised. */
function lossRatios(
  parts: readonly { readonly name: string; readonly weight: number }[],
  sums: Float32Array,
  { tokens, samples }: Counts,
): Readonly<Record<string, number>> {
  const languageMean = (sums[0] as number) / tokens;
  if (tokens === 0 || languageMean === 0) return {};
  const ratios = parts.slice(1).map(({ name, weight }, i) => {
    const value = (weight * (sums[i + 1] as number)) / samples / languageMean;
    return [ratioName(name), value] as const;
  });
  return Object.fromEntries(ratios);
}
