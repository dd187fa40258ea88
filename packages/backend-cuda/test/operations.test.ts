import { testBackend } from "@basic-mllm/testing";

import { BACKEND_NAME, start } from "../src/index.js";
import { TEST_DEVICE } from "./device.js";
import { operationContracts } from "./operation-contracts.js";

testBackend({ backend: BACKEND_NAME, start: () => start(TEST_DEVICE), contracts: operationContracts });
