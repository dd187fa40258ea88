import { BasicError, startBackend } from "@basic-mllm/core";

/** A backend of ours that runs, and how closely it has to compute. */
export interface TestedBackend {
  /** In tfjs's registry. */
  readonly tfjsName: string;
  readonly device: string;
  /** Factor on every tolerance; the package exports it, with its reason. */
  readonly toleranceFactor: number;
}

const LOADERS: Readonly<Record<string, () => Promise<object>>> = {
  cpu: () => import("@basic-mllm/backend-cpu"),
  cuda: () => import("@basic-mllm/backend-cuda"),
  webgpu: () => import("@basic-mllm/backend-webgpu"),
  tensorflow: () => import("../packages/cli/src/session/tensorflow.js"),
};

/** Engines without kernels of ours: every contract runs through its reference. */
const BY_REFERENCE: ReadonlySet<string> = new Set(["tensorflow"]);

/**
 * Starts a backend of ours from its sources.
 *
 * @throws BasicError `E_USAGE` for a name that is none of ours.
 */
export async function startTested(name: string): Promise<TestedBackend> {
  const load = LOADERS[name];
  if (load === undefined) {
    throw new BasicError(
      "E_USAGE",
      `There is no backend "${name}" to test. Use one of ${Object.keys(LOADERS).join(", ")}, or reference.`,
    );
  }
  const { tfjsName, device } = await startBackend(name, {
    load,
    ...(BY_REFERENCE.has(name) && { fallback: "reference" }),
  });
  const loaded: { readonly toleranceFactor?: number } = await load();
  const { toleranceFactor = 1 } = loaded;
  return { tfjsName, device, toleranceFactor };
}
