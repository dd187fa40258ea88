import { BasicError } from "@basic-mllm/core";

/** The error of a kernel that failed. */
export function kernelError(message: string, cause: Error): BasicError {
  return new BasicError("E_KERNEL_FAILED", message, { cause });
}

/** What `body` gives. An error of the addon, which is in words already, becomes one of ours. */
export function withKernelErrors<T>(body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!isOfAddon(error)) throw error;
    const text = error.message.replace(/[.\s]+$/, "");
    throw kernelError(
      `A kernel of the CPU backend refused its call: ${text}. Check the shapes, indices and options that it was ` +
        "given; where they are right, report this with them.",
      error,
    );
  }
}

/** Node-API's errors carry a status as their code. */
function isOfAddon(error: unknown): error is Error {
  return (
    error instanceof Error && ["InvalidArg", "GenericFailure"].includes(String(Reflect.get(error, "code")))
  );
}
