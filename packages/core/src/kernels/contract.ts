import * as tf from "@tensorflow/tfjs-core";

import { inputsThatNeedGradient } from "../autodiff.js";
import { BasicError } from "../errors.js";
import { registerStockGradients } from "../gradients.js";

/** Largest accepted difference: `absolute + relative · max|expected|`, against a float64 evaluation. */
export interface Tolerance {
  readonly absolute: number;
  readonly relative: number;
}

/** Host-side parameters of a call. Offsets, ids and spans are typed arrays here, never device tensors. */
export type Attributes = Readonly<
  Record<string, number | boolean | string | Int32Array | Float32Array | Float64Array>
>;
/** One value per input name. */
export type Inputs<Name extends string, Value> = Readonly<Record<Name, Value>>;

/** Values of one input of a conformance case, made from a seeded generator. */
export interface InputSpec {
  readonly shape: readonly number[];
  /** Standard deviation of the values. Default 1. */
  readonly scale?: number;
  /** Overrides the random values, row-major. */
  readonly values?: readonly number[];
  /** Default `float32`. */
  readonly dtype?: "float32" | "int32";
}

/** One call of a kernel that every backend must get right. */
export interface KernelCase<Name extends string, Attrs extends Attributes> {
  readonly title: string;
  readonly inputs: Readonly<Record<Name, InputSpec>>;
  readonly attrs: Attrs;
  /** Instead of the contract's, where float32 inputs of this size cannot give more. */
  readonly tolerance?: Tolerance;
}

/**
 * One kernel, described once. A backend implements a contract; it never extends it.
 *
 * The contract owns what is equal on every device: names, output shapes, the slow
 * reference, the gradient, the cases and the tolerance. A backend owns the fast body only.
 */
export interface KernelContract<Name extends string = string, Attrs extends Attributes = Attributes> {
  /** Global tfjs kernel name. The prefix keeps it apart from the stock kernels. */
  readonly name: `Basic${string}`;
  /** Where a call may have any number of tensors, the names end in the tensor's index: here those of the cases. */
  readonly inputs: readonly Name[];
  /** Output shapes from input shapes. Runs before any backend, so a shape error reads the same everywhere. */
  readonly infer: (shapes: Inputs<Name, readonly number[]>, attrs: Attrs) => readonly (readonly number[])[];
  /** Composition of stock tfjs ops: the definition, the fallback and the test oracle. */
  readonly reference: (inputs: Inputs<Name, tf.Tensor>, attrs: Attrs) => readonly tf.Tensor[];
  /** What the gradient reads: kept alive from the forward pass until the node is differentiated. */
  readonly save: { readonly inputs: readonly Name[]; readonly outputs: readonly boolean[] };
  /**
   * Called once per node, with the inputs that need a gradient. `null` for backward and update contracts,
   * which are never on a tape.
   *
   * @param dys - One gradient per output.
   * @param saved - Saved inputs by name, and saved outputs in order.
   */
  readonly gradient:
    | ((
        dys: readonly tf.Tensor[],
        saved: { readonly inputs: Partial<Inputs<Name, tf.Tensor>>; readonly outputs: readonly tf.Tensor[] },
        attrs: Attrs,
        needs: ReadonlySet<Name>,
      ) => Partial<Inputs<Name, tf.Tensor>>)
    | null;
  /** Inputs that may need a gradient. The others are detached by the caller. */
  readonly differentiable: readonly Name[];
  readonly cases: readonly KernelCase<Name, Attrs>[];
  readonly tolerance: Tolerance;
}

/** A device's own body for one contract. */
export interface KernelImplementation<Name extends string, Attrs extends Attributes, Backend extends object> {
  readonly contract: KernelContract<Name, Attrs>;
  /** Name given to `tf.setBackend`. No `_`: tfjs splits its registry keys there. */
  readonly backend: string;
  /** Computes the outputs; shapes have been checked by the contract. */
  readonly run: (call: {
    inputs: Inputs<Name, tf.TensorInfo>;
    attrs: Attrs;
    backend: Backend;
    /** What the contract infers, where that has been done already. */
    outputShapes?: readonly (readonly number[])[];
  }) => tf.TensorInfo | tf.TensorInfo[];
}

