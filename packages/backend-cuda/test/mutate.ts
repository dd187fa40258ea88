import { allContracts, type KernelContract } from "@basic-mllm/core";
import { runConformance } from "@basic-mllm/testing";
import { vi } from "vitest";

import { Compiler } from "../src/compile/compiler.js";
import { BACKEND_NAME, type StartOptions, start, stop, toleranceFactor } from "../src/index.js";
import { sharedHeaders } from "../src/kernels/headers.js";
import { contractsInBf16, originalName } from "./bf16.js";
import { emulated, fake } from "./emulator.js";
import { type Mutation, mutated } from "./mutations/mutation.js";
import { operationContracts } from "./operation-contracts.js";
import { ownContracts } from "./shapes.js";
import { boundedContracts, MANTISSA } from "./tensor-shapes.js";

/** Memory without slack, so that an access beyond a tensor is a fault. */
function optionsFor({ precision }: Mutation): StartOptions {
  return emulated({ exactMemory: true, precision: precision ?? "f32" });
}

/** The first case that notices a mutation, and how; undefined where none does. */
export async function noticed(mutation: Mutation): Promise<string | undefined> {
  const restore = plant(mutation);
  stop();
  try {
    await start(optionsFor(mutation));
    return await firstFailure(mutation);
  } finally {
    stop();
    restore();
    // A fault ends everything that the process does on a device, also here.
    fake.reset();
  }
}

async function firstFailure(mutation: Mutation): Promise<string | undefined> {
  for (const contract of contractsFor(mutation)) {
    for (const testCase of contract.cases) {
      const message = await failureOf({ ...contract, cases: [testCase] }, optionsFor(mutation));
      if (message !== undefined) return `${contract.name}, ${testCase.title}: ${message}`;
    }
  }
  return undefined;
}

function contractsFor({ contracts: names, precision }: Mutation): readonly KernelContract[] {
  if (precision === "bf16") return contractsInBf16().filter(({ name }) => names.includes(originalName(name)));
  const plain = [...operationContracts, ...ownContracts, ...allContracts];
  const all = precision === undefined ? plain : boundedContracts(MANTISSA[precision]);
  return all.filter(({ name }) => names.includes(name));
}

/** A fault of the device or a kernel that does not compile is thrown; wrong numbers are returned. */
async function failureOf(contract: KernelContract, device: StartOptions): Promise<string | undefined> {
  const options = { backend: BACKEND_NAME, start: () => start(device), contracts: [contract] };
  try {
    const { failures } = await runConformance({ ...options, toleranceFactor });
    return failures[0]?.messages[0];
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Compiles the mutated text instead of the original, until it is restored. */
function plant(mutation: Mutation): () => void {
  const text = mutated(mutation);
  const headers = sharedHeaders as Record<string, string>;
  const header = Object.keys(headers).find((name) => headers[name] === mutation.text);
  if (header !== undefined) {
    headers[header] = text;
    return () => {
      headers[header] = mutation.text;
    };
  }
  const original = Compiler.prototype.image;
  const spy = vi.spyOn(Compiler.prototype, "image").mockImplementation(function (
    this: Compiler,
    program,
    target,
  ) {
    const source = program.source === mutation.text ? text : program.source;
    return original.call(this, { ...program, source }, target);
  });
  return () => spy.mockRestore();
}
