import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../errors.js";
import { adamw } from "../kernels/adamw.js";
import { type MomentStorage, momentShape } from "../kernels/moments.js";
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
  /**
   * How the two moments are stored. Default `float32`; `bfloat16` takes half of its memory, `int8` a quarter. Both are
   * rounded at random, by a function of step and element: the same bits in every run.
   */
  readonly moments?: MomentStorage;
  /** Which parameters weight decay applies to. Default: those with two or more dimensions. */
  readonly decays?: (parameter: Parameter) => boolean;
}

/** A moment on the host: values, or int32 words where moments are packed. */
export type HostMoment = Float32Array | Int32Array;

/** Everything that a resumed optimizer needs, on the host: exact bytes. */
export interface OptimizerState {
  /** Updates done. */
  readonly step: number;
  /** `[2]`: the sticky finite flag, and the number of updates while it was 1. */
  readonly health: Float32Array;
  /** First and second moments by `group/parameter`. */
  readonly first: ReadonlyMap<string, HostMoment>;
  readonly second: ReadonlyMap<string, HostMoment>;
  /** How the moments are stored. Absent: float32. */
  readonly moments?: MomentStorage;
}

/** A moment of one parameter, read from the device when it is asked for. */
export interface LazyMoment {
  /** `group/parameter`. */
  readonly key: string;
  readonly which: "first" | "second";
  /** Number of values, or of words. */
  readonly size: number;
  readonly isPacked: boolean;
  /** Its values on the host. A later update may change them. */
  read(): Promise<HostMoment>;
}

/** {@link OptimizerState} whose moments are still on the device. No update may come between two reads. */
export interface LazyOptimizerState extends Pick<OptimizerState, "step" | "health" | "moments"> {
  /** All first moments, then all second ones. */
  readonly tensors: readonly LazyMoment[];
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
  /** {@link exportState} for a writer that has few moments in memory at a time. */
  openState(): Promise<LazyOptimizerState>;
  /**
   * @throws {@link BasicError} `E_CHECKPOINT_CORRUPT` where a moment is missing or has another size,
   * `E_RESUME_CHANGED` where moments are stored in another way.
   */
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
  readonly #options: Required<Pick<OptimizerOptions, "betas" | "epsilon" | "maxNorm" | "moments">>;
  #health: tf.Tensor1D = tf.keep(tf.tensor1d([1, 0]));

  constructor(options: OptimizerOptions) {
    const { groups, betas = [0.9, 0.999], epsilon = 1e-8, maxNorm = 0, moments = "float32" } = options;
    const { decays = hasTwoDimensions } = options;
    this.#options = { betas, epsilon, maxNorm, moments };
    this.slots = groups.flatMap(({ name, parameters, learningRate, weightDecay = 0 }) =>
      parameters.map((parameter) => ({
        group: name,
        key: `${name}/${parameter.name}`,
        parameter,
        learningRate,
        weightDecay: decays(parameter) ? weightDecay : 0,
        first: zeros(parameter.shape, moments),
        second: zeros(parameter.shape, moments),
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
    this.#updateSlots(gradients, { control, rate: options.rate });
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

  #updateSlots(gradients: readonly tf.Tensor[], call: { control: tf.Tensor1D; rate: number }): void {
    const { betas, epsilon, moments } = this.#options;
    const tensors = this.slots.flatMap(({ parameter, first, second }, i) => [
      [`parameter${i}`, parameter.value] as const,
      [`gradient${i}`, gradients[i] as tf.Tensor] as const,
      [`m${i}`, first] as const,
      [`v${i}`, second] as const,
    ]);
    const outputs = runKernel(
      adamw,
      {
        ...(Object.fromEntries(tensors) as Record<(typeof tensors)[number][0], tf.Tensor>),
        control: call.control,
      },
      {
        learningRates: Float64Array.from(this.slots, ({ learningRate }) => learningRate * call.rate),
        weightDecays: Float64Array.from(this.slots, ({ weightDecay }) => weightDecay),
        beta1: betas[0],
        beta2: betas[1],
        epsilon,
        step: this.step,
        moments,
      },
    );
    // A backend that updates in place returns new handles of the same buffers: replacing them is right for both.
    for (const [i, slot] of this.slots.entries()) {
      const [parameter, first, second] = outputs.slice(3 * i) as [tf.Tensor, tf.Tensor, tf.Tensor];
      slot.parameter.assign(parameter);
      slot.first.dispose();
      slot.second.dispose();
      slot.first = tf.keep(first);
      slot.second = tf.keep(second);
    }
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
    const { tensors, ...state } = await this.openState();
    const moments = { first: new Map<string, HostMoment>(), second: new Map<string, HostMoment>() };
    for (const { key, which, read } of tensors) moments[which].set(key, (await read()).slice());
    return { ...state, ...moments };
  }

  async openState(): Promise<LazyOptimizerState> {
    const { moments } = this.#options;
    const health = await copyToHost(this.#health);
    const tensors = (["first", "second"] as const).flatMap((which) =>
      this.slots.map((slot): LazyMoment => {
        const { size, dtype } = slot[which];
        const read = async () => (await slot[which].data()) as HostMoment;
        return { key: slot.key, which, size, isPacked: dtype === "int32", read };
      }),
    );
    return { step: this.step, health, tensors, ...(moments !== "float32" && { moments }) };
  }

  importState(state: OptimizerState): void {
    const { moments } = this.#options;
    checkStorage(state.moments ?? "float32", moments);
    for (const slot of this.slots) {
      const shape = momentShape(moments, slot.parameter.shape);
      const first = copyMoment("first", state.first.get(slot.key), { ...slot, shape });
      const second = copyMoment("second", state.second.get(slot.key), { ...slot, shape });
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

function zeros(shape: readonly number[], moments: MomentStorage): tf.Tensor {
  return tf.keep(tf.zeros([...momentShape(moments, shape)], moments === "float32" ? "float32" : "int32"));
}

function checkStorage(held: MomentStorage, asked: MomentStorage): void {
  if (held === asked) return;
  throw new BasicError(
    "E_RESUME_CHANGED",
    `The checkpoint holds moments in ${held}, but the optimizer was asked to store them in ${asked}. ` +
      `Resume with \`moments: "${held}"\`, or start a new run in another folder.`,
  );
}

/** Values on the host that no later update can change. */
export async function copyToHost(tensor: tf.Tensor): Promise<Float32Array> {
  return ((await tensor.data()) as Float32Array).slice();
}

/** A copy, since a backend may update the buffer in place. */
function copyMoment(
  which: string,
  values: HostMoment | undefined,
  { key, shape }: { key: string; shape: readonly number[] },
): HostMoment {
  const size = shape.reduce((product, n) => product * n, 1);
  if (values?.length !== size) {
    throw new BasicError(
      "E_CHECKPOINT_CORRUPT",
      `The ${which} moment of "${key}" has ${values?.length ?? "no"} values, expected ${size}. ` +
        "The checkpoint belongs to another model; resume with the recipe that wrote it.",
    );
  }
  return values.slice();
}
