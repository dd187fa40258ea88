import { testBackend } from "@basic-mllm/testing";

import { BACKEND_NAME, start, toleranceFactor } from "../src/index.js";
import { TEST_DEVICE } from "./device.js";
import { ownContracts } from "./shapes.js";

testBackend({
  backend: BACKEND_NAME,
  start: () => start(TEST_DEVICE),
  contracts: ownContracts,
  toleranceFactor,
});
