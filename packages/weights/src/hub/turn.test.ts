import { existsSync } from "node:fs";
import { appendFile, mkdir, mkdtemp, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { BasicError } from "@basic-mllm/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { type DownloadRequest, downloadFile, type TransferOptions } from "./download.js";

const elsewhere = JSON.stringify({ pid: 1234, host: "elsewhere", since: "2026-01-01T00:00:00.000Z" });

let folder: string;
let request: DownloadRequest;
let lock: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "turn-"));
  const path = join(folder, "model");
  request = { url: "http://host/model", headers: {}, path, partial: `${path}.incomplete`, size: 3 };
  lock = `${request.partial}.lock`;
});

afterEach(() => rm(folder, { recursive: true, force: true }));

/** A server that answers every request after a while; `asked` counts them. */
function server(answer: () => Response, after = 0) {
  const state = {
    asked: 0,
    fetch: async (): Promise<Response> => {
      state.asked++;
      await sleep(after);
      return answer();
    },
  };
  return state;
}

/** Of an answer that begins at a byte. */
function partOf(start: number): ResponseInit {
  return { status: 206, headers: { "content-range": `bytes ${start}-2/3` } };
}

function options(fetch: typeof globalThis.fetch, more: Partial<TransferOptions> = {}): TransferOptions {
  return { fetch, timeout: 60_000, pause: 1, ...more };
}

/** What a download throws, without the temporary folder. */
async function messageOf(download: Promise<void>): Promise<string> {
  const error: unknown = await download.catch((thrown: unknown) => thrown);
  if (!(error instanceof BasicError)) throw error ?? new Error("nothing was thrown");
  return error.message.replaceAll(folder, "CACHE");
}

/** Waits until a download has the lock. */
async function lockTaken(): Promise<void> {
  while (!existsSync(lock)) await sleep(5);
}

describe("a download that another one holds up", () => {
  it("gives up where that one shows no sign of life, and says who it is and what to remove", async () => {
    const hub = server(() => new Response("ew", partOf(1)));
    await writeFile(lock, elsewhere);
    await writeFile(request.partial, "n");
    expect(await messageOf(downloadFile(request, options(fetch, { timeout: 400 })))).toMatchInlineSnapshot(
      `"http://host/model is being downloaded by process 1234 on elsewhere since 2026-01-01T00:00:00.000Z, but nothing came and its lock was not touched for 0.4 s. If no such process runs any more, remove CACHE/model.incomplete.lock and run the command again, which goes on with what is there. Otherwise wait for it. [E_DOWNLOAD]"`,
    );
    expect(await readFile(lock, "utf8")).toBe(elsewhere);
    expect(hub.asked).toBe(0);
    await rm(lock);
    await downloadFile(request, options(hub.fetch));
    expect(await readFile(request.path, "utf8")).toBe("new");
  });

  it("gives up on a lock that says nothing, or that cannot be read", async () => {
    const { fetch } = server(() => new Response("new"));
    await writeFile(lock, "?");
    const message = await messageOf(downloadFile(request, options(fetch, { timeout: 400 })));
    expect(message).toMatchInlineSnapshot(
      `"http://host/model is being downloaded by an unknown process, but nothing came and its lock was not touched for 0.4 s. If no such process runs any more, remove CACHE/model.incomplete.lock and run the command again, which goes on with what is there. Otherwise wait for it. [E_DOWNLOAD]"`,
    );
    await rm(lock);
    await mkdir(lock);
    expect(await messageOf(downloadFile(request, options(fetch, { timeout: 400 })))).toBe(message);
  });

  it.each([
    ["its part grows", () => appendFile(request.partial, "n")],
    ["its lock is touched", (i: number) => utimes(lock, i, i)],
  ])("waits as long as %s", async (_sign, showLife) => {
    const { fetch } = server(() => new Response("new"));
    await writeFile(lock, elsewhere);
    const download = downloadFile({ ...request, size: 9 }, options(fetch, { timeout: 600 }));
    const ended = download.then(
      () => "ended",
      (error: unknown) => error,
    );
    for (let i = 0; i < 9; i++) {
      await showLife(i);
      expect(await Promise.race([ended, sleep(200, "waits")])).toBe("waits");
    }
    await writeFile(request.partial, "123456789");
    await rm(lock);
    expect(await ended).toBe("ended");
    expect(await readFile(request.path, "utf8")).toBe("123456789");
  });

  it("waits for one of this program whose server is silent for longer than it would wait itself", async () => {
    const slow = server(() => new Response("new"), 1500);
    const second = server(() => new Response("new"));
    const first = downloadFile(request, options(slow.fetch));
    await lockTaken();
    await downloadFile(request, options(second.fetch, { timeout: 600 }));
    await first;
    expect([slow.asked, second.asked]).toEqual([1, 0]);
    expect(await readFile(request.path, "utf8")).toBe("new");
  });
});

describe.each([3, undefined])("a download of %s bytes over an old file of the same size", (size) => {
  let sized: DownloadRequest;

  beforeEach(async () => {
    const { size: _, ...unsized } = request;
    sized = { ...unsized, ...(size !== undefined && { size }) };
    await writeFile(request.path, "old");
    await utimes(request.path, 1, 1);
  });

  it("asks for the file itself where the one that it waited for failed before a byte", async () => {
    const failing = server(() => new Response("", { status: 404 }), 100);
    const second = server(() => new Response("new"));
    const first = messageOf(downloadFile(sized, options(failing.fetch)));
    await lockTaken();
    await downloadFile(sized, options(second.fetch));
    expect(await first).toMatch(/^http:\/\/host\/model answered 404: .* \[E_DOWNLOAD\]$/);
    expect([failing.asked, second.asked]).toEqual([1, 1]);
    expect(await readFile(request.path, "utf8")).toBe("new");
  });

  it("asks for nothing where the one that it waited for finished", async () => {
    const slow = server(() => new Response("new"), 100);
    const second = server(() => new Response("new"));
    const first = downloadFile(sized, options(slow.fetch));
    await lockTaken();
    await downloadFile(sized, options(second.fetch));
    await first;
    expect([slow.asked, second.asked]).toEqual([1, 0]);
    expect(await readFile(request.path, "utf8")).toBe("new");
  });
});
