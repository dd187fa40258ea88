import { createRequire } from "node:module";
import { BasicError, type Recipe, type StartedBackend, setFallback, startBackend } from "@basic-mllm/core";

import * as tensorflow from "./tensorflow.js";

/** Backends that recipes may name, and where they come from. */
const BACKENDS = [
  { name: "cpu", describe: "native kernels (Rust), every computer" },
  { name: "webgpu", describe: "WGSL kernels, browsers and Node" },
  { name: "cuda", describe: "CUDA kernels, NVIDIA GPUs" },
  { name: tensorflow.TENSORFLOW, describe: "TensorFlow through tfjs-node, optional" },
] as const;

/**
 * Starts the backend that a recipe names. TensorFlow has no kernels of ours, so what the recipe says of missing ones does not
 * hold there: all of them run as compositions of its own operations.
 *
 * @param imagine - Bytes of memory of a device to imagine instead of one that is there.
 * @throws BasicError as `startBackend`.
 */
export async function startRecipeBackend(
  recipe: Pick<Recipe, "backend" | "fallback" | "precision">,
  imagine?: number,
): Promise<StartedBackend> {
  const { backend, precision } = recipe;
  const engine = backend === tensorflow.TENSORFLOW;
  const fallback = engine ? "reference" : recipe.fallback;
  const load = async () => tensorflow;
  const started = await startBackend(backend, { fallback, precision, imagine, ...(engine && { load }) });
  setFallback(fallback);
  return started;
}

/** Whether a backend needs no device to say what fits in the memory of one. */
export async function imaginesDevices(name: string): Promise<boolean> {
  if (name === tensorflow.TENSORFLOW || !installed(name)) return false;
  const { imagines } = (await import(`@basic-mllm/backend-${name}`)) as { readonly imagines?: boolean };
  return imagines === true;
}

/** Whether a backend works on this machine, and why not. */
export interface BackendStatus {
  readonly name: string;
  /** What it computes with, where it works; else what it is. */
  readonly description: string;
  readonly works: boolean;
  readonly reason: string;
}

/** Looks at every backend without changing which one runs. Starts the CPU backend, which costs nothing. */
export async function backendStatus(): Promise<readonly BackendStatus[]> {
  return Promise.all(
    BACKENDS.map(async ({ name, describe }) => {
      if (name !== tensorflow.TENSORFLOW && !installed(name))
        return { name, description: describe, works: false, reason: missing(name) };
      try {
        return { name, description: await deviceOf(name), works: true, reason: "" };
      } catch (error) {
        const reason = error instanceof BasicError ? error.message : String(error);
        return { name, description: describe, works: false, reason };
      }
    }),
  );
}

/** What a backend computes with. A process has one backend, so those but the CPU's are not started, only asked. */
async function deviceOf(name: string): Promise<string> {
  if (name === "cpu") return (await startBackend(name)).device;
  if (name === tensorflow.TENSORFLOW) return tensorflow.probe();
  const { probe } = (await import(`@basic-mllm/backend-${name}`)) as { probe: () => Promise<string> };
  return probe();
}

/** Why a backend is not here, and what to do. */
function missing(name: string): string {
  return `@basic-mllm/backend-${name} is not installed: npm install @basic-mllm/backend-${name}`;
}

function installed(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(`@basic-mllm/backend-${name}/package.json`);
    return true;
  } catch {
    return false;
  }
}
