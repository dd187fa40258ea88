import { afterEach, beforeEach, describe, expect, it } from "vitest";

import {
  blobBytes,
  encodeSafetensors,
  openHttpBytes,
  openRemoteSafetensors,
  Safetensors,
} from "../src/index.js";
import { type HubServer, startHub } from "./hub-server.js";

const tensors = [
  { name: "a", shape: [3], values: Float32Array.of(1, 2, 3) },
  { name: "ids", shape: [2], values: Int32Array.of(7, 8) },
  { name: "large", shape: [3_000_000], values: Float32Array.from({ length: 3_000_000 }, (_, i) => i % 128) },
];
const forms = (["F32", "F16", "BF16"] as const).map(
  (dtype) => [dtype, encodeSafetensors(tensors, { dtype })] as const,
);
const [, whole] = forms[0] as (typeof forms)[number];

const same = (a: Float32Array, b: Float32Array): boolean =>
  Buffer.compare(new Uint8Array(a.buffer), new Uint8Array(b.buffer)) === 0;

describe("a Blob", () => {
  it.each(forms)("of %s gives the values of the file in memory", async (_, bytes) => {
    const file = await openRemoteSafetensors(new Blob([bytes.slice()]));
    const expected = new Safetensors(bytes);
    expect(file.names).toEqual(expected.names);
    expect(file.metadata).toEqual({ format: "pt" });
    for (const name of ["a", "large"])
      expect(same(await file.floats(name), expected.floats(name))).toBe(true);
    expect([...(await file.integers("ids"))]).toEqual([7, 8]);
  });

  it("is refused with the messages of a file", async () => {
    for (const length of [0, 4, 9, 100, whole.length - 1]) {
      const blob = new Blob([whole.slice(0, length)]);
      const expected = () =>
        new Safetensors({ ...bytesSource(whole.subarray(0, length)), location: "part.bin" });
      const message = await openRemoteSafetensors(blobBytes(blob, "part.bin")).catch(
        (error: unknown) => (error as Error).message,
      );
      expect(expected).toThrow(message as string);
    }
    const file = await openRemoteSafetensors(new Blob([whole.slice()]));
    await expect(file.floats("ids")).rejects.toThrow(
      'blob: tensor "ids" has type I32, expected F32, F16, BF16 or F64. Convert the file to one of them. [E_WEIGHTS_FORMAT]',
    );
    await expect(file.floats("b")).rejects.toThrow('blob holds no tensor "b". [E_WEIGHTS_MISSING]');
  });
});

function bytesSource(bytes: Uint8Array) {
  return {
    size: bytes.length,
    read: (start: number, end: number) => bytes.subarray(start, end),
    readInto: (target: Uint8Array, start: number) => target.set(bytes.subarray(start, start + target.length)),
    close: () => undefined,
  };
}

describe("a file on a server", () => {
  let hub: HubServer;
  let url: string;

  beforeEach(async () => {
    hub = await startHub({ "w.safetensors": whole, "empty.safetensors": new Uint8Array() });
    url = `${hub.url}/w.safetensors`;
  });

  afterEach(() => hub.close());

  const open = async (name = url) =>
    openRemoteSafetensors(await openHttpBytes(name, { pause: 1, timeout: 5000 }));

  /** What opening or `use` throws, without the port. */
  async function messageOf(use: () => Promise<unknown>): Promise<string> {
    const error: unknown = await use().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    return (error as Error).message.replaceAll(hub.url, "SERVER");
  }

  it("is read by range: the header, then what is asked for", async () => {
    const file = await open();
    expect([...(await file.floats("a"))]).toEqual([1, 2, 3]);
    const { begin } = file.entry("a");
    expect(hub.requests).toEqual([
      "GET /w.safetensors bytes=0-0",
      "GET /w.safetensors bytes=0-7",
      `GET /w.safetensors bytes=8-${begin - 1}`,
      `GET /w.safetensors bytes=${begin}-${begin + 11}`,
    ]);
    expect(same(await file.floats("large"), new Safetensors(whole).floats("large"))).toBe(true);
  });

  it("is taken up where a connection was cut", async () => {
    const file = await open();
    hub.requests.length = 0;
    hub.cut = { file: "w.safetensors", after: 1_000_000, times: 3 };
    expect(same(await file.floats("large"), new Safetensors(whole).floats("large"))).toBe(true);
    // Two pieces, and one more request for each cut.
    expect(hub.requests.length).toBe(2 + 3);
    expect(new Set(hub.requests).size).toBe(2 + 3);
  });

  it("is refused where the server sends whole files only", async () => {
    hub.wholeOnly = true;
    expect(await messageOf(open)).toMatchInlineSnapshot(
      `"SERVER/w.safetensors cannot be read in parts: asked for a range of bytes, the server answered 200 with Content-Range absent, expected 206 and the range. Download the whole file, or use a server with range requests (and, from another site, one that exposes Content-Range). [E_DOWNLOAD]"`,
    );
    hub.wholeOnly = false;
    const file = await open();
    hub.wholeOnly = true;
    expect(await messageOf(() => file.floats("a"))).toMatch(
      /^SERVER\/w\.safetensors cannot be read in parts/,
    );
  });

  it("is refused where it changes while it is read", async () => {
    const file = await open();
    hub.replaced.set(
      "w.safetensors",
      Uint8Array.from(whole, (byte, i) => (i === whole.length - 1 ? 1 : byte)),
    );
    expect(await messageOf(() => file.floats("a"))).toMatchInlineSnapshot(
      `"SERVER/w.safetensors has changed on the server while it was read. Open it again. [E_DOWNLOAD]"`,
    );
  });

  it("explains refusals, damaged files, and what it cannot reach", async () => {
    expect(await messageOf(() => open(`${hub.url}/absent`))).toMatchInlineSnapshot(
      `"SERVER/absent answered 404: there is no such file, repository or revision. Check owner, name and @revision. [E_DOWNLOAD]"`,
    );
    hub.replaced.set("w.safetensors", whole.subarray(0, 1000));
    expect(await messageOf(open)).toMatch(
      /^SERVER\/w\.safetensors is not a valid safetensors file: .*cut off/,
    );
    hub.status = 503;
    expect(await messageOf(open)).toMatchInlineSnapshot(
      `"SERVER/w.safetensors could not be downloaded: the server answered 503. Check the network, or set HF_HUB_OFFLINE=1 to use what the cache holds. [E_DOWNLOAD]"`,
    );
    const { url: gone } = hub;
    hub.status = null;
    await hub.close();
    expect((await messageOf(() => open(`${gone}/w`))).replace(/ECONN\w+/, "CODE")).toMatchInlineSnapshot(
      `"SERVER/w could not be downloaded: CODE. Check the network, or set HF_HUB_OFFLINE=1 to use what the cache holds. [E_DOWNLOAD]"`,
    );
  });

  it("stops when it is told to", async () => {
    const controller = new AbortController();
    const bytes = await openHttpBytes(url, { signal: controller.signal });
    controller.abort();
    expect(await messageOf(() => bytes.read(0, 8))).toMatchInlineSnapshot(
      `"The download of SERVER/w.safetensors was stopped. Open it again to go on. [E_INTERRUPTED]"`,
    );
  });
});
