import type { Recipe } from "@basic-mllm/core";

import { quickstart } from "./quickstart.js";
import { smoke } from "./smoke.js";
import { smollm2 } from "./smollm2.js";
import { tinyEncoder } from "./tiny-encoder.js";
import { tinyLm } from "./tiny-lm.js";

export { type LossInput, lossVariants, presets, type StageLosses, type Variant } from "./ablation.js";
export { quickstart } from "./quickstart.js";
export { smoke } from "./smoke.js";
export { SMOLLM2_FILE, smollm2 } from "./smollm2.js";
export { TINY_ENCODER, TINY_LANGUAGE } from "./tiny.js";
export { tinyEncoder } from "./tiny-encoder.js";
export { tinyLm } from "./tiny-lm.js";

/** Every recipe that ships with the command line, by name. */
export const recipes: Readonly<Record<string, Recipe>> = {
  quickstart,
  smoke,
  smollm2,
  "tiny-encoder": tinyEncoder,
  "tiny-lm": tinyLm,
};
