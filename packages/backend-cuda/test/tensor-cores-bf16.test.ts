import { testBackend } from "@basic-mllm/testing";

import { BACKEND_NAME, start } from "../src/index.js";
import { TEST_DEVICE } from "./device.js";
import { boundedContracts, MANTISSA } from "./tensor-shapes.js";

testBackend({
  backend: BACKEND_NAME,
  start: () => start({ ...TEST_DEVICE, precision: "bf16" }),
  contracts: boundedContracts(MANTISSA.bf16),
});
