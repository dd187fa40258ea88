import { startBackend, type VlmRecipe } from "@basic-mllm/core";
import { createImagePool, type ImagePool } from "@basic-mllm/data";

import type { TaskContext } from "./task.js";

/** Threads that open pictures while the main thread computes. */
export interface PictureThreads {
  readonly pool: ImagePool;
  /** Ends them, and gives the kernels their threads back. May be called again. */
  close(): void;
}

/** Starts the threads that a recipe, or the command, asks for; null for none: the main thread opens pictures. */
export async function openPictureThreads({
  recipe,
  workers = recipe.data.workers ?? 0,
}: TaskContext<VlmRecipe>): Promise<PictureThreads | null> {
  if (workers === 0) return null;
  const giveBack = await takeFromKernels(recipe.backend, workers);
  const pool = createImagePool({ threads: workers });
  let open = true;
  return {
    pool,
    close: () => {
      if (!open) return;
      open = false;
      giveBack();
      void pool.close();
    },
  };
}

/** A number of kernel threads that somebody chose stays as it is. @returns What gives them back. */
async function takeFromKernels(backend: string, count: number): Promise<() => void> {
  const { threads } = await startBackend(backend);
  const chosen = process.env["BASIC_MLLM_THREADS"] ?? "";
  if (threads === undefined || chosen !== "") return () => undefined;
  const taken = Math.min(count, threads.count() - 1);
  threads.set(threads.count() - taken);
  return () => threads.set(threads.count() + taken);
}
