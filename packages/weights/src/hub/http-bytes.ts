import { BasicError } from "@basic-mllm/core";

import type { RemoteBytes } from "../safetensors-remote.js";
import { ConnectionLost, interrupted, isNetworkError, isTemporary, watch } from "./connection.js";
import { httpError, networkError } from "./http-errors.js";

/** Attempts in a row that bring no byte before a reading is given up. */
const ATTEMPTS = 5;

/** Options of {@link openHttpBytes}. */
export interface HttpOptions {
  /** Sent with every request, for example `Authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends all readings. */
  readonly signal?: AbortSignal;
  /** Milliseconds without a byte after which a connection counts as lost. Default 60,000. */
  readonly timeout?: number;
  /** Milliseconds before the first new attempt; doubled each time. Default 500. */
  readonly pause?: number;
  /** Default the global fetch. */
  readonly fetch?: typeof fetch;
}

/**
 * A file on a web server, read by range: `openRemoteSafetensors(await openHttpBytes(url))` fetches the header and then the
 * tensors that are asked for, and nothing else. Cut connections are taken up where they ended.
 *
 * In a browser, the server must let pages of other sites see `Content-Range`.
 *
 * @throws `BasicError` `E_DOWNLOAD` for a server that cannot be reached, refuses, or sends whole files only; also later,
 *   where the file changes while it is read. `E_INTERRUPTED` after `signal`.
 */
export async function openHttpBytes(url: string | URL, options: HttpOptions = {}): Promise<RemoteBytes> {
  const site: Site = {
    url: String(url),
    headers: options.headers ?? {},
    timeout: options.timeout ?? 60_000,
    pause: options.pause ?? 500,
    fetch: options.fetch ?? fetch,
    signal: options.signal,
  };
  const { size, version } = await retrying(site, () => ask(site));
  return {
    location: site.url,
    size,
    read: (start, end) => readRange(site, { start, end, version, size }),
  };
}

interface Site {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeout: number;
  readonly pause: number;
  readonly fetch: typeof fetch;
  readonly signal: AbortSignal | undefined;
}

/** Size and version of the file, by asking for its first byte. */
async function ask(site: Site): Promise<{ readonly size: number; readonly version: string }> {
  return request(site, "bytes=0-0", async (response) => {
    await response.body?.cancel();
    const range = response.headers.get("content-range");
    const [, total] = /\/(\d+)$/.exec(range ?? "") ?? [];
    // An empty file has no byte 0.
    if (response.status === 200 || total === undefined) throw wholeOnly(site.url, response.status, range);
    return { size: Number(total), version: versionOf(response) };
  });
}

interface Range {
  readonly start: number;
  readonly end: number;
  readonly version: string;
  readonly size: number;
}

async function readRange(site: Site, range: Range): Promise<Uint8Array> {
  const bytes = new Uint8Array(range.end - range.start);
  const progress = { received: 0 };
  while (progress.received < bytes.length) {
    const target = bytes.subarray(progress.received);
    const from = { ...range, start: range.start + progress.received };
    await retrying(site, () => fill(site, from, { target, progress }));
  }
  return bytes;
}

interface Filling {
  readonly target: Uint8Array;
  /** Counts what arrives, also before a connection is cut. */
  readonly progress: { received: number };
}

/** One request; returns early where the connection ends early but something came. */
async function fill(site: Site, range: Range, { target, progress }: Filling): Promise<void> {
  await request(site, `bytes=${range.start}-${range.end - 1}`, async (response, alive) => {
    const given = response.headers.get("content-range");
    if (response.status !== 206 || !given?.startsWith(`bytes ${range.start}-`)) {
      await response.body?.cancel();
      throw wholeOnly(site.url, response.status, given);
    }
    if (versionOf(response) !== range.version || !given.endsWith(`/${range.size}`)) {
      await response.body?.cancel();
      throw new BasicError(
        "E_DOWNLOAD",
        `${site.url} has changed on the server while it was read. Open it again.`,
      );
    }
    await receive(response, { target, progress, url: site.url }, alive);
  });
}

async function receive(
  response: Response,
  { target, progress, url }: Filling & { readonly url: string },
  alive: () => void,
): Promise<void> {
  const reader = response.body?.getReader();
  let done = 0;
  try {
    for (let next = await reader?.read(); next?.value !== undefined; next = await reader?.read()) {
      alive();
      if (done + next.value.length > target.length) {
        await reader?.cancel();
        throw new BasicError(
          "E_DOWNLOAD",
          `${url} sent more than the ${target.length} bytes that were asked for.`,
        );
      }
      target.set(next.value, done);
      done += next.value.length;
    }
  } catch (error) {
    // What came is kept: the next request goes on behind it.
    if (done === 0 || !isNetworkError(error)) throw error;
  } finally {
    progress.received += done;
  }
  if (done === 0) throw new ConnectionLost("the connection ended before the first byte");
}

async function request<T>(
  site: Site,
  range: string,
  use: (response: Response, alive: () => void) => Promise<T>,
): Promise<T> {
  const { signal, alive, stop } = watch(site);
  try {
    const headers = { ...site.headers, "Accept-Encoding": "identity", Range: range };
    const response = await site.fetch(site.url, { headers, signal });
    alive();
    const { status } = response;
    if (status === 416 || response.ok) return await use(response, alive);
    await response.body?.cancel();
    if (isTemporary(status)) throw new ConnectionLost(`the server answered ${status}`);
    throw httpError(site.url, status);
  } finally {
    stop();
  }
}

async function retrying<T>(site: Site, work: () => Promise<T>): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await work();
    } catch (error) {
      if (site.signal?.aborted) throw interrupted(site.url, "Open it again to go on.");
      if (!isNetworkError(error)) throw error;
      if (failures >= ATTEMPTS) throw networkError(site.url, error);
      await new Promise((resolve) => setTimeout(resolve, site.pause * 2 ** (failures - 1)));
    }
  }
}

function versionOf({ headers }: Response): string {
  return headers.get("etag") ?? headers.get("last-modified") ?? "";
}

function wholeOnly(url: string, status: number, range: string | null): BasicError {
  return new BasicError(
    "E_DOWNLOAD",
    `${url} cannot be read in parts: asked for a range of bytes, the server answered ${status} with Content-Range ${range ?? "absent"}, expected 206 and the range. ` +
      "Download the whole file, or use a server with range requests (and, from another site, one that exposes Content-Range).",
  );
}
