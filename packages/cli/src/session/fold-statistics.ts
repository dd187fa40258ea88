import { createProjector, IMAGE_NEWLINE, type MlpProjector, Parameter } from "@basic-mllm/core";
import type { ChannelStatistics } from "@basic-mllm/data";

/** Deviations of zero are left as they are: such a channel is constant. */
function inverse(deviation: number): number {
  return deviation > 0 ? 1 / deviation : 1;
}

/**
 * A copy of a projector that takes features as the encoder gives them: it does the standardisation itself.
 *
 * ```text
 * W (f − μ) / σ + b = (W / σ) f + (b − W μ / σ)
 * ```
 *
 * @param statistics - Of the standardised features that `projector` was trained on.
 */
export function foldStatistics(
  projector: MlpProjector,
  statistics: ChannelStatistics,
): Promise<MlpProjector> {
  return rescaled(projector, statistics, (weight, mean, deviation) => {
    const scaled = weight * inverse(deviation);
    return [scaled, -scaled * mean];
  });
}

/** The reverse of {@link foldStatistics}: back to standardised features. */
export function unfoldStatistics(
  projector: MlpProjector,
  statistics: ChannelStatistics,
): Promise<MlpProjector> {
  return rescaled(projector, statistics, (weight, mean, deviation) => [
    weight / inverse(deviation),
    weight * mean,
  ]);
}

/** What becomes of a weight, and what it adds to the bias. */
type Rescale = (weight: number, mean: number, deviation: number) => readonly [weight: number, bias: number];

async function rescaled(projector: MlpProjector, { mean, std }: ChannelStatistics, rescale: Rescale) {
  const values = new Map<string, Float32Array>();
  for (const { name, value } of projector.parameters)
    values.set(name, (await value.data<"float32">()).slice());
  const weight = values.get("linear_1.weight") ?? new Float32Array();
  const [outputs = 0, inputs = 0] = projector.layers[0]?.weight.shape ?? [];
  const bias = Float64Array.from(values.get("linear_1.bias") ?? new Float32Array(outputs));
  for (let i = 0; i < weight.length; i++) {
    // A pixel shuffle lays the channels of several patches one after the other.
    const channel = (i % inputs) % mean.length;
    const [scaled, added] = rescale(weight[i] ?? 0, mean[channel] ?? 0, std[channel] ?? 1);
    weight[i] = scaled;
    const output = Math.floor(i / inputs);
    bias[output] = (bias[output] ?? 0) + added;
  }
  values.set("linear_1.bias", Float32Array.from(bias));
  const name = projector.layers.length === 1 ? "linear" : `mlp${projector.layers.length}x_gelu`;
  const made = createProjector(projector.factor > 1 ? "pixel-shuffle" : name, {
    features: mean.length,
    width: outputs,
    outputNorm: projector.outputNorm,
    bias: true,
    ...(projector.factor > 1 && { factor: projector.factor }),
    values: (parameter, shape) => values.get(parameter) ?? new Float32Array(shape.reduce((a, b) => a * b, 1)),
  });
  const newline = values.get(IMAGE_NEWLINE);
  if (newline !== undefined) made.parameters.add(new Parameter(IMAGE_NEWLINE, newline, [outputs]));
  return made;
}
