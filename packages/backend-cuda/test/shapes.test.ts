import { testBackend } from "@basic-mllm/testing";

import { BACKEND_NAME, type StartOptions, start, toleranceFactor } from "../src/index.js";
import { ownContracts } from "./shapes.js";

/** As for the cases of the contracts themselves. */
const options: StartOptions =
  process.env["BASIC_MLLM_TEST_ADAPTER"] === "hardware" ? {} : { image: "ptx", exactMemory: true };

testBackend({
  backend: BACKEND_NAME,
  start: () => start(options),
  contracts: ownContracts,
  toleranceFactor,
});
