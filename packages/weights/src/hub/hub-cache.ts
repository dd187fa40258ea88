import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";

import { BasicError } from "@basic-mllm/core";
import { getHFHubCachePath, getRepoFolderName } from "@huggingface/hub";

const COMMIT = /^[0-9a-f]{40}$/;

/**
 * One model in the cache that Hugging Face's tools share:
 * `models--OWNER--NAME/{blobs/HASH, refs/REVISION, snapshots/COMMIT/FILE -> blob}`.
 */
export class HubCache {
  readonly folder: string;

  constructor(name: string, cache: string | undefined) {
    this.folder = join(cache ?? getHFHubCachePath(), getRepoFolderName({ type: "model", name }));
  }

  /** Folder of a commit, whether it is there or not. */
  snapshot(commit: string): string {
    return join(this.folder, "snapshots", commit);
  }

  blob(hash: string): string {
    return join(this.folder, "blobs", hash);
  }

  /**
   * The snapshot of a revision that was downloaded before.
   *
   * @throws `BasicError` `E_DOWNLOAD` where there is none.
   */
  async find(name: string, revision: string): Promise<string> {
    const commit = COMMIT.test(revision) ? revision : await this.#reference(revision);
    const snapshot = commit === null ? null : this.snapshot(commit);
    if (snapshot !== null && existsSync(join(snapshot, "config.json"))) return snapshot;
    throw new BasicError(
      "E_DOWNLOAD",
      `${name}@${revision} is not in the cache ${this.folder}, and HF_HUB_OFFLINE (or the option offline) forbids the network. ` +
        "Download it once without, or name a local folder.",
    );
  }

  async #reference(revision: string): Promise<string | null> {
    const text = await readFile(join(this.folder, "refs", revision), "utf8").catch(() => "");
    return COMMIT.test(text.trim()) ? text.trim() : null;
  }

  /** Notes what a branch or tag means, once its files are all there. */
  async remember(revision: string, commit: string): Promise<void> {
    if (revision === commit) return;
    const path = join(this.folder, "refs", revision);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, commit);
  }

  /** Shows a blob under a file's name. Systems without links get a copy. */
  async link(hash: string, path: string): Promise<void> {
    const blob = this.blob(hash);
    await mkdir(dirname(path), { recursive: true });
    await rm(path, { force: true });
    try {
      await symlink(relative(dirname(path), blob), path);
    } catch (error) {
      if (!["EPERM", "ENOSYS", "ENOTSUP"].includes(String((error as { code?: unknown }).code))) throw error;
      await copyFile(blob, path);
    }
  }
}

/** Whether text is a commit of git. */
export function isCommit(text: unknown): text is string {
  return typeof text === "string" && COMMIT.test(text);
}
