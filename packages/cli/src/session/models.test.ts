import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { parseRecipe } from "@basic-mllm/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { writeMiniTask } from "../../test/mini.js";
import { openProcessor } from "./models.js";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "basic-mllm-models-"));
});

afterEach(() => rm(folder, { recursive: true }));

describe("openProcessor", () => {
  it("refuses a damaged preprocessor_config.json", async () => {
    const written = JSON.parse(await readFile(await writeMiniTask(folder), "utf8"));
    const recipe = parseRecipe({ ...written, model: { ...written.model, vision: folder } });
    if (recipe.task !== "vlm") throw new Error("the mini task is one of pictures");
    await writeFile(join(folder, "config.json"), "{}");
    await writeFile(join(folder, "preprocessor_config.json"), '{"size":');
    expect(() => openProcessor(recipe, {})).toThrowError(
      `${join(folder, "preprocessor_config.json")} is not JSON. Download it again. [E_CONFIG]`,
    );
  });
});
