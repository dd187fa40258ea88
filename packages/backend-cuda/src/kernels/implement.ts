import type { Attributes, Inputs, KernelContract } from "@basic-mllm/core";
import { type DeviceCall, type DeviceKernels, deviceKernels } from "@basic-mllm/core/device";
import type * as tf from "@tensorflow/tfjs-core";

import { BACKEND_NAME, type CudaBackend } from "../backend.js";
import { isBf16 } from "../memory/storage.js";
import { stored } from "./convert/convert.js";

/** What a body works with. */
export type Call<Name extends string, Attrs extends Attributes> = DeviceCall<CudaBackend, Name, Attrs>;

/** Makes a tensor with arbitrary content, float32 by default. */
export type Allocate = CudaBackend["allocate"];

/** How the tensors of a contract are kept where the precision is bf16. Default: the body sees nothing but float32. */
export interface Storages<Name extends string, Attrs extends Attributes> {
  /** Outputs that are activations, or gradients of activations: kept in bfloat16. */
  readonly outputs: readonly number[] | ((attrs: Attrs) => readonly number[]);
  /** Inputs that the body reads in bfloat16; it then writes such outputs. Others are widened for it. Default: none. */
  readonly reads?: "all" | readonly Name[];
  /**
   * Whether these may be kept in different ways. Default: they are not, so that where one is in float32, all are widened, and the
   * results are rounded. `all` may be.
   */
  readonly apart?: boolean;
  /** Whether the body writes float32 all the same, and its results are rounded. Default: no. */
  readonly writesFloats?: boolean;
}

const registered: DeviceKernels<CudaBackend> = deviceKernels(BACKEND_NAME);

/** Registers a body that fills the outputs. */
export function implement<Name extends string, Attrs extends Attributes>(
  contract: KernelContract<Name, Attrs>,
  body: (call: Call<Name, Attrs>) => void,
  storages: Storages<NoInfer<Name>, NoInfer<Attrs>> = { outputs: [] },
): void {
  registered.implement<Name, Attrs>(
    contract,
    (call) => {
      if (call.backend.precision === "bf16") runInBf16(call, body, storages);
      else body(call);
    },
    ({ backend, attrs }, index) => {
      if (backend.precision !== "bf16") return "f32";
      const { outputs } = storages;
      return (typeof outputs === "function" ? outputs(attrs) : outputs).includes(index) ? "bf16" : "f32";
    },
  );
}

/** Gives the body what it reads, and rounds what it writes. */
function runInBf16<Name extends string, Attrs extends Attributes>(
  call: Call<Name, Attrs>,
  body: (call: Call<Name, Attrs>) => void,
  { reads = [], apart = reads === "all", writesFloats = false }: Storages<Name, Attrs>,
): void {
  const { backend, inputs, outputs, scratch } = call;
  const named = reads === "all" ? (Object.keys(inputs) as Name[]) : reads;
  const asTheyAre = apart || (named.length > 0 && named.every((name) => isBf16(inputs[name])));
  const adapted = widened(call, asTheyAre ? named : []);
  const direct = asTheyAre && !writesFloats;
  const written = direct
    ? outputs
    : outputs.map((output) => (isBf16(output) ? scratch(output.shape) : output));
  body({ ...call, inputs: adapted, outputs: written, out: (index) => written[index] as tf.TensorInfo });
  for (const [i, output] of outputs.entries()) {
    if (written[i] !== output) backend.copy(written[i] as tf.TensorInfo, output);
  }
}

/** The inputs, of which none but the named ones is in bfloat16. */
function widened<Name extends string>(
  {
    backend,
    inputs,
    scratch,
  }: Pick<DeviceCall<CudaBackend, Name, Attributes>, "backend" | "inputs" | "scratch">,
  names: readonly Name[],
): Inputs<Name, tf.TensorInfo> {
  const kept = (name: Name, x: tf.TensorInfo) =>
    names.includes(name) ? x : stored(backend, scratch, { x, storage: "f32" });
  const entries = Object.entries<tf.TensorInfo>(inputs).map(([name, x]) => [name, kept(name as Name, x)]);
  return Object.fromEntries(entries);
}

/** As core's: of a body that changes inputs in place, which are float32. The others are widened for it. */
export const implementInPlace: DeviceKernels<CudaBackend>["implementInPlace"] = (contract, body) =>
  registered.implementInPlace(contract, (call) => body({ ...call, inputs: widened(call, []) }));

/** As core's: of a body that writes into buffers, which are float32. The others are widened for it. */
export const implementWithCache: DeviceKernels<CudaBackend>["implementWithCache"] = (contract, body) =>
  registered.implementWithCache(contract, (call) => body({ ...call, inputs: widened(call, []) }));
