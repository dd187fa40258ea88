import { fileURLToPath } from "node:url";

import { BasicError } from "@basic-mllm/core";
import { Piscina } from "piscina";

import type { ImageAnswer } from "./image-worker.js";
import type { ImageTask } from "./pixel-store.js";
import type { FittedPicture } from "./tiles.js";

/** Threads that decode and resize images while the main thread computes. */
export interface ImagePool {
  readonly threads: number;
  /**
   * Reads, decodes and fits one picture.
   *
   * @throws `BasicError` `E_IMAGE` naming it; `E_INTERRUPTED` after {@link ImagePool.close}.
   */
  open(task: ImageTask): Promise<FittedPicture>;
  /** Ends the threads; images that wait are given up. */
  close(): Promise<void>;
}

/** How {@link createImagePool} starts. */
export interface ImagePoolOptions {
  /** Number of threads. They compete with the kernels for the cores: 1 or 2 are enough for most encoders. Default 1. */
  readonly threads?: number;
  /** The program of a thread. Default: the one of this package. */
  readonly program?: URL;
}

/**
 * Starts threads that open images.
 *
 * @throws `BasicError` `E_CONFIG` for a number of threads that is none.
 */
export function createImagePool(options: ImagePoolOptions = {}): ImagePool {
  const { threads = 1, program = new URL("./image-worker.js", import.meta.url) } = options;
  if (!Number.isInteger(threads) || threads < 1) {
    throw new BasicError(
      "E_CONFIG",
      `image pool: expected at least 1 thread, got ${threads}. Leave the pool out to decode on the main thread.`,
    );
  }
  const pool = new Piscina({
    filename: fileURLToPath(program),
    name: "openInThread",
    minThreads: threads,
    maxThreads: threads,
    // One image is read from the disk while another is decoded.
    concurrentTasksPerWorker: 2,
  });
  let closed = false;
  return {
    threads,
    open: async (task) => {
      try {
        if (closed) throw new Error("it was closed");
        return pictureOf((await pool.run({ ...task, content: alone(task.content) })) as ImageAnswer);
      } catch (cause) {
        throw cause instanceof BasicError ? cause : poolError(task.name, closed, cause);
      }
    },
    close: async () => {
      closed = true;
      await pool.destroy();
    },
  };
}

/** A message carries the whole buffer behind a view: an archive's, for one of its members. */
function alone(content: ImageTask["content"]): ImageTask["content"] {
  if (typeof content === "string" || content.byteLength === content.buffer.byteLength) return content;
  return new Uint8Array(content);
}

function pictureOf(answer: ImageAnswer): FittedPicture {
  if ("code" in answer) throw new BasicError(answer.code, answer.message);
  return answer;
}

function poolError(name: string, closed: boolean, cause: unknown): BasicError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return closed
    ? new BasicError(
        "E_INTERRUPTED",
        `image "${name}": the threads that open images were stopped before it.`,
        {
          cause,
        },
      )
    : new BasicError(
        "E_IMAGE",
        `image "${name}": the thread that opened it failed (${reason}). Open it on the main thread to see why.`,
        { cause },
      );
}
