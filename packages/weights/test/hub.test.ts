import { existsSync } from "node:fs";
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import {
  type DownloadOptions,
  type DownloadProgress,
  downloadPretrained,
  loadPretrained,
} from "../src/index.js";
import { COMMIT, entryOf, type HubServer, startHub } from "./hub-server.js";

const model = fileURLToPath(new URL("../../../golden/models/llama_sharded", import.meta.url));
const SOURCE = "hub:owner/name";

/** An entry of the hub's list for a large file. */
interface HubEntry {
  readonly lfs: { readonly oid: string };
}

let hub: HubServer;
let cache: string;
let shards: readonly string[];

beforeAll(async () => {
  await tf.setBackend("cpu");
});

beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), "hub-"));
  const names = await readdir(model);
  shards = names.filter((name) => name.endsWith(".safetensors")).sort();
  const files = await Promise.all(
    names.map(async (name) => [name, new Uint8Array(await readFile(join(model, name)))] as const),
  );
  hub = await startHub({
    ...Object.fromEntries(files),
    "tokenizer.json": new TextEncoder().encode("{}"),
    "README.md": new TextEncoder().encode("# not needed"),
    "pytorch_model.bin": new Uint8Array(100),
  });
});

afterEach(async () => {
  await hub.close();
  await rm(cache, { recursive: true, force: true });
});

const options = (more: DownloadOptions = {}): DownloadOptions => ({
  hubUrl: hub.url,
  cache,
  pause: 1,
  offline: false,
  token: "",
  ...more,
});

/** What a download throws, without port and temporary folder. */
async function messageOf(source: string, more: DownloadOptions = {}): Promise<string> {
  const error: unknown = await downloadPretrained(source, options(more)).then(
    () => new Error("nothing was thrown"),
    (thrown: unknown) => thrown,
  );
  const local = (error as Error).message.replaceAll(hub.url, "HUB").replaceAll(cache, "CACHE");
  return local.replace(/urls\/127\.0\.0\.1-\w+/g, "urls/HOST");
}

