import { BasicError } from "@basic-mllm/core";

import type { LoadedKernel } from "../compile/kernel-cache.js";
import { CUDA } from "./constants.js";
import type { Session } from "./session.js";

/** Blocks along x, y, z. */
export type Grid = readonly [number, number, number];

/**
 * Launches a kernel with the arguments in its block.
 *
 * @throws BasicError `E_KERNEL_FAILED` where the driver does not take it.
 */
export function launchKernel(
  session: Session,
  kernel: LoadedKernel,
  [x, y, z]: Grid,
  sharedBytes: number,
): void {
  const { handle, block, parameters, program } = kernel;
  const { stream, driver } = session;
  const launch = driver.api.cuLaunchKernel;
  const code = launch(handle, x, y, z, block[0], block[1], block[2], sharedBytes, stream, parameters, null);
  if (code !== CUDA.CUDA_SUCCESS) throw notLaunched(session, kernel, [x, y, z], code);
  session.launched(program.name);
}

function notLaunched(
  session: Session,
  { program, block }: LoadedKernel,
  grid: Grid,
  code: number,
): BasicError {
  const error = session.explain("cuLaunchKernel", code);
  if (session.failure !== undefined) return error;
  return new BasicError(
    "E_KERNEL_FAILED",
    `The CUDA kernel "${program.name}" was not launched (${session.driver.nameOf(code)}): grid ${grid.join(" x ")}, block ` +
      `${block.join(" x ")}. Check the shapes that it was given; where they are right, report this with them.`,
  );
}
