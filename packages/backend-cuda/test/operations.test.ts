import { testBackend } from "@basic-mllm/testing";

import { BACKEND_NAME, start } from "../src/index.js";
import { operationContracts } from "./operation-contracts.js";
import { EMULATED } from "./stock.js";

testBackend({ backend: BACKEND_NAME, start: () => start(EMULATED), contracts: operationContracts });
