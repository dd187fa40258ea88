import type { StartOptions } from "../src/index.js";

/**
 * How tests start the backend: on the GPU as users do, on the emulator with PTX, which it takes, and with memory of its own for
 * every tensor, to the byte, so that accesses beyond it are seen.
 */
export const TEST_DEVICE: StartOptions =
  process.env["BASIC_MLLM_TEST_ADAPTER"] === "hardware" ? {} : { image: "ptx", exactMemory: true };
