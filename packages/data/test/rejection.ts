import { BasicError } from "@basic-mllm/core";

/** The text of the BasicError that `work` throws. */
export async function rejection(work: () => unknown): Promise<string> {
  try {
    await work();
  } catch (error) {
    if (error instanceof BasicError) return error.message;
    throw error;
  }
  throw new Error("expected an error, and nothing was thrown");
}
