import "@tensorflow/tfjs-backend-cpu";

import { setFallback } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { testBackend } from "../src/index.js";

testBackend({
  backend: "cpu",
  start: async () => {
    setFallback("reference");
    await tf.setBackend("cpu");
  },
  stop: () => setFallback("error"),
});
