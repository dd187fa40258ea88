import { beforeAll, it } from "vitest";

import { start } from "../src/index.js";
import { checkSteps, multimodalModel } from "./training-steps.js";

beforeAll(() => start());

it("200 steps of a multimodal model with both losses on its visual rows read nothing back and leave nothing behind", async () => {
  await checkSteps(multimodalModel());
}, 1_200_000);
