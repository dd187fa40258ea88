import {
  type Attributes,
  allContracts,
  BasicError,
  type InputSpec,
  type KernelContract,
  runKernel,
} from "@basic-mllm/core";
import { type AnyCase, hostTensor } from "@basic-mllm/testing";
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";

/** A case of a contract with one thing changed. `where` and `how` choose it. */
export interface Change {
  readonly contract: string;
  readonly title: string;
  readonly kind: "axis" | "rank" | "type" | "values" | "attribute";
  readonly where: number;
  readonly how: number;
}

const NUMBERS = [0, -1, 1.5, 2 ** 31, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, 17];
const INTEGERS = [-1, 2 ** 31 - 1, -(2 ** 31), 100_000, 0];
const VALUES = [Number.NaN, Number.POSITIVE_INFINITY, 1e38, 0];

const at = <T>(list: readonly T[], index: number): T => list[index % list.length] as T;

/** Changes of every case of a contract. */
export function changes(contract: KernelContract): fc.Arbitrary<Change> {
  return fc.record({
    contract: fc.constant(contract.name),
    title: fc.constantFrom(...contract.cases.map(({ title }) => title)),
    kind: fc.constantFrom("axis", "rank", "type", "values", "attribute"),
    where: fc.nat(50),
    how: fc.nat(50),
  });
}

/** Contracts by name. */
export const contracts: ReadonlyMap<string, KernelContract> = new Map(
  allContracts.map((contract) => [contract.name, contract]),
);

function changedInput(spec: InputSpec, { kind, where, how }: Change): InputSpec {
  const { values: _, ...rest } = spec;
  const axis = where % Math.max(spec.shape.length, 1);
  if (kind === "axis") {
    const shape = spec.shape.map((size, i) =>
      i === axis ? Math.max(0, at([size + 1, size - 1, 0], how)) : size,
    );
    return { ...rest, shape };
  }
  if (kind === "rank") {
    return { ...rest, shape: how % 2 === 0 ? spec.shape.slice(1) : [1, ...spec.shape] };
  }
  return kind === "type" ? { ...rest, dtype: spec.dtype === "int32" ? "float32" : "int32" } : spec;
}

function changedAttribute(value: Attributes[string], { where, how }: Change): Attributes[string] {
  if (typeof value === "number") return at(NUMBERS, how);
  if (typeof value === "boolean") return !value;
  if (typeof value === "string") return "unheard-of";
  if (how % 3 === 0) return value.slice(0, -1);
  const copy = value.slice();
  if (copy.length > 0) copy[where % copy.length] = at(INTEGERS, how);
  return copy;
}

function attributesOf(change: Change, { attrs }: AnyCase): Attributes {
  const names = Object.keys(attrs);
  if (change.kind !== "attribute" || names.length === 0) return attrs;
  const name = at(names, change.where);
  return { ...attrs, [name]: changedAttribute(attrs[name] as Attributes[string], change) };
}

function inputsOf(change: Change, contract: KernelContract, testCase: AnyCase): Record<string, tf.Tensor> {
  const { kind, where, how } = change;
  const target = at(contract.inputs, where);
  return Object.fromEntries(
    contract.inputs.map((name) => {
      const given = testCase.inputs[name] as InputSpec;
      const { values, shape, dtype } = hostTensor(
        name === target ? changedInput(given, change) : given,
        `${contract.name}/${testCase.title}/${name}`,
      );
      const list = [...values];
      if (kind === "values" && name === target && list.length > 0) {
        list[where % list.length] = dtype === "int32" ? at(INTEGERS, how) : at(VALUES, how);
      }
      return [name, tf.tensor(list, [...shape], dtype)];
    }),
  );
}

/** The error of a changed call that is none of ours, if there is one. */
export function foreignError(change: Change): string | undefined {
  const contract = contracts.get(change.contract);
  const testCase = contract?.cases.find(({ title }) => title === change.title);
  if (contract === undefined || testCase === undefined) return `there is no case ${change.title}`;
  try {
    tf.tidy(() => {
      runKernel(contract, inputsOf(change, contract, testCase), attributesOf(change, testCase));
    });
    return undefined;
  } catch (error) {
    const ours = error instanceof BasicError && !error.message.includes("internal error");
    return ours ? undefined : String(error);
  }
}
