import { BasicError } from "@basic-mllm/core";

/** Attempts in a row without a byte or an answer before a server is given up. */
export const ATTEMPTS = 5;

/** How long a connection may be silent, and who may end it. */
export interface ConnectionOptions {
  /** Milliseconds without a byte after which a connection counts as lost. */
  readonly timeout: number;
  readonly signal?: AbortSignal | undefined;
}

/** A transfer that may succeed when it is tried again. */
export class ConnectionLost extends Error {}

/** A signal that fires when no byte came for a while, or when the caller stops. */
export function watch({ timeout, signal: outer }: ConnectionOptions) {
  const controller = new AbortController();
  const late = () => controller.abort(new ConnectionLost(`no byte came for ${timeout / 1000} s`));
  const passOn = () => controller.abort(outer?.reason);
  let timer = setTimeout(late, timeout);
  outer?.addEventListener("abort", passOn);
  if (outer?.aborted === true) passOn();
  return {
    signal: controller.signal,
    alive: () => {
      clearTimeout(timer);
      timer = setTimeout(late, timeout);
    },
    stop: () => {
      clearTimeout(timer);
      outer?.removeEventListener("abort", passOn);
    },
  };
}

/** Whether a server may answer otherwise a moment later. */
export function isTemporary(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

/** What fetch throws for cut connections is a TypeError. */
export function isNetworkError(error: unknown): boolean {
  return error instanceof ConnectionLost || error instanceof TypeError;
}

/** Milliseconds before attempt `attempt` + 1. */
export function pauseAfter(attempt: number, first: number): number {
  return first * 2 ** (attempt - 1);
}

/** What is left of a download into a folder that was stopped. */
export const PARTS_KEPT = "What is there was kept: run the command again to go on.";

/** `E_INTERRUPTED`. @param kept - What is left of it, and how to go on. */
export function interrupted(url: string, kept: string): BasicError {
  return new BasicError("E_INTERRUPTED", `The download of ${url} was stopped. ${kept}`);
}
