import { BasicError } from "@basic-mllm/core";

/** What a server's refusal means for somebody who asked for a model. */
export function httpError(url: string, status: number, cause?: unknown): BasicError {
  return new BasicError("E_DOWNLOAD", `${url} answered ${status}: ${adviceFor(status)}`, { cause });
}

function adviceFor(status: number): string {
  switch (status) {
    case 401:
    case 403:
      return (
        "it does not exist, is private, or is gated. Where it is gated, accept its conditions on its page; then set " +
        "HF_TOKEN to an access token that may read it."
      );
    case 404:
      return "there is no such file, repository or revision. Check owner, name and @revision.";
    default:
      return "try again later, or set HF_ENDPOINT to a mirror.";
  }
}

/** A server that cannot be reached, or that cuts the connection again and again. */
export function networkError(url: string, cause: unknown, received = 0): BasicError {
  const kept = received > 0 ? ` The first ${received} bytes were kept: run the command again to go on.` : "";
  return new BasicError(
    "E_DOWNLOAD",
    `${url} could not be downloaded: ${reasonOf(cause)}.${kept} ` +
      "Check the network, or set HF_HUB_OFFLINE=1 to use what the cache holds.",
    { cause },
  );
}

function reasonOf(error: unknown): string {
  const { cause, message } = error as { cause?: { code?: unknown; message?: unknown }; message?: unknown };
  return String(cause?.code ?? cause?.message ?? message).replace(/\.$/, "");
}