describe("loadPretrained from the hub", () => {
  it("downloads what loading needs into the shared cache, with progress, and loads it", async () => {
    const seen: DownloadProgress[] = [];
    const loaded = await loadPretrained(SOURCE, options({ onProgress: (progress) => seen.push(progress) }));
    expect(loaded.kind).toBe("language");
    expect(loaded.folder).toBe(join(cache, "models--owner--name", "snapshots", COMMIT));
    const expected = ["config.json", "model.safetensors.index.json", "tokenizer.json", ...shards];
    expect((await readdir(loaded.folder)).sort()).toEqual(expect.arrayContaining(expected));
    expect(existsSync(join(loaded.folder, "pytorch_model.bin"))).toBe(false);
    expect((await lstat(join(loaded.folder, "config.json"))).isSymbolicLink()).toBe(true);
    expect(await readFile(join(cache, "models--owner--name", "refs", "main"), "utf8")).toBe(COMMIT);
    expect(seen.at(-1)?.received).toBe(seen.at(-1)?.total);
    if (loaded.kind === "language") loaded.language.parameters.dispose();
  });

  it("asks for no file again, and for nothing at all when offline", async () => {
    const folder = await downloadPretrained(SOURCE, options());
    hub.requests.length = 0;
    expect(await downloadPretrained(SOURCE, options())).toBe(folder);
    expect(hub.requests.filter((request) => request.includes("/resolve/"))).toEqual([]);
    hub.requests.length = 0;
    expect(await downloadPretrained(SOURCE, options({ offline: true }))).toBe(folder);
    expect(await downloadPretrained(`${SOURCE}@${COMMIT}`, options({ offline: true }))).toBe(folder);
    expect(hub.requests).toEqual([]);
  });

  it("explains what is not in the cache when offline", async () => {
    expect(await messageOf(SOURCE, { offline: true })).toMatchInlineSnapshot(
      `"owner/name@main is not in the cache CACHE/models--owner--name, and HF_HUB_OFFLINE (or the option offline) forbids the network. Download it once without, or name a local folder. [E_DOWNLOAD]"`,
    );
    expect(await messageOf(hub.url, { offline: true })).toMatchInlineSnapshot(
      `"HUB/ is not in the cache CACHE/urls/HOST, and HF_HUB_OFFLINE (or the option offline) forbids the network. Download it once without, or name a local folder. [E_DOWNLOAD]"`,
    );
  });

  it("asks for the revision that is named", async () => {
    await downloadPretrained(`${SOURCE}@v1.0`, options());
    expect(hub.requests[0]).toBe("GET /api/models/owner/name/revision/v1.0");
    expect(existsSync(join(cache, "models--owner--name", "refs", "v1.0"))).toBe(true);
  });

  it("goes on after cut connections with the bytes that are missing", async () => {
    const file = shards[0] as string;
    hub.cut = { file, after: 1000, times: 3 };
    const folder = await downloadPretrained(SOURCE, options());
    const ranges = hub.requests.filter((request) => request.includes(file));
    expect(ranges.map((request) => request.split(" ")[2])).toEqual([
      undefined,
      "bytes=1000-",
      "bytes=2000-",
      "bytes=3000-",
    ]);
    expect(new Uint8Array(await readFile(join(folder, file)))).toEqual(hub.files.get(file));
  });

  it("asks again where the hub cannot answer for a moment", async () => {
    hub.busy = 4;
    await downloadPretrained(SOURCE, options());
    expect(hub.requests.slice(0, 5)).toEqual(Array(5).fill("GET /api/models/owner/name/revision/main"));
    hub.busy = 4;
    await downloadPretrained(hub.url, options());
    hub.busy = 5;
    expect(await messageOf("hub:owner/name@v2")).toContain("answered 503: try again later");
  });

  it("downloads each file once where two ask for it at the same time", async () => {
    hub.cut = { file: shards[0] as string, after: 100, times: 3 };
    const folders = await Promise.all([
      downloadPretrained(SOURCE, options()),
      downloadPretrained(SOURCE, options()),
    ]);
    expect(folders[0]).toBe(folders[1]);
    const asked = hub.requests.filter(
      (request) => request.includes("/resolve/") && !request.includes("bytes="),
    );
    expect(asked).toHaveLength(new Set(asked).size);
    const blobs = await readdir(join(cache, "models--owner--name", "blobs"));
    expect(blobs.filter((name) => !/^[0-9a-f]{40,64}$/.test(name))).toEqual([]);
  });

  it("stops waiting for another download when it is told to", async () => {
    const blobs = join(cache, "models--owner--name", "blobs");
    await mkdir(blobs, { recursive: true });
    const [name] = shards;
    const { lfs } = entryOf(name as string, hub.files.get(name as string) as Uint8Array) as HubEntry;
    const lock = join(blobs, `${lfs.oid}.incomplete.lock`);
    await writeFile(lock, JSON.stringify({ pid: 1, host: hostname(), since: "2026-01-01T00:00:00Z" }));
    const controller = new AbortController();
    const message = messageOf(SOURCE, { signal: controller.signal });
    setTimeout(() => controller.abort(), 300);
    expect(await message).toContain("was stopped. What is there was kept: run the command again to go on.");
    // A process that is gone holds nothing.
    await writeFile(lock, JSON.stringify({ pid: 2 ** 22 + 1, host: hostname(), since: "" }));
    await downloadPretrained(SOURCE, options());
    expect(existsSync(lock)).toBe(false);
  });

  it("keeps what came when it gives up, and goes on with it in the next run", async () => {
    const file = shards[0] as string;
    hub.cut = { file, after: 0, times: 1000 };
    expect(await messageOf(SOURCE)).toContain("could not be downloaded");
    hub.cut = { file, after: 500, times: 1 };
    const controller = new AbortController();
    const onProgress = (progress: DownloadProgress) => {
      if (progress.file === file) controller.abort();
    };
    expect(await messageOf(SOURCE, { signal: controller.signal, onProgress })).toContain("[E_INTERRUPTED]");
    hub.requests.length = 0;
    await downloadPretrained(SOURCE, options());
    expect(hub.requests.find((request) => request.includes(file))).toMatch(/bytes=\d+-$/);
  });

  it.each(["of the hub", "at a URL"])("says that a look at files %s was stopped", async (place) => {
    const source = place === "at a URL" ? hub.url : SOURCE;
    expect(await messageOf(source, { signal: AbortSignal.abort() })).toMatch(
      /^The download of HUB\S+ was stopped\. What is there was kept: run the command again to go on\. \[E_INTERRUPTED\]$/,
    );
  });

  it.each(["of the hub", "at a URL"])("makes files %s that are empty", async (place) => {
    hub.files.set("merges.txt", new Uint8Array());
    const folder = await downloadPretrained(place === "at a URL" ? hub.url : SOURCE, options());
    expect(await readFile(join(folder, "merges.txt"), "utf8")).toBe("");
  });

  it("starts over where a server knows no ranges", async () => {
    hub.cut = { file: shards[0] as string, after: 1000, times: 2 };
    hub.wholeOnly = true;
    const folder = await downloadPretrained(SOURCE, options());
    expect(new Uint8Array(await readFile(join(folder, shards[0] as string)))).toEqual(
      hub.files.get(shards[0] as string),
    );
  });

  it("refuses files of another hash or length, and keeps none of them", async () => {
    const file = shards[0] as string;
    const bytes = (hub.files.get(file) as Uint8Array).slice();
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1;
    hub.replaced.set(file, bytes);
    expect((await messageOf(SOURCE)).replace(/[0-9a-f]{64}/g, "HASH")).toMatchInlineSnapshot(
      `"HUB/owner/name/resolve/0123456789abcdef0123456789abcdef01234567/model-00001-of-00003.safetensors was downloaded twice, and each time its sha256 was HASH, expected HASH. The file was removed. A proxy or mirror may change it: try another network, or download it by hand. [E_DOWNLOAD]"`,
    );
    hub.replaced.set(file, new Uint8Array(bytes.length + 1));
    expect(await messageOf(SOURCE)).toMatchInlineSnapshot(
      `"HUB/owner/name/resolve/0123456789abcdef0123456789abcdef01234567/model-00001-of-00003.safetensors sends more than the 37504 bytes that it should have. A proxy or mirror may change it: try another network. [E_DOWNLOAD]"`,
    );
    hub.replaced.set("config.json", new TextEncoder().encode("{}"));
    hub.replaced.delete(file);
    await rm(cache, { recursive: true });
    expect(await messageOf(SOURCE)).toContain("could not be downloaded");
    const blobs = await readdir(join(cache, "models--owner--name", "blobs")).catch(() => []);
    expect(blobs.filter((name) => !name.endsWith(".incomplete"))).toEqual([]);
  });

  it("throws away an old part that does not belong to the file", async () => {
    const file = shards[0] as string;
    await downloadPretrained(SOURCE, options());
    const { lfs } = entryOf(file, hub.files.get(file) as Uint8Array) as { lfs: { oid: string } };
    const blob = join(cache, "models--owner--name", "blobs", lfs.oid);
    await rm(blob);
    await writeFile(`${blob}.incomplete`, "nonsense");
    const folder = await downloadPretrained(SOURCE, options());
    expect(new Uint8Array(await readFile(join(folder, file)))).toEqual(hub.files.get(file));
  });

  it("sends the token, and tells about it where a model is gated", async () => {
    hub.token = "hf_secret";
    expect(await messageOf(SOURCE)).toMatchInlineSnapshot(
      `"HUB/owner/name answered 401: it does not exist, is private, or is gated. Where it is gated, accept its conditions on its page; then set HF_TOKEN to an access token that may read it. [E_DOWNLOAD]"`,
    );
    await expect(downloadPretrained(SOURCE, options({ token: "hf_secret" }))).resolves.toContain(COMMIT);
    expect(await messageOf(SOURCE, { token: "secret" })).toMatchInlineSnapshot(
      `"HF_TOKEN (or the option token) is no access token: those begin with hf_. [E_CONFIG]"`,
    );
  });

  it("explains what is not there, and servers that fail", async () => {
    hub.status = 404;
    expect(await messageOf(SOURCE)).toMatchInlineSnapshot(
      `"HUB/owner/name answered 404: there is no such file, repository or revision. Check owner, name and @revision. [E_DOWNLOAD]"`,
    );
    hub.status = 500;
    expect(await messageOf(SOURCE)).toMatchInlineSnapshot(
      `"HUB/owner/name answered 500: try again later, or set HF_ENDPOINT to a mirror. [E_DOWNLOAD]"`,
    );
    expect((await messageOf(SOURCE, { hubUrl: "http://127.0.0.1:1" })).replace(/download.*/, "")).toContain(
      "http",
    );
    hub.status = null;
    hub.commit = "../../../etc";
    expect(await messageOf(SOURCE)).toMatchInlineSnapshot(
      `"HUB answered with commit "../../../etc". Is it a Hugging Face hub? Check HF_ENDPOINT. [E_DOWNLOAD]"`,
    );
  });

  it("lists what a repository without safetensors has, and shards that it lacks", async () => {
    hub.files.delete(shards[1] as string);
    expect(await messageOf(SOURCE)).toMatchInlineSnapshot(
      `"hub:owner/name@0123456789abcdef0123456789abcdef01234567 lacks 1 of the 3 files that its model.safetensors.index.json names: model-00002-of-00003.safetensors. Its upload may be unfinished: name another @revision. [E_WEIGHTS_MISSING]"`,
    );
    hub.files.delete("model.safetensors.index.json");
    expect(await messageOf(SOURCE)).toMatchInlineSnapshot(
      `"hub:owner/name@0123456789abcdef0123456789abcdef01234567 holds neither model.safetensors nor model.safetensors.index.json. Found: config.json, model-00001-of-00003.safetensors, model-00003-of-00003.safetensors, tokenizer.json, README.md, pytorch_model.bin. Other formats (pytorch_model.bin) must be converted first. [E_WEIGHTS_MISSING]"`,
    );
  });

  it("writes nothing outside of the cache, whatever files are called", async () => {
    const evil = new TextEncoder().encode("x");
    const names = ["../../evil", "/tmp/evil", "..\\evil", "C:evil", "sub/../../evil"];
    const index = { weight_map: { a: "../../evil" } };
    hub.files.delete("model.safetensors.index.json");
    hub.files.set("model.safetensors.index.json", new TextEncoder().encode(JSON.stringify(index)));
    hub.tree = [
      ...[...hub.files].map(([path, bytes]) => entryOf(path, bytes)),
      ...names.map((n) => entryOf(n, evil)),
    ];
    expect(await messageOf(SOURCE)).toMatchInlineSnapshot(
      `"CACHE/models--owner--name/snapshots/0123456789abcdef0123456789abcdef01234567/model.safetensors.index.json: \`weight_map\` must hold file names without folders. [E_WEIGHTS_FORMAT]"`,
    );
    expect(await readdir(cache)).toEqual(["models--owner--name"]);
    const hash = { type: "file", path: "config.json", size: 1, oid: "../../../evil" };
    hub.tree = [hash];
    expect(await messageOf(SOURCE)).toMatchInlineSnapshot(
      `"HUB answered with a file without size and hash. Is it a Hugging Face hub? Check HF_ENDPOINT. [E_DOWNLOAD]"`,
    );
  });

  it.each(["hub:", "hub:a/b/c", "hub:../x", "hub:a/b@", "hub:a/b@../x", "hub:a/b@x@y", "http://"])(
    "refuses the name %s",
    async (name) => {
      expect(await messageOf(name)).toContain(`"${name}" is no name of a model, expected hub:owner/name`);
    },
  );
});

