import { testLoss } from "@basic-mllm/testing";

import { createLengthLoss } from "./my-losses.mjs";

testLoss({ name: "length", create: createLengthLoss });
