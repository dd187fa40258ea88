import { BasicError, startBackend } from "@basic-mllm/core";

import {
  type ConformanceResult,
  REFERENCE_BACKEND,
  runConformance,
  startReferenceBackend,
} from "@basic-mllm/testing";

/** What `npm run test:conformance` runs. */
export async function main(backend: string): Promise<ConformanceResult> {
  if (backend === "reference") {
    return runConformance({ backend: REFERENCE_BACKEND, start: () => startReferenceBackend() });
  }
  if (!["cpu", "webgpu", "cuda"].includes(backend)) {
    throw new BasicError(
      "E_USAGE",
      `There is no backend "${backend}" to test. Run npm run test:conformance -- --backend NAME with cpu, reference, webgpu or cuda.`,
    );
  }
  const load = (specifier: string): Promise<unknown> =>
    backend === "cpu" ? import("@basic-mllm/backend-cpu") : import(/* @vite-ignore */ specifier);
  const { tfjsName, device } = await startBackend(backend, { load });
  return runConformance({ backend: tfjsName, start: async () => tfjsName, device: () => device });
}