describe("loadPretrained from a URL", () => {
  it("downloads a folder, and only changed files the next time", async () => {
    const loaded = await loadPretrained(`${hub.url}/some/folder`, options());
    expect(loaded.kind).toBe("language");
    if (loaded.kind === "language") loaded.language.parameters.dispose();
    hub.requests.length = 0;
    hub.files.set("tokenizer.json", new TextEncoder().encode('{"a":1}'));
    const folder = await downloadPretrained(`${hub.url}/some/folder/`, options());
    expect(folder).toBe(loaded.folder);
    expect(hub.requests.filter((request) => !request.endsWith("bytes=0-0"))).toEqual([
      "GET /some/folder/tokenizer.json",
    ]);
    expect(await downloadPretrained(`${hub.url}/some/folder`, options({ offline: true }))).toBe(folder);
  });

  it("goes on after cut connections", async () => {
    hub.cut = { file: shards[0] as string, after: 1000, times: 2 };
    const folder = await downloadPretrained(hub.url, options());
    expect(new Uint8Array(await readFile(join(folder, shards[0] as string)))).toEqual(
      hub.files.get(shards[0] as string),
    );
  });

  it("forgets files that the server has no more", async () => {
    const index = "model.safetensors.index.json";
    const before = [...hub.files];
    hub.files.set("model.safetensors", new Uint8Array(8));
    hub.files.delete(index);
    const folder = await downloadPretrained(hub.url, options());
    expect(existsSync(join(folder, "model.safetensors"))).toBe(true);
    hub.files.delete("model.safetensors");
    hub.files.delete("tokenizer.json");
    for (const [name, bytes] of before) if (name === index) hub.files.set(name, bytes);
    await downloadPretrained(hub.url, options());
    const names = (await readdir(folder)).filter((name) => !name.startsWith("."));
    expect(names.sort()).toEqual(["config.json", ...shards, index]);
  });

  it("explains folders without a config, or with missing shards", async () => {
    hub.files.delete(shards[1] as string);
    expect(await messageOf(hub.url)).toMatchInlineSnapshot(
      `"HUB/ lacks 1 of the 3 files that its model.safetensors.index.json names: model-00002-of-00003.safetensors. Upload them. [E_WEIGHTS_MISSING]"`,
    );
    hub.files.delete("config.json");
    expect(await messageOf(hub.url)).toMatchInlineSnapshot(
      `"HUB/config.json answered 404: there is no such file, repository or revision. Check owner, name and @revision. [E_DOWNLOAD]"`,
    );
  });
});

describe("loadPretrained from a folder", () => {
  it("is loadHuggingFace", async () => {
    const loaded = await loadPretrained(model);
    expect([loaded.kind, loaded.folder]).toEqual(["language", model]);
    if (loaded.kind === "language") loaded.language.parameters.dispose();
  });
});
