import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../errors.js";
import { adamw } from "../kernels/adamw.js";
import { runKernel } from "../kernels/run.js";
import type { Parameter } from "../parameters.js";
import { formatShape } from "../shape.js";
import { clipFactor, globalNorm } from "./clip.js";

/** Above this a norm or a loss counts as infinite. Comparing with it is false for NaN on every device. */
const LARGEST_FINITE = 3e38;

/** Parameters that share a learning rate and a weight decay. */
export interface ParameterGroup {
  /** `projector`, `language`, ... */
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly learningRate: number;
  /** Default 0. */
  readonly weightDecay?: number;
}

/** What {@link createOptimizer} trains, and how. */
export interface OptimizerOptions {
  readonly groups: readonly ParameterGroup[];
  /** Default `[0.9, 0.999]`. */
  readonly betas?: readonly [number, number];
  /** Added to the bias-corrected root. Default 1e-8. */
  readonly epsilon?: number;
  /** Norm of all gradients is clipped to it; 0 (default) turns clipping off. */
  readonly maxNorm?: number;
  /** Which parameters weight decay applies to. Default: those with two or more dimensions. */
  readonly decays?: (parameter: Parameter) => boolean;
}

/** Everything that a resumed optimizer needs, on the host: exact float32 bytes. */
export interface OptimizerState {
  /** Updates done. */
  readonly step: number;
  /** `[2]`: the sticky finite flag, and the number of updates while it was 1. */
  readonly health: Float32Array;
  /** First and second moments by `group/parameter`. */
  readonly first: ReadonlyMap<string, Float32Array>;
  readonly second: ReadonlyMap<string, Float32Array>;
}

/** What an update reports. The tensor stays on the device and is the caller's to dispose. */
export interface UpdateResult {
  /** Norm of all gradients before clipping, scalar `[]`. */
  readonly norm: tf.Scalar;
}

/** Whether training is still healthy. Reading it waits for the device. */
export interface Health {
  /** False once any gradient or loss was NaN or infinite; parameters have not changed since. */
  readonly finite: boolean;
  /** Updates before the first one that was not finite. */
  readonly finiteSteps: number;
}

/** AdamW over several parameter groups. Nothing is read back from the device during an update. */
export interface Optimizer {
  /** In the order in which `update` takes the gradients. */
  readonly parameters: readonly Parameter[];
  /** The same, with the name of each one's group. */
  readonly slots: readonly { readonly group: string; readonly parameter: Parameter }[];
  /** Updates done. */
  readonly step: number;
  /**
   * Does one update.
   *
   * @param gradients - One per parameter; not disposed.
   * @param options - `rate` multiplies every group's learning rate; `loss` takes part in the finite flag.
   */
  update(gradients: readonly tf.Tensor[], options: { rate: number; loss?: tf.Scalar }): UpdateResult;
  /** Reads back whether any update met a value that is not finite. */
  health(): Promise<Health>;
  /** Moments and step, as exact bytes. */
  exportState(): Promise<OptimizerState>;
  /** @throws {@link BasicError} `E_CHECKPOINT_CORRUPT` where a moment is missing or has another size. */
  importState(state: OptimizerState): void;
  /** Frees the moments. */
  dispose(): void;
}

/** A parameter with its moments and hyper-parameters. */
interface Slot {
  /** `group/parameter`. */
  readonly key: string;
  readonly group: string;
  readonly parameter: Parameter;
  readonly learningRate: number;
  readonly weightDecay: number;
  first: tf.Tensor;
  second: tf.Tensor;
}

/** Makes an optimizer with moments of zero. */
export function createOptimizer(options: OptimizerOptions): Optimizer {
  return new AdamW(options);
}

class AdamW implements Optimizer {
  readonly parameters: readonly Parameter[];
  step = 0;
  readonly slots: readonly Slot[];
  readonly #options: Required<Pick<OptimizerOptions, "betas" | "epsilon" | "maxNorm">>;
  #health: tf.Tensor1D = tf.keep(tf.tensor1d([1, 0]));

  constructor(options: OptimizerOptions) {
    const { groups, betas = [0.9, 0.999], epsilon = 1e-8, maxNorm = 0, decays = hasTwoDimensions } = options;
    this.#options = { betas, epsilon, maxNorm };
    this.slots = groups.flatMap(({ name, parameters, learningRate, weightDecay = 0 }) =>
      parameters.map((parameter) => ({
        group: name,
        key: `${name}/${parameter.name}`,
        parameter,
        learningRate,
        weightDecay: decays(parameter) ? weightDecay : 0,
        first: zeros(parameter.shape),
        second: zeros(parameter.shape),
      })),
    );
    this.parameters = this.slots.map(({ parameter }) => parameter);
  }

