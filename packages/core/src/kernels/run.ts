import * as tf from "@tensorflow/tfjs-core";

import { detach, recordingTape } from "../autodiff.js";
import { BasicError } from "../errors.js";
import { registerStockGradients } from "../gradients.js";
import type { Tape } from "../tape.js";
import { type Attributes, findKernel, gradientThunks, type Inputs, type KernelContract } from "./contract.js";

/** What to do where a backend has no body for a contract. */
export type Fallback = "error" | "reference";

let fallback: Fallback = "error";

/** Sets what {@link runKernel} does where the backend has no body of its own. Returns the former setting. */
export function setFallback(next: Fallback): Fallback {
  registerStockGradients();
  const before = fallback;
  fallback = next;
  return before;
}

/** Runs a contract on the current backend. Uses the reference only after `setFallback("reference")`. */
export function runKernel<Name extends string, Attrs extends Attributes>(
  contract: KernelContract<Name, Attrs>,
  inputs: Inputs<NoInfer<Name>, tf.Tensor>,
  attrs: NoInfer<Attrs>,
): readonly tf.Tensor[] {
  const backend = tf.getBackend();
  const outputShapes = contract.infer(shapesOf(inputs), attrs);
  const kernel = findKernel(contract.name, backend);
  if (kernel !== undefined) return runRegistered({ contract, kernel, inputs, attrs, outputShapes });
  if (fallback === "reference") return tf.tidy(() => [...contract.reference(inputs, attrs)]);
  throw new BasicError(
    "E_KERNEL_MISSING",
    `${contract.name} has no implementation on backend "${backend}". ` +
      `Use a backend that has one (startBackend("cpu")), or ask for the slow composition with { fallback: "reference" }.`,
  );
}

/** Whether the current backend has a body for a contract that others could stand in for. */
export function hasKernel({ name }: Pick<KernelContract, "name">): boolean {
  return findKernel(name, tf.getBackend()) !== undefined;
}

interface Call<Name extends string, Attrs extends Attributes> {
  readonly contract: KernelContract<Name, Attrs>;
  readonly kernel: tf.KernelConfig;
  readonly inputs: Inputs<Name, tf.Tensor>;
  readonly attrs: Attrs;
  readonly outputShapes: readonly (readonly number[])[];
}

/** Calls a kernel without the detours of tfjs, unless something of tfjs watches: its tape, profiler or debug mode. */
function runRegistered<Name extends string, Attrs extends Attributes>(
  call: Call<Name, Attrs>,
): readonly tf.Tensor[] {
  const { contract, kernel, inputs, attrs, outputShapes } = call;
  const engine = tf.engine();
  const { state } = engine;
  const taped = state.gradientDepth > 0 && state.kernelDepth === 0;
  const tape = taped ? recordingTape() : undefined;
  if ((taped && tape === undefined) || state.profiling || tf.env().getBool("DEBUG")) {
    const output: tf.Tensor | tf.Tensor[] = engine.runKernel(
      contract.name,
      { ...inputs },
      attrs as unknown as tf.NamedAttrMap,
    );
    return Array.isArray(output) ? output : [output];
  }
  state.kernelDepth++;
  try {
    const given = { inputs, attrs, backend: engine.backend, outputShapes };
    const infos = kernel.kernelFunc(given as unknown as Parameters<tf.KernelFunc>[0]);
    const outputs = (Array.isArray(infos) ? infos : [infos]).map((info) =>
      info instanceof tf.Tensor ? info : engine.makeTensorFromTensorInfo(info),
    );
    if (tape !== undefined) record(tape, call, outputs);
    return outputs;
  } finally {
    state.kernelDepth--;
  }
}

function record<Name extends string, Attrs extends Attributes>(
  tape: Tape,
  { contract, inputs, attrs }: Call<Name, Attrs>,
  outputs: readonly tf.Tensor[],
): void {
  const node = { id: -1, kernelName: contract.name, inputs, outputs };
  tape.record(node, () => {
    if (contract.gradient === null) return { saved: [] };
    const wanted = contract.save.inputs.map((name) => inputs[name]);
    const saved = [...wanted, ...outputs.filter((_, i) => contract.save.outputs[i])].map((tensor) =>
      tf.keep(detach(tensor)),
    );
    const gradient = (dys: readonly (tf.Tensor | undefined)[]) => {
      const all = outputs.map(({ shape }, i) => dys[i] ?? tf.fill(shape, 0));
      return gradientThunks(contract, all, saved, attrs);
    };
    return { saved, gradient };
  });
}

function shapesOf<Name extends string>(inputs: Inputs<Name, tf.Tensor>): Inputs<Name, readonly number[]> {
  const shapes: Partial<Record<Name, readonly number[]>> = {};
  for (const name in inputs) shapes[name] = inputs[name].shape;
  return shapes as Inputs<Name, readonly number[]>;
}
