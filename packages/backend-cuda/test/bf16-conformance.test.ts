import { testBackend } from "@basic-mllm/testing";

import { BACKEND_NAME, start } from "../src/index.js";
import { contractsInBf16 } from "./bf16.js";
import { TEST_DEVICE } from "./device.js";

await start({ ...TEST_DEVICE, precision: "bf16" });

testBackend({ backend: BACKEND_NAME, start: () => start(), contracts: contractsInBf16() });
