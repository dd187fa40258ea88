import { type HuggingFaceModel, type LoadOptions, loadHuggingFace } from "../hugging-face.js";
import { downloadFromHub } from "./from-hub.js";
import { downloadFromUrl } from "./from-url.js";
import { type DownloadOptions, settingsOf } from "./options.js";
import { parseSource } from "./source.js";

/** A model, and where its files lie: its tokenizer and image processor are beside the weights. */
export type PretrainedModel = HuggingFaceModel & { readonly folder: string };

/**
 * Downloads what loading a model needs: config, weights, tokenizer and image processor. A download that was cut off
 * goes on where it ended, and every file of the hub is checked against its hash.
 *
 * @param source - `hub:owner/name`, `hub:owner/name@revision` (branch, tag or commit), the URL of a folder, or a local
 *   folder, which is returned as it is.
 * @returns The local folder.
 * @throws `BasicError` `E_DOWNLOAD`, `E_NAME_UNKNOWN`, `E_WEIGHTS_MISSING`, `E_DISK_FULL`, `E_INTERRUPTED`.
 */
export async function downloadPretrained(source: string, options: DownloadOptions = {}): Promise<string> {
  const parsed = parseSource(source);
  switch (parsed.kind) {
    case "folder":
      return parsed.folder;
    case "hub":
      return downloadFromHub(parsed, settingsOf(options));
    case "url":
      return downloadFromUrl(parsed.url, settingsOf(options));
  }
}

/**
 * {@link downloadPretrained}, then {@link loadHuggingFace}.
 *
 * @throws What either of them throws.
 */
export async function loadPretrained(
  source: string,
  options: DownloadOptions & LoadOptions = {},
): Promise<PretrainedModel> {
  const folder = await downloadPretrained(source, options);
  return { ...(await loadHuggingFace(folder, options)), folder };
}