  update(gradients: readonly tf.Tensor[], options: { rate: number; loss?: tf.Scalar }): UpdateResult {
    this.#check(gradients);
    const norm = globalNorm(gradients);
    const { control, health } = tf.tidy(() => this.#control(norm, options.loss));
    this.#health.dispose();
    this.#health = tf.keep(health);
    this.step++;
    for (const [i, slot] of this.slots.entries()) {
      this.#updateSlot(slot, gradients[i] as tf.Tensor, { control, rate: options.rate });
    }
    control.dispose();
    return { norm };
  }

  /** `control` = [clip factor, update?] for the kernel; `health` = the new sticky flag and count. */
  #control(norm: tf.Scalar, loss: tf.Scalar | undefined): { control: tf.Tensor1D; health: tf.Tensor1D } {
    const [before, count] = [tf.slice(this.#health, 0, 1), tf.slice(this.#health, 1, 1)];
    const finiteNow = [norm, ...(loss === undefined ? [] : [loss])]
      .map((value) => tf.cast(tf.less(tf.abs(value), LARGEST_FINITE), "float32"))
      .reduce((all, finite) => tf.mul(all, finite));
    const flag = tf.mul(before, finiteNow) as tf.Tensor1D;
    // A factor of NaN times 0 would be NaN again.
    const clip = tf.reshape(clipFactor(norm, this.#options.maxNorm), [1]);
    const factor = tf.where(tf.greater(flag, 0), clip, tf.zerosLike(clip));
    return {
      control: tf.concat([factor as tf.Tensor1D, flag]),
      health: tf.concat([flag, tf.add(count, flag) as tf.Tensor1D]),
    };
  }

  #updateSlot(slot: Slot, gradient: tf.Tensor, call: { control: tf.Tensor1D; rate: number }): void {
    const { betas, epsilon } = this.#options;
    const [parameter, first, second] = runKernel(
      adamw,
      { parameter: slot.parameter.value, gradient, m: slot.first, v: slot.second, control: call.control },
      {
        learningRate: slot.learningRate * call.rate,
        beta1: betas[0],
        beta2: betas[1],
        epsilon,
        weightDecay: slot.weightDecay,
        step: this.step,
      },
    ) as [tf.Tensor, tf.Tensor, tf.Tensor];
    // A backend that updates in place returns new handles of the same buffers: replacing them is right for both.
    slot.parameter.assign(parameter);
    slot.first.dispose();
    slot.second.dispose();
    slot.first = tf.keep(first);
    slot.second = tf.keep(second);
  }

  #check(gradients: readonly tf.Tensor[]): void {
    if (gradients.length !== this.slots.length) {
      throw new BasicError(
        "E_SHAPE",
        `Optimizer: got ${gradients.length} gradients for ${this.slots.length} parameters. Pass one per parameter, in the order of \`parameters\`.`,
      );
    }
    for (const [i, { parameter }] of this.slots.entries()) {
      const { shape } = gradients[i] as tf.Tensor;
      if (shape.join() !== parameter.shape.join()) {
        throw new BasicError(
          "E_SHAPE",
          `Optimizer: the gradient of "${parameter.name}" has shape ${formatShape(shape)}, expected ${formatShape(parameter.shape)}. ` +
            "Pass one per parameter, in the order of `parameters`.",
        );
      }
    }
  }

  async health(): Promise<Health> {
    const [finite, finiteSteps] = (await this.#health.data()) as Float32Array;
    return { finite: finite === 1, finiteSteps: finiteSteps as number };
  }

  async exportState(): Promise<OptimizerState> {
    const first = new Map<string, Float32Array>();
    const second = new Map<string, Float32Array>();
    for (const slot of this.slots) {
      first.set(slot.key, await copyToHost(slot.first));
      second.set(slot.key, await copyToHost(slot.second));
    }
    return { step: this.step, health: await copyToHost(this.#health), first, second };
  }

  importState(state: OptimizerState): void {
    for (const slot of this.slots) {
      const { shape } = slot.parameter;
      const first = copyMoment("first", state.first.get(slot.key), slot);
      const second = copyMoment("second", state.second.get(slot.key), slot);
      slot.first.dispose();
      slot.second.dispose();
      slot.first = tf.keep(tf.tensor(first, [...shape]));
      slot.second = tf.keep(tf.tensor(second, [...shape]));
    }
    this.#health.dispose();
    this.#health = tf.keep(tf.tensor1d(state.health.slice()));
    this.step = state.step;
  }

  dispose(): void {
    this.#health.dispose();
    for (const { first, second } of this.slots) {
      first.dispose();
      second.dispose();
    }
  }
}

function hasTwoDimensions(parameter: Parameter): boolean {
  return parameter.shape.length >= 2;
}

function zeros(shape: readonly number[]): tf.Tensor {
  return tf.keep(tf.zeros([...shape]));
}

/** Values on the host that no later update can change. */
export async function copyToHost(tensor: tf.Tensor): Promise<Float32Array> {
  return ((await tensor.data()) as Float32Array).slice();
}

/** A copy, since a backend may update the buffer in place. */
function copyMoment(which: string, values: Float32Array | undefined, slot: Slot): Float32Array {
  const { size } = slot.parameter;
  if (values?.length !== size) {
    throw new BasicError(
      "E_CHECKPOINT_CORRUPT",
      `The ${which} moment of "${slot.key}" has ${values?.length ?? "no"} values, expected ${size}. ` +
        "The checkpoint belongs to another model; resume with the recipe that wrote it.",
    );
  }
  return values.slice();
}