/**
 * Registers one implementation. The cast to the untyped `KernelFunc` happens here and nowhere else.
 *
 * @throws {@link BasicError} `E_CONFIG` for a backend name with an underscore, `E_KERNEL_DUPLICATE`.
 */
export function implementKernel<Name extends string, Attrs extends Attributes, Backend extends object>(
  implementation: KernelImplementation<Name, Attrs, Backend>,
): void {
  const { contract, backend, run } = implementation;
  if (backend.includes("_")) {
    throw new BasicError(
      "E_CONFIG",
      `implementKernel: the backend name "${backend}" has an underscore, but tfjs splits its registry keys there. ` +
        `Register the backend under another name, for example "${backend.replaceAll("_", "-")}".`,
    );
  }
  if (findKernel(contract.name, backend) !== undefined) {
    throw new BasicError(
      "E_KERNEL_DUPLICATE",
      `${contract.name} is already registered on backend "${backend}". Register each kernel once, or unregister the first one.`,
    );
  }
  tf.registerKernel({
    kernelName: contract.name,
    backendName: backend,
    kernelFunc: run as unknown as tf.KernelFunc,
  });
  registerContractGradient(contract);
}

/** Makes the contract differentiable by our reverse pass and by anybody's `tf.variableGrads`. */
export function registerContractGradient<Name extends string, Attrs extends Attributes>(
  contract: KernelContract<Name, Attrs>,
): void {
  registerStockGradients();
  if (contract.gradient === null || findGradient(contract.name) !== undefined) return;
  const { inputs, outputs } = contract.save;
  tf.registerGradient({
    kernelName: contract.name,
    inputsToSave: [...inputs],
    outputsToSave: [...outputs],
    gradFunc: (dy, saved, attrs) =>
      gradientThunks(contract, Array.isArray(dy) ? dy : [dy], saved, attrs as unknown as Attrs),
  });
}

/** One thunk per input, as tfjs wants them. `saved` are the inputs, then the outputs, that the contract saves. */
export function gradientThunks<Name extends string, Attrs extends Attributes>(
  contract: KernelContract<Name, Attrs>,
  dys: readonly tf.Tensor[],
  saved: readonly tf.Tensor[],
  attrs: Attrs,
): Record<string, () => tf.Tensor> {
  const { inputs } = contract.save;
  const named = Object.fromEntries(inputs.map((name, i) => [name, saved[i]]));
  // Before the thunks: tfjs runs each thunk in its own tidy, which would dispose a shared result.
  const gradients = contract.gradient?.(
    dys,
    { inputs: named as Partial<Inputs<Name, tf.Tensor>>, outputs: saved.slice(inputs.length) },
    attrs,
    inputsThatNeedGradient(contract.differentiable),
  );
  return Object.fromEntries(
    contract.inputs.map((name) => [name, () => gradientOf(contract.name, name, gradients?.[name])]),
  );
}

function gradientOf(kernel: string, input: string, gradient: tf.Tensor | undefined): tf.Tensor {
  if (gradient === undefined) {
    throw new BasicError(
      "E_NO_GRADIENT",
      `${kernel} gives no gradient for \`${input}\`. Pass it through detach().`,
    );
  }
  return gradient;
}

/** `tf.getKernel` says that it never returns undefined. It does. */
export function findKernel(name: string, backend: string): tf.KernelConfig | undefined {
  return tf.getKernel(name, backend);
}

/** `tf.getGradient` likewise. */
export function findGradient(name: string): tf.GradConfig | undefined {
  return tf.getGradient(name);
}
