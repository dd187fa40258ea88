import { setTimeout as sleep } from "node:timers/promises";

import { ATTEMPTS, type ConnectionOptions, isNetworkError, isTemporary, pauseAfter } from "./connection.js";

interface AskingOptions extends ConnectionOptions {
  readonly fetch: typeof fetch;
  /** Milliseconds before the second attempt; doubled each time. */
  readonly pause: number;
}

/** `fetch` for short answers: asks again where the connection fails or the server cannot answer for now. */
export function patientFetch(options: AskingOptions): typeof fetch {
  return async (url, init) => {
    for (let attempt = 1; attempt < ATTEMPTS; attempt++) {
      const response = await ask(options, url, init).catch((error: unknown) => {
        if (options.signal?.aborted || !(isNetworkError(error) || isTimeout(error))) throw error;
      });
      if (response !== undefined && !isTemporary(response.status)) return response;
      await response?.body?.cancel();
      const { pause, signal } = options;
      await sleep(pauseAfter(attempt, pause), undefined, { ...(signal !== undefined && { signal }) });
    }
    return ask(options, url, init);
  };
}

function ask(
  { fetch, timeout, signal: outer }: AskingOptions,
  ...[url, init]: Parameters<typeof fetch>
): Promise<Response> {
  const signals = [AbortSignal.timeout(timeout), ...(outer === undefined ? [] : [outer])];
  return fetch(url, { ...init, signal: AbortSignal.any(signals) });
}

function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === "TimeoutError";
}
