import { BasicError, startBackend } from "@basic-mllm/core";

import { type ConformanceResult, runConformance } from "../src/conformance.js";
import { REFERENCE_BACKEND, startReferenceBackend } from "../src/reference-backend.js";

/** What `npm run test:conformance` runs. */
export async function main(backend: string): Promise<ConformanceResult> {
  if (backend === "reference") {
    return runConformance({ backend: REFERENCE_BACKEND, start: () => startReferenceBackend() });
  }
  if (!["cpu", "webgpu", "cuda"].includes(backend)) {
    throw new BasicError("E_USAGE", `There is no backend "${backend}" to test. Known: cpu, reference.`);
  }
  const load = () => import(/* @vite-ignore */ `../../backend-${backend}/src/index.ts`);
  const { tfjsName } = await startBackend(backend, { load });
  return runConformance({ backend: tfjsName, start: async () => tfjsName });
}
