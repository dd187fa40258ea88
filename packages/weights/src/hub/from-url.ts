import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { BasicError } from "@basic-mllm/core";
import { getHFHubCachePath } from "@huggingface/hub";

import { writeAtomically } from "../files.js";
import { parseJson } from "../json-file.js";
import { interrupted, PARTS_KEPT } from "./connection.js";
import { httpError, networkError } from "./http-errors.js";
import { companions, INDEX, noWeights, shardsOf, WHOLE } from "./model-files.js";
import { type RemoteFile, type Settings, Transfers } from "./options.js";
import { patientFetch } from "./patient-fetch.js";

/** What the cache knows about its files: written when all are there. */
const VERSIONS = ".versions.json";

/**
 * Downloads what loading needs of a folder on a web server. Files whose size and version (ETag, else Last-Modified) are
 * those of the last download are not asked for again.
 *
 * @returns The local folder: `urls/HOST-HASH` beside the shared cache's models.
 * @throws `BasicError` `E_DOWNLOAD`, `E_WEIGHTS_MISSING`, `E_DISK_FULL`, `E_INTERRUPTED`.
 */
export async function downloadFromUrl(url: URL, settings: Settings): Promise<string> {
  const hash = createHash("sha256").update(url.href).digest("hex").slice(0, 16);
  const folder = join(settings.cache ?? getHFHubCachePath(), "urls", `${url.hostname}-${hash}`);
  const versions = join(folder, VERSIONS);
  if (settings.offline) {
    if (existsSync(versions)) return folder;
    throw new BasicError(
      "E_DOWNLOAD",
      `${url.href} is not in the cache ${folder}, and HF_HUB_OFFLINE (or the option offline) forbids the network. ` +
        "Download it once without, or name a local folder.",
    );
  }
  await mkdir(folder, { recursive: true });
  const old = existsSync(versions) ? (parseJson(await readFile(versions, "utf8"), versions) as Versions) : {};
  const site: Site = { url, folder, old, settings, transfers: new Transfers(settings), now: {} };
  await obtainAll(site);
  await writeAtomically(versions, [new TextEncoder().encode(JSON.stringify(site.now))]);
  return folder;
}

type Versions = Record<string, string>;

interface Site {
  readonly url: URL;
  readonly folder: string;
  readonly old: Readonly<Versions>;
  readonly settings: Settings;
  readonly transfers: Transfers;
  /** Filled in as files arrive. */
  readonly now: Versions;
}

async function obtainAll(site: Site): Promise<void> {
  const config = await look(site, "config.json");
  if (config === null) throw httpError(urlOf(site, "config.json").href, 404);
  await obtain(site, [config]);
  const index = await look(site, INDEX);
  const whole = index === null ? await look(site, WHOLE) : null;
  if (index === null && whole === null) throw noWeights(site.url.href, ["config.json"]);
  const rest = await lookAll(
    site,
    companions.filter((name) => name !== "config.json"),
  );
  await obtain(site, [...rest.found, ...(index === null ? [] : [index])]);
  await obtain(site, whole === null ? await indexedFiles(site) : [whole]);
  // Loading would take what the server has no more for a part of what it has now.
  for (const name of [...rest.missing, whole === null ? WHOLE : INDEX]) {
    await rm(join(site.folder, name), { force: true });
  }
}

/** The files that the index names, which is here. */
async function indexedFiles(site: Site): Promise<readonly VersionedFile[]> {
  const path = join(site.folder, INDEX);
  const shards = shardsOf(parseJson(await readFile(path, "utf8"), path), path);
  const { found, missing } = await lookAll(site, shards);
  if (missing.length > 0) {
    throw new BasicError(
      "E_WEIGHTS_MISSING",
      `${site.url.href} lacks ${missing.length} of the ${shards.length} files that its ${INDEX} names: ${missing.join(", ")}. Upload them.`,
    );
  }
  return found;
}

/** A file on a server, and which version of it. */
interface VersionedFile extends RemoteFile {
  readonly version: string;
}

async function lookAll(site: Site, names: readonly string[]) {
  const found: VersionedFile[] = [];
  const missing: string[] = [];
  for (const name of names) {
    const file = await look(site, name);
    if (file === null) missing.push(name);
    else found.push(file);
  }
  return { found, missing };
}

/** Asks for one byte of a file: its size and version, or null where there is none. */
async function look(site: Site, name: string): Promise<VersionedFile | null> {
  const { settings, folder } = site;
  const { href } = urlOf(site, name);
  const ask = patientFetch(settings);
  const response = await ask(href, { headers: { Range: "bytes=0-0" } }).catch((error: unknown) => {
    throw settings.signal?.aborted ? interrupted(href, PARTS_KEPT) : networkError(href, error);
  });
  await response.body?.cancel();
  if (response.status === 404) return null;
  // An empty file has no byte 0.
  if (!response.ok && response.status !== 416) throw httpError(href, response.status);
  const { headers, status } = response;
  const size = status === 200 ? headers.get("content-length") : headers.get("content-range")?.split("/")[1];
  const version = headers.get("etag") ?? headers.get("last-modified") ?? "";
  const path = join(folder, name);
  const mark = createHash("sha256").update(`${version} ${size}`).digest("hex").slice(0, 12);
  const known = size !== null && size !== undefined && /^\d+$/.test(size);
  return {
    name,
    url: href,
    headers: {},
    path,
    partial: `${path}.${mark}.incomplete`,
    version,
    ...(known && { size: Number(size) }),
  };
}

function urlOf({ url }: Site, name: string): URL {
  const file = new URL(url);
  file.pathname += encodeURIComponent(name);
  return file;
}

async function obtain({ old, now, transfers }: Site, files: readonly VersionedFile[]): Promise<void> {
  transfers.expect(files);
  for (const file of files) {
    const { name, path, size, version } = file;
    const same =
      version !== "" && Object.hasOwn(old, name) && old[name] === version && (await sizeOf(path)) === size;
    if (same) transfers.skip(file);
    else await transfers.download(file);
    now[name] = version;
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ size }) => size,
    () => undefined,
  );
}
