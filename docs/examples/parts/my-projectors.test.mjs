import { testProjector } from "@basic-mllm/testing";

import { createScaledLinear } from "./my-projectors.mjs";

testProjector({ name: "scaled-linear", create: createScaledLinear });
