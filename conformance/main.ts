import { allContracts, BasicError, type KernelContract } from "@basic-mllm/core";
import {
  type ConformanceResult,
  REFERENCE_BACKEND,
  runConformance,
  startReferenceBackend,
} from "@basic-mllm/testing";

import { startTested } from "./backends.js";

/**
 * What `npm run test:conformance` runs.
 *
 * @param names - Of contracts. None: all of them.
 */
export async function main(backend: string, names: readonly string[] = []): Promise<ConformanceResult> {
  const contracts = names.length === 0 ? allContracts : names.map(contractOf);
  if (backend === "reference") {
    return runConformance({ backend: REFERENCE_BACKEND, start: () => startReferenceBackend(), contracts });
  }
  const { tfjsName, device, toleranceFactor } = await startTested(backend);
  return runConformance({
    backend: tfjsName,
    start: async () => tfjsName,
    contracts,
    toleranceFactor,
    device: () => device,
  });
}

function contractOf(name: string): KernelContract {
  const contract = allContracts.find((each) => each.name === name);
  if (contract !== undefined) return contract;
  throw new BasicError(
    "E_USAGE",
    `There is no contract "${name}". Use one of ${allContracts.map((each) => each.name).join(", ")}.`,
  );
}
