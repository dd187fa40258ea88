import { testBackend } from "@basic-mllm/testing";

import { start } from "../src/start.js";

testBackend({ backend: "basiccpu", start: () => start({ threads: 2 }) });
