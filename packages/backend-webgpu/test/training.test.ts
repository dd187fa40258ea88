import { beforeAll, it } from "vitest";

import { start } from "../src/index.js";
import { checkSteps, languageModel } from "./training-steps.js";

beforeAll(() => start());

it("200 training steps read nothing back, leave nothing behind, and lower the loss", async () => {
  await checkSteps(languageModel());
}, 600_000);
