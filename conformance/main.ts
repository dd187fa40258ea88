import {
  type ConformanceResult,
  REFERENCE_BACKEND,
  runConformance,
  startReferenceBackend,
} from "@basic-mllm/testing";

import { startTested } from "./backends.js";

/** What `npm run test:conformance` runs. */
export async function main(backend: string): Promise<ConformanceResult> {
  if (backend === "reference") {
    return runConformance({ backend: REFERENCE_BACKEND, start: () => startReferenceBackend() });
  }
  const { tfjsName, device, toleranceFactor } = await startTested(backend);
  return runConformance({
    backend: tfjsName,
    start: async () => tfjsName,
    toleranceFactor,
    device: () => device,
  });
}
