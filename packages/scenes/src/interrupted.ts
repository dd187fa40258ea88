import { BasicError } from "@basic-mllm/core";

/** @throws `BasicError` `E_INTERRUPTED` with this text once the signal was aborted. */
export function stopIfAborted(signal: AbortSignal | undefined, text: string): void {
  if (signal?.aborted === true) throw new BasicError("E_INTERRUPTED", text);
}
