import { BasicError } from "@basic-mllm/core";

/** Where a model comes from. */
export type ModelSource =
  | { readonly kind: "folder"; readonly folder: string }
  | { readonly kind: "hub"; readonly name: string; readonly revision: string }
  | { readonly kind: "url"; readonly url: URL };

/** Names of the hub: letters, digits, `-`, `_` and `.`, each part beginning with a letter or digit. */
const NAME = /^[\w][\w.-]*(\/[\w][\w.-]*)?$/;
const REVISION = /^[\w][\w.-]*(\/[\w][\w.-]*)*$/;

/** Whether a model's name says that it must be downloaded. */
export function isRemote(source: string): boolean {
  return /^(hub:|https?:\/\/)/i.test(source);
}

/**
 * Reads `hub:owner/name`, `hub:owner/name@revision`, a URL of a folder, or a folder's path.
 *
 * @throws `BasicError` `E_NAME_UNKNOWN` for names that the hub cannot have.
 */
export function parseSource(source: string): ModelSource {
  if (/^https?:\/\//i.test(source)) {
    const url = URL.canParse(source) ? new URL(source) : null;
    if (url === null) throw badName(source);
    if (!url.pathname.endsWith("/")) url.pathname += "/";
    return { kind: "url", url };
  }
  if (!/^hub:/i.test(source)) return { kind: "folder", folder: source };
  const [name = "", revision = "main", ...rest] = source.slice(4).split("@");
  if (!NAME.test(name) || !REVISION.test(revision) || rest.length > 0 || /\.\.|--/.test(name)) {
    throw badName(source);
  }
  return { kind: "hub", name, revision };
}

function badName(source: string): BasicError {
  return new BasicError(
    "E_NAME_UNKNOWN",
    `"${source}" is no name of a model, expected hub:owner/name, hub:owner/name@revision (branch, tag or commit), ` +
      "or https://host/folder/.",
  );
}
