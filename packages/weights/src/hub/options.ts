import { BasicError } from "@basic-mllm/core";
import { HUB_URL } from "@huggingface/hub";

import type { DownloadRequest, TransferOptions } from "./download.js";
import { downloadFile } from "./download.js";

/** How far a download is. */
export interface DownloadProgress {
  /** Name of the file that is being transferred. */
  readonly file: string;
  /** Bytes of all files that are here, with those that the cache held. */
  readonly received: number;
  /** Bytes of all files of which the size is known. */
  readonly total: number;
}

/** Options of everything that downloads models. */
export interface DownloadOptions {
  /** Called for each piece that arrives. */
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Stops the download; what is there is kept, and the next call goes on with it. */
  readonly signal?: AbortSignal | undefined;
  /** Use what the cache holds and no network. Default: whether HF_HUB_OFFLINE is set to 1, ON, YES or TRUE. */
  readonly offline?: boolean;
  /** Access token of the hub, for gated and private models. Default HF_TOKEN. It is sent to the hub only. */
  readonly token?: string;
  /** Default HF_ENDPOINT, else https://huggingface.co. */
  readonly hubUrl?: string;
  /** Default HF_HUB_CACHE, else `hub` in HF_HOME, else `~/.cache/huggingface/hub`. */
  readonly cache?: string;
  /** Default the global fetch. */
  readonly fetch?: typeof fetch;
  /**
   * Milliseconds without a byte after which a connection, or another process's download of the file, counts as lost.
   * Default 60,000.
   */
  readonly timeout?: number;
  /** Milliseconds before the first new attempt after a lost connection; doubled each time. Default 500. */
  readonly pause?: number;
}

/** Options with environment and defaults filled in. */
export interface Settings extends Omit<TransferOptions, "onBytes"> {
  readonly onProgress: (progress: DownloadProgress) => void;
  readonly offline: boolean;
  readonly token: string | undefined;
  readonly hubUrl: string;
  readonly cache: string | undefined;
}

/** @throws `BasicError` `E_CONFIG` for a token that cannot be one. */
export function settingsOf(options: DownloadOptions): Settings {
  const { env } = process;
  const token = options.token ?? env["HF_TOKEN"]?.trim();
  if (token !== undefined && token !== "" && !token.startsWith("hf_")) {
    throw new BasicError(
      "E_CONFIG",
      "HF_TOKEN (or the option token) is no access token: those begin with hf_.",
    );
  }
  return {
    fetch: options.fetch ?? fetch,
    timeout: options.timeout ?? 60_000,
    pause: options.pause ?? 500,
    signal: options.signal,
    onProgress: options.onProgress ?? (() => undefined),
    offline: options.offline ?? /^(1|on|yes|true)$/i.test(env["HF_HUB_OFFLINE"] ?? ""),
    token: token === "" ? undefined : token,
    hubUrl: (options.hubUrl ?? (env["HF_ENDPOINT"] || HUB_URL)).replace(/\/+$/, ""),
    cache: options.cache,
  };
}

/** A file of a model, and what the server said about it. */
export interface RemoteFile extends DownloadRequest {
  readonly name: string;
}

/** Downloads one file after the other, and adds up what arrives. */
export class Transfers {
  readonly #settings: Settings;
  #finished = 0;
  #total = 0;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** Counts files that will be asked for. */
  expect(files: readonly Pick<RemoteFile, "size">[]): void {
    for (const { size } of files) this.#total += size ?? 0;
  }

  /** Counts a file that is there already. */
  skip({ name, size }: Pick<RemoteFile, "name" | "size">): void {
    this.#finished += size ?? 0;
    this.#report(name, this.#finished);
  }

  async download(file: RemoteFile): Promise<void> {
    let own = 0;
    await downloadFile(file, {
      ...this.#settings,
      onBytes: (received) => {
        own = received;
        this.#report(file.name, this.#finished + received);
      },
    });
    this.#finished += file.size ?? own;
  }

  #report(file: string, received: number): void {
    this.#settings.onProgress({ file, received, total: Math.max(this.#total, received) });
  }
}
