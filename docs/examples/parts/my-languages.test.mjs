import { createRandom } from "@basic-mllm/core";
import { testLanguageModel } from "@basic-mllm/testing";

import { createPairs } from "./my-languages.mjs";

const options = { vocabularySize: 9, width: 4 };
testLanguageModel({
  name: "pairs",
  create: () => createPairs({ random: createRandom(1, "pairs"), options }),
});
