import {
  type Attributes,
  allContracts,
  findKernel,
  implementKernel,
  type KernelCase,
  type KernelContract,
  type Tolerance,
} from "@basic-mllm/core";
import { hostTensor } from "@basic-mllm/testing";
import type * as tf from "@tensorflow/tfjs-core";

import { BACKEND_NAME, type CudaBackend } from "../src/index.js";
import { bf16Bits } from "../src/memory/storage.js";
import { ownContracts } from "./shapes.js";

/** Half a unit in the last place of eight bits: what one rounding changes of a value, relative to it. */
const ROUNDING = 2 ** -9;

/**
 * Largest difference that bfloat16 makes, relative to the largest value. Inputs of the cases are in bfloat16 already; a factor that a
 * kernel makes is rounded once, a product behind which an activation follows once, with a slope of up to 1.13, and the result once.
 */
export const BF16: Tolerance = { absolute: 2 ** -30, relative: 4 * ROUNDING };

/** Contracts of the optimizer, and inputs of others, that are float32 whatever the precision. */
const FLOAT32 = ["BasicAdamw"];
const FLOAT32_INPUTS =
  /^(keys|values|weight\d?|bias|table|vocabulary|mean|inverse|logSumExp|query|key|value|output|gate|up|down)$/;

/** The nearest value in bfloat16. */
export function nearest(value: number): number {
  const floats = Float32Array.of(value);
  const words = new Uint32Array(floats.buffer);
  words[0] = bf16Bits(words[0] ?? 0) << 16;
  return floats[0] as number;
}

let registrations: readonly KernelContract[] | undefined;

/** Each contract with inputs in bfloat16, under a name of its own; registered on the backend, once. */
export function contractsInBf16(): readonly KernelContract[] {
  registrations ??= [...allContracts, ...ownContracts].map(registered);
  return registrations;
}

const SUFFIX = /Bf16n\d+$/;

/** The name of the contract that a derived one comes from. */
export function originalName(name: string): string {
  return name.replace(SUFFIX, "");
}

function registered(contract: KernelContract, index: number): KernelContract {
  const derived: KernelContract = {
    ...contract,
    name: `${contract.name}Bf16n${index}`,
    cases: contract.cases.map((testCase) => roundedCase(contract, testCase)),
  };
  const kernel = findKernel(contract.name, BACKEND_NAME) as tf.KernelConfig;
  implementKernel<string, Attributes, CudaBackend>({
    contract: derived,
    backend: BACKEND_NAME,
    run: ({ inputs, attrs, backend }) => {
      const given = Object.entries(inputs).map(([name, x]) => [name, inBf16(contract, { backend, name, x })]);
      const own = Object.fromEntries(given) as Record<string, tf.TensorInfo>;
      const outputs = kernel.kernelFunc({ inputs: own, attrs: attrs as tf.NamedAttrMap, backend });
      for (const [name, x] of Object.entries(own)) if (x !== inputs[name]) backend.disposeData(x.dataId);
      return outputs;
    },
  });
  return derived;
}

interface Input {
  readonly backend: CudaBackend;
  readonly name: string;
  readonly x: tf.TensorInfo;
}

/** A copy in bfloat16, where training has this input in it. */
export function inBf16(contract: Pick<KernelContract, "name">, { backend, name, x }: Input): tf.TensorInfo {
  if (!isActivation(contract, { name, dtype: x.dtype, rank: x.shape.length })) return x;
  const copy = backend.allocate(x.shape, "float32", "bf16");
  backend.copy(x, copy);
  return copy;
}

function isActivation(
  contract: Pick<KernelContract, "name">,
  { name, dtype, rank }: { readonly name: string; readonly dtype: string; readonly rank: number },
): boolean {
  const floats =
    FLOAT32.some((own) => contract.name.startsWith(own)) ||
    (FLOAT32_INPUTS.test(name) && !/^BasicGated/.test(contract.name));
  return !floats && dtype === "float32" && rank > 1;
}

/** The case with all matrices of floats in bfloat16, so that factors are exact. */
function roundedCase(
  contract: KernelContract,
  testCase: KernelCase<string, Attributes>,
): KernelCase<string, Attributes> {
  const inputs = Object.entries(testCase.inputs).map(([name, spec]) => {
    if (spec.dtype === "int32" || spec.shape.length < 2) return [name, spec] as const;
    const { values } = hostTensor(spec, `${contract.name}/${testCase.title}/${name}`);
    return [name, { ...spec, values: values.map(nearest) }] as const;
  });
  const { absolute, relative } = testCase.tolerance ?? contract.tolerance;
  const tolerance = {
    absolute: absolute + BF16.absolute,
    relative: relative + BF16.relative,
  };
  return { ...testCase, inputs: Object.fromEntries(inputs), tolerance };
}
