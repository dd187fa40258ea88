// Runs in a thread of its own: one picture in, its fitted pixels out.
import { BasicError, type ErrorCode } from "@basic-mllm/core";
import { move, transferableSymbol, valueSymbol } from "piscina";
import sharp from "sharp";

import { type ImageTask, openContent } from "./pixel-store.js";
import type { FittedPicture } from "./tiles.js";

/** What a thread answers. An error would lose its class on the way: its parts are sent. */
export type ImageAnswer = FittedPicture | { readonly code: ErrorCode; readonly message: string };

// The number of threads is the pool's, not that of cores for each of them.
sharp.concurrency(1);

/** Opens one picture. @returns An {@link ImageAnswer} whose pixels are handed over, not copied. */
export async function openInThread(task: ImageTask): Promise<unknown> {
  try {
    const answer: ImageAnswer = await openContent(task);
    // Images of one picture may share a buffer.
    const buffers = new Set(answer.images.map(({ pixels }) => pixels.buffer));
    return move({ [transferableSymbol]: [...buffers], [valueSymbol]: answer } as never);
  } catch (error) {
    if (!(error instanceof BasicError)) throw error;
    const answer: ImageAnswer = {
      code: error.code,
      message: error.message.replace(/ \[E_[A-Z_]+\]$/, ""),
    };
    return answer;
  }
}
