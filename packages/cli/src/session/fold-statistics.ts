import { type BuiltInProjector, copyProjector, IMAGE_NEWLINE, Parameter } from "@basic-mllm/core";
import type { ChannelStatistics } from "@basic-mllm/data";

/** Deviations of zero are left as they are: such a channel is constant. */
function inverse(deviation: number): number {
  return deviation > 0 ? 1 / deviation : 1;
}

/** Whether one product alone reads the features, so that it can take their statistics. */
export function canFold({ input }: BuiltInProjector): boolean {
  return input !== null;
}

/**
 * A copy of a projector that takes features as the encoder gives them: its first product does the standardisation.
 *
 * ```text
 * W (f − μ) / σ + b = (W / σ) f + (b − W μ / σ)
 * ```
 *
 * @param projector - One that {@link canFold}.
 * @param statistics - Of the standardised features that `projector` was trained on.
 */
export function foldStatistics(
  projector: BuiltInProjector,
  statistics: ChannelStatistics,
): Promise<BuiltInProjector> {
  return rescaled(projector, statistics, (weight, mean, deviation) => {
    const scaled = weight * inverse(deviation);
    return [scaled, -scaled * mean];
  });
}

/** The reverse of {@link foldStatistics}: back to standardised features. */
export function unfoldStatistics(
  projector: BuiltInProjector,
  statistics: ChannelStatistics,
): Promise<BuiltInProjector> {
  return rescaled(projector, statistics, (weight, mean, deviation) => [
    weight / inverse(deviation),
    weight * mean,
  ]);
}

/** What becomes of a weight, and what it adds to the bias. */
type Rescale = (weight: number, mean: number, deviation: number) => readonly [weight: number, bias: number];

async function rescaled(
  projector: BuiltInProjector,
  { mean, std }: ChannelStatistics,
  rescale: Rescale,
): Promise<BuiltInProjector> {
  const values = new Map<string, Float32Array>();
  for (const { name, value } of projector.parameters)
    values.set(name, (await value.data<"float32">()).slice());
  const weightName = projector.input?.weight.name ?? "";
  const biasName = weightName.replace(/weight$/, "bias");
  const weight = values.get(weightName) ?? new Float32Array();
  const [outputs = 0, inputs = 0] = projector.input?.weight.shape ?? [];
  const bias = Float64Array.from(values.get(biasName) ?? new Float32Array(outputs));
  for (let i = 0; i < weight.length; i++) {
    // A pixel shuffle lays the channels of several patches one after the other.
    const channel = (i % inputs) % mean.length;
    const [scaled, added] = rescale(weight[i] ?? 0, mean[channel] ?? 0, std[channel] ?? 1);
    weight[i] = scaled;
    const output = Math.floor(i / inputs);
    bias[output] = (bias[output] ?? 0) + added;
  }
  values.set(biasName, Float32Array.from(bias));
  const zeros = (shape: readonly number[]) => new Float32Array(shape.reduce((a, b) => a * b, 1));
  const source = (name: string, shape: readonly number[]) => values.get(name) ?? zeros(shape);
  // Products may have been made without biases; the other kinds always have that of the first one.
  const made = copyProjector(projector, source, projector.options["bias"] === false ? { bias: true } : {});
  const newline = values.get(IMAGE_NEWLINE);
  if (newline !== undefined) made.parameters.add(new Parameter(IMAGE_NEWLINE, newline, [newline.length]));
  return made;
}
