import { BasicError } from "@basic-mllm/core";

/**
 * What went wrong on the device. WebGPU reports errors later than the call that made them: the first one is kept, and
 * the next call or read throws it.
 */
export class Failure {
  #error: BasicError | undefined;
  readonly #pending = new Set<Promise<void>>();

  /** Keeps the first error. */
  report(error: BasicError): void {
    this.#error ??= error;
  }

  /** As {@link report}, unless a check that is under way finds the cause. */
  reportConsequence(error: BasicError): void {
    const checked: Promise<void> = Promise.all(this.#pending).then(() => this.report(error));
    this.#pending.add(checked);
    void checked.finally(() => this.#pending.delete(checked));
  }

  /** @throws BasicError what was reported. */
  check(): void {
    if (this.#error !== undefined) throw this.#error;
  }

  /** Waits for every check that is under way, then throws what was reported. */
  async settle(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
    this.check();
  }

  /** Runs `body` in an error scope of the device; what the scope catches becomes the failure. */
  watch<T>(
    device: GPUDevice,
    filter: GPUErrorFilter,
    body: () => T,
    explain: (error: GPUError, result: T) => BasicError | Promise<BasicError>,
  ): T {
    device.pushErrorScope(filter);
    let result: T | undefined;
    let scope: Promise<GPUError | null>;
    try {
      result = body();
    } finally {
      scope = device.popErrorScope();
    }
    const made = result;
    const checked = scope
      .then(async (error) => {
        if (error !== null) this.report(await explain(error, made));
      })
      // A lost device answers nothing: its loss is reported apart.
      .catch(() => undefined)
      .finally(() => this.#pending.delete(checked));
    this.#pending.add(checked);
    return result;
  }
}

/** A command that the device refused, outside of any scope. */
export function refusedCommand({ message }: GPUError): BasicError {
  return new BasicError(
    "E_KERNEL_FAILED",
    `The WebGPU device refused a command: ${message.trim().replace(/\.$/, "")}. Check the shapes that the last kernels were ` +
      "given; where they are right, report this with the name of the adapter.",
  );
}

/** The device is gone: nothing on it can be read any more. */
export function deviceLost(name: string, { reason, message }: GPUDeviceLostInfo): BasicError {
  const detail = message === "" ? "" : ` (${message.replace(/[.\s]+$/, "")})`;
  const why = reason === "destroyed" ? "was closed" : "was lost";
  return new BasicError(
    "E_DEVICE_LOST",
    `The WebGPU device "${name}" ${why}${detail}. All tensors on it are gone. Start again from the last checkpoint; ` +
      'where it happens again, update the driver, lower the rows of a micro-batch, or use the backend "cpu".',
  );
}

/** The device has no memory for a buffer. */
export function outOfMemory(bytes: number, allocated: number, message: string): BasicError {
  const plain = message.replace(/[.\s]+$/, "");
  return new BasicError(
    "E_DEVICE_MEMORY",
    `The WebGPU device has no memory for a buffer of ${mebibytes(bytes)}, with ${mebibytes(allocated)} allocated ` +
      `already${plain === "" ? "" : `: ${plain}`}. Lower \`rowBudget\` or \`batchSize\`, the rows of a ` +
      "micro-batch, and raise `accumulate` by as much; else train fewer parts, or take a smaller model.",
  );
}

/** No kernel can see so large an array at once. */
export function bindingTooLarge(kernel: string, needed: number, has: number): BasicError {
  return new BasicError(
    "E_DEVICE_MEMORY",
    `${kernel}: an array of ${mebibytes(needed)} does not fit in one binding: maxStorageBufferBindingSize of this ` +
      `WebGPU device is ${mebibytes(has)}. Lower \`rowBudget\` or \`batchSize\` and raise \`accumulate\` by as much; where the ` +
      "array is a weight, store it packed (bf16, q8_0) or take a smaller model.",
  );
}

/** `1.5 MiB`. */
export function mebibytes(bytes: number): string {
  return `${Number((bytes / 2 ** 20).toFixed(1))} MiB`;
}
