import { BasicError } from "@basic-mllm/core";

import { CUDA } from "./constants.js";

/** A call that the driver refused, before it is explained. */
export interface RefusedCall {
  /** Function of the driver. */
  readonly call: string;
  readonly code: number;
  /** Name of the code: `CUDA_ERROR_ILLEGAL_ADDRESS`. */
  readonly name: string;
}

/** After one of these the context is gone: a kernel went wrong. */
const KERNEL_FAULTS: ReadonlyMap<number, string> = new Map([
  [CUDA.CUDA_ERROR_ILLEGAL_ADDRESS, "read or wrote memory outside of its arrays"],
  [CUDA.CUDA_ERROR_MISALIGNED_ADDRESS, "read or wrote memory at an address that is not aligned"],
  [CUDA.CUDA_ERROR_LAUNCH_TIMEOUT, "did not end in time"],
  [CUDA.CUDA_ERROR_LAUNCH_FAILED, "failed"],
  [CUDA.CUDA_ERROR_ASSERT, "stopped at an assertion"],
  [CUDA.CUDA_ERROR_HARDWARE_STACK_ERROR, "broke its stack"],
  [CUDA.CUDA_ERROR_ILLEGAL_INSTRUCTION, "ran an instruction that the device does not know"],
  [CUDA.CUDA_ERROR_INVALID_ADDRESS_SPACE, "used an address of the wrong kind of memory"],
  [CUDA.CUDA_ERROR_INVALID_PC, "jumped to nowhere"],
]);

/** After one of these too, but the device or its driver is at fault. */
const DEVICE_FAULTS: ReadonlyMap<number, string> = new Map([
  [CUDA.CUDA_ERROR_ECC_UNCORRECTABLE, "its memory has an error that cannot be corrected"],
  [CUDA.CUDA_ERROR_NVLINK_UNCORRECTABLE, "its NVLink has an error that cannot be corrected"],
  [CUDA.CUDA_ERROR_CONTAINED, "its memory has an error, which was contained"],
  [CUDA.CUDA_ERROR_CONTEXT_IS_DESTROYED, "its context was destroyed"],
  [CUDA.CUDA_ERROR_DEVICE_UNAVAILABLE, "another process has it for itself, or it is being reset"],
  [CUDA.CUDA_ERROR_UNKNOWN, "the driver gave it up"],
]);

/** Whether nothing on the device can be used after this code. */
export function isSticky(code: number): boolean {
  return KERNEL_FAULTS.has(code) || DEVICE_FAULTS.has(code);
}

/** What {@link explainFault} says it of. */
export interface FaultContext {
  readonly device: string;
  /** Names of kernels that were launched and not known to have ended, oldest first. */
  readonly launched: readonly string[];
  /** Whether every launch was waited for. */
  readonly synchronous: boolean;
}

/** The error for a call that failed. */
export function explainFault(refused: RefusedCall, context: FaultContext): BasicError {
  const kernel = KERNEL_FAULTS.get(refused.code);
  if (kernel !== undefined) return kernelFault(refused, kernel, context);
  const device = DEVICE_FAULTS.get(refused.code);
  const said = `${refused.name} from ${refused.call}`;
  if (device !== undefined) {
    return new BasicError(
      "E_DEVICE_LOST",
      `The CUDA device "${context.device}" was lost: ${device} (${said}). All tensors on it are gone. Start again from the ` +
        'last checkpoint; where it happens again, look at `nvidia-smi -q` and the kernel\'s log (Xid), or use the backend "cpu".',
    );
  }
  if (refused.code === CUDA.CUDA_ERROR_OUT_OF_MEMORY) {
    return new BasicError(
      "E_DEVICE_MEMORY",
      `The CUDA driver has no memory for a call on "${context.device}" (${said}). Lower \`rowBudget\` or \`batchSize\` and raise ` +
        "`accumulate` by as much; where the call is for memory of the host, end other programs.",
    );
  }
  return new BasicError(
    "E_KERNEL_FAILED",
    `The CUDA driver refused a call on "${context.device}": ${said}${afterOf(context.launched)}. Report this with the ` +
      "output of `basic-mllm doctor`.",
  );
}

function kernelFault({ call, name }: RefusedCall, what: string, context: FaultContext): BasicError {
  const { launched, synchronous, device } = context;
  const last = launched.at(-1);
  const which =
    last === undefined
      ? "A kernel"
      : synchronous || launched.length === 1
        ? `The kernel "${last}"`
        : `One of the last ${launched.length} kernels (${quoted(launched)})`;
  const narrow =
    synchronous || launched.length === 1
      ? ""
      : " To learn which one it was, start with { synchronous: true } (BASIC_MLLM_CUDA_SYNCHRONOUS=1).";
  return new BasicError(
    "E_KERNEL_FAILED",
    `${which} ${what} on the CUDA device "${device}" (${name} from ${call}). All tensors on it are gone; start again from the ` +
      `last checkpoint.${narrow} Report this with the shapes that it was given.`,
  );
}

/** Names, each once, in order. */
function quoted(names: readonly string[]): string {
  return [...new Set(names)].map((name) => `"${name}"`).join(", ");
}

function afterOf(launched: readonly string[]): string {
  const last = launched.at(-1);
  return last === undefined ? "" : `, after the kernel "${last}"`;
}

/** `1.5 GiB`, `24 MiB`. */
export function readableBytes(bytes: number): string {
  const [size, unit] = bytes >= 2 ** 30 ? [2 ** 30, "GiB"] : [2 ** 20, "MiB"];
  return `${Number((bytes / size).toFixed(1))} ${unit}`;
}
