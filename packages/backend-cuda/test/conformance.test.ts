import { testBackend } from "@basic-mllm/testing";

import { BACKEND_NAME, type StartOptions, start, toleranceFactor } from "../src/index.js";

/** On the emulator every tensor has memory of its own, to the byte, so that accesses beyond it are seen. */
const options: StartOptions =
  process.env["BASIC_MLLM_TEST_ADAPTER"] === "hardware" ? {} : { image: "ptx", exactMemory: true };

testBackend({
  backend: BACKEND_NAME,
  start: () => start(options),
  toleranceFactor,
});
