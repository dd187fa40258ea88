import { testBackend } from "@basic-mllm/testing";

import { BACKEND_NAME, start, toleranceFactor } from "../src/index.js";

testBackend({ backend: BACKEND_NAME, start: () => start(), toleranceFactor });
