import { BasicError } from "@basic-mllm/core";

/** A file of the page. @throws `BasicError` `E_DOWNLOAD` where it does not come. */
export async function fetchBytes(url: string): Promise<Uint8Array> {
  const response = await fetch(url).catch((cause: unknown) => failed(url, String(cause)));
  if (!response.ok) return failed(url, `HTTP ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

function failed(url: string, reason: string): never {
  throw new BasicError(
    "E_DOWNLOAD",
    `A file of this page could not be loaded: ${url}, ${reason}. Reload the page; without a network it works only after a whole visit.`,
  );
}
