import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import { BasicError } from "@basic-mllm/core";
import { HubApiError, type ListFileEntry, listFiles, modelInfo } from "@huggingface/hub";

import { parseJson } from "../json-file.js";
import { interrupted, PARTS_KEPT } from "./connection.js";
import type { Digest } from "./download.js";
import { httpError, networkError } from "./http-errors.js";
import { HubCache, isCommit } from "./hub-cache.js";
import { companions, INDEX, noWeights, shardsOf, WHOLE } from "./model-files.js";
import { type RemoteFile, type Settings, Transfers } from "./options.js";
import { patientFetch } from "./patient-fetch.js";

/** A repository with more files in its root than this is no model. */
const MAX_FILES = 10_000;

/**
 * Downloads what loading needs of a model into the shared cache; files that it holds are not asked for again.
 *
 * @returns The snapshot's folder, whose name is the commit.
 * @throws `BasicError` `E_DOWNLOAD`, `E_WEIGHTS_MISSING`, `E_DISK_FULL`, `E_INTERRUPTED`.
 */
export async function downloadFromHub(
  { name, revision }: { readonly name: string; readonly revision: string },
  settings: Settings,
): Promise<string> {
  const cache = new HubCache(name, settings.cache);
  if (settings.offline) return cache.find(name, revision);
  const commit = await commitOf(name, revision, settings);
  const repository: Repository = { name, commit, cache, settings, transfers: new Transfers(settings) };
  const files = await filesOf(repository);
  const wanted = companions.flatMap((file) => files.get(file) ?? []);
  repository.transfers.expect(wanted);
  for (const file of wanted) await obtain(repository, file);
  const weights = await weightsOf(repository, files);
  repository.transfers.expect(weights);
  for (const file of weights) await obtain(repository, file);
  await cache.remember(revision, commit);
  return cache.snapshot(commit);
}

interface Repository {
  readonly name: string;
  readonly commit: string;
  readonly cache: HubCache;
  readonly settings: Settings;
  readonly transfers: Transfers;
}

/** A file of the hub, whose blob is named by its hash. */
interface HubFile extends RemoteFile {
  readonly size: number;
  readonly digest: Digest;
}

function access(settings: Settings) {
  const { hubUrl, token } = settings;
  return { hubUrl, fetch: patientFetch(settings), ...(token !== undefined && { accessToken: token }) };
}

async function commitOf(name: string, revision: string, settings: Settings): Promise<string> {
  const { sha } = await explained(settings, name, () =>
    modelInfo({ name, revision, additionalFields: ["sha"], ...access(settings) }),
  );
  if (isCommit(sha)) return sha;
  throw badAnswer(settings, `commit ${JSON.stringify(sha)}`);
}

/** Files in the root of the repository, by name. */
async function filesOf({ name, commit, cache, settings }: Repository): Promise<ReadonlyMap<string, HubFile>> {
  const files = new Map<string, HubFile>();
  await explained(settings, name, async () => {
    let count = 0;
    const repo = { type: "model", name } as const;
    for await (const entry of listFiles({ repo, revision: commit, ...access(settings) })) {
      if (++count > MAX_FILES) throw badAnswer(settings, `a list of more than ${MAX_FILES} files`);
      if (entry.type !== "file") continue;
      const digest = digestOf(entry);
      if (digest === null || !Number.isSafeInteger(entry.size) || entry.size < 0) {
        throw badAnswer(settings, `a file without size and hash`);
      }
      const blob = cache.blob(digest.hex);
      files.set(entry.path, {
        name: entry.path,
        url: `${settings.hubUrl}/${name}/resolve/${commit}/${encodeURIComponent(entry.path)}`,
        headers: settings.token === undefined ? {} : { Authorization: `Bearer ${settings.token}` },
        path: blob,
        partial: `${blob}.incomplete`,
        size: entry.size,
        digest,
      });
    }
  });
  return files;
}

/** Large files have the SHA-256 of their content, others git's SHA-1. */
function digestOf({ lfs, oid }: ListFileEntry): Digest | null {
  if (lfs !== undefined) return /^[0-9a-f]{64}$/.test(lfs.oid) ? { algorithm: "sha256", hex: lfs.oid } : null;
  return isCommit(oid) ? { algorithm: "git-sha1", hex: oid } : null;
}

async function weightsOf(
  repository: Repository,
  files: ReadonlyMap<string, HubFile>,
): Promise<readonly HubFile[]> {
  const { name, commit, cache } = repository;
  const whole = files.get(WHOLE);
  if (whole !== undefined) return [whole];
  const index = files.get(INDEX);
  if (index === undefined) throw noWeights(`hub:${name}@${commit}`, [...files.keys()]);
  repository.transfers.expect([index]);
  await obtain(repository, index);
  const path = join(cache.snapshot(commit), INDEX);
  const shards = shardsOf(parseJson(await readFile(path, "utf8"), path), path);
  const missing = shards.filter((shard) => !files.has(shard));
  if (missing.length > 0) {
    throw new BasicError(
      "E_WEIGHTS_MISSING",
      `hub:${name}@${commit} lacks ${missing.length} of the ${shards.length} files that its ${INDEX} names: ${missing.join(", ")}. ` +
        "Its upload may be unfinished: name another @revision.",
    );
  }
  return shards.flatMap((shard) => files.get(shard) ?? []);
}

async function obtain({ cache, commit, transfers }: Repository, file: HubFile): Promise<void> {
  const path = join(cache.snapshot(commit), file.name);
  if ((await sizeOf(path)) === file.size) {
    transfers.skip(file);
    return;
  }
  if ((await sizeOf(file.path)) === file.size) transfers.skip(file);
  else await transfers.download(file);
  await cache.link(file.digest.hex, path);
}

async function sizeOf(path: string): Promise<number | null> {
  return stat(path).then(
    ({ size }) => size,
    () => null,
  );
}

async function explained<T>({ hubUrl, signal }: Settings, name: string, ask: () => Promise<T>): Promise<T> {
  const url = `${hubUrl}/${name}`;
  try {
    return await ask();
  } catch (error) {
    if (error instanceof BasicError) throw error;
    if (signal?.aborted) throw interrupted(url, PARTS_KEPT);
    if (error instanceof HubApiError) throw httpError(url, error.statusCode, error);
    throw networkError(url, error);
  }
}

function badAnswer({ hubUrl }: Settings, what: string): BasicError {
  return new BasicError(
    "E_DOWNLOAD",
    `${hubUrl} answered with ${what}. Is it a Hugging Face hub? Check HF_ENDPOINT.`,
  );
}
