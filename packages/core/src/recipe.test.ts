import { describe, expect, it } from "vitest";

import { defineRecipe, parseRecipe, type RecipeInput, recipeJsonSchema, resolveSteps } from "./recipe.js";
import { applyOverrides, diffRecipes, formatDifferences } from "./recipe-diff.js";

const input = {
  name: "tiny",
  model: { vision: "siglip-tiny", language: "llama-tiny" },
  data: { train: { align: "align.json", finetune: { file: "chat.json", limit: 10 } } },
  stages: {
    align: { train: ["projector"], steps: 100, learningRate: 1e-3 },
    finetune: {
      train: ["projector", "language"],
      steps: { epochs: 2 },
      learningRate: { projector: 1e-3, language: 2e-5 },
      losses: { direction: 1, distribution: { weight: 0.01, start: 10, ramp: 5 } },
    },
  },
} satisfies RecipeInput;
const recipe = defineRecipe(input);

/** `input` with one stage field changed. */
function withStage(fields: Record<string, unknown>) {
  return { ...input, stages: { align: { ...input.stages.align, ...fields } } };
}

describe("defineRecipe", () => {
  it("fills in every default", () => {
    expect(recipe).toMatchObject({
      task: "vlm",
      seed: 0,
      backend: "cpu",
      model: { projector: { name: "mlp2x_gelu", options: {} }, visionLayer: -2 },
      supervision: { depth: null, normalise: "none", stopGradient: true },
    });
    expect(recipe.stages["align"]).toMatchObject({
      accumulate: 1,
      betas: [0.9, 0.999],
      losses: { language: { weight: 1, start: 0, ramp: 0 } },
      lossReduction: "global",
      schedule: { kind: "cosine", floor: 0 },
    });
  });

  it("keeps the language loss when only others are given", () => {
    expect(recipe.stages["finetune"]?.losses).toMatchObject({
      language: { weight: 1 },
      direction: { weight: 1 },
      distribution: { weight: 0.01, start: 10, ramp: 5 },
    });
  });

  it("gives the same recipe for its own output", () => {
    expect(parseRecipe(JSON.parse(JSON.stringify(recipe)))).toEqual(recipe);
  });

  it("knows the other tasks", () => {
    const language = defineRecipe({
      task: "language",
      name: "tiny-lm",
      model: { language: "llama-tiny", tokenizer: "words" },
      data: { train: { pretrain: "texts.json" } },
      stages: { pretrain: { train: ["language"], steps: 10, learningRate: 2e-3, weightDecay: 0.05 } },
    });
    expect(language.task).toBe("language");
    const encoder = defineRecipe({
      task: "region-text",
      name: "tiny-encoder",
      model: { vision: "siglip-tiny" },
      data: { train: { pretrain: "regions" } },
      stages: { pretrain: { train: ["vision", "text"], steps: 10, learningRate: 1.5e-3 } },
    });
    expect(encoder.contrastive.labelSmoothing).toBe(0.05);
    expect(Object.keys(encoder.stages["pretrain"]?.losses ?? {})).toEqual(["contrastive"]);
  });
});

describe("a recipe of another task", () => {
  const language = {
    task: "language",
    name: "lm",
    model: { language: "llama-tiny", tokenizer: "words" },
    data: { train: { read: "texts.json" } },
    stages: { read: { train: ["language"], steps: 10, learningRate: 2e-3 } },
  };

  it("may not set what only multimodal recipes use", () => {
    const fields = { template: "chat", rowBudget: 99, losses: { direction: 1, language: 0.5 } };
    const wrong = {
      ...language,
      data: { ...language.data, evaluation: { test: "test.json" }, onImageError: "skip-and-count" },
      evaluation: { blind: true },
      stages: { read: { ...language.stages.read, ...fields } },
    };
    expect(() => parseRecipe(wrong)).toThrowErrorMatchingInlineSnapshot(`
      [BasicError: Recipe "lm" is not valid.
      ✖ Only multimodal recipes use this: remove it.
        → at evaluation.blind
      ✖ Only multimodal recipes use this: remove it.
        → at data.evaluation
      ✖ Only multimodal recipes use this: remove it.
        → at data.onImageError
      ✖ Only multimodal recipes use this: remove it.
        → at stages.read.template
      ✖ Only multimodal recipes use this: remove it.
        → at stages.read.rowBudget
      ✖ This task has one loss, "language", of weight 1: remove it.
        → at stages.read.losses.language
      ✖ This task has one loss, "language", of weight 1: remove it.
        → at stages.read.losses.direction [E_RECIPE_INVALID]]
    `);
    expect(() => parseRecipe(language)).not.toThrow();
  });

  it("may set the rows of micro-batches that are packed, and no means of them", () => {
    const packed = { ...language.stages.read, packing: "rows", rowBudget: 99 };
    expect(() => parseRecipe({ ...language, stages: { read: packed } })).not.toThrow();
    const wrong = { ...packed, lossReduction: "mean-of-means" };
    expect(() => parseRecipe({ ...language, stages: { read: wrong } })).toThrowErrorMatchingInlineSnapshot(`
      [BasicError: Recipe "lm" is not valid.
      ✖ "rows" divides a step by rows, and lossReduction "mean-of-means" averages over what it is divided into: remove one of them.
        → at stages.read.packing [E_RECIPE_INVALID]]
    `);
  });

  it("has no tokenizer where the data make the words", () => {
    const encoder = {
      task: "region-text",
      name: "encoder",
      model: { vision: "siglip", tokenizer: "words" },
      data: { train: { a: "x" } },
      stages: { a: { train: ["vision"], steps: 1, learningRate: 1, losses: { directoin: 1 } } },
    };
    expect(() => parseRecipe(encoder)).toThrow('Unrecognized key: "tokenizer"');
    expect(() => parseRecipe({ ...encoder, model: { vision: "siglip" } })).toThrow(
      'This task has one loss, "contrastive", of weight 1: remove it.\n  → at stages.a.losses.directoin',
    );
  });
});

describe("parseRecipe", () => {
  it("offers the nearest key for an unknown one", () => {
    expect(() => parseRecipe(withStage({ losss: {}, zebra: 1 }))).toThrowErrorMatchingInlineSnapshot(`
      [BasicError: Recipe "tiny" is not valid.
      ✖ Unrecognized keys: "losss", "zebra"
        → at stages.align
        "losss": Did you mean "losses"?
        "zebra": known are train, data, template, steps, batchSize, accumulate, rowBudget, learningRate, schedule, warmup, betas, epsilon, moments, weightDecay, shuffle, grouping, packing, prefetch, maxNorm, losses, lossReduction, evaluateEvery, checkpointEvery, logEvery. [E_RECIPE_INVALID]]
    `);
    expect(() => parseRecipe({ ...input, modle: {} })).toThrowErrorMatchingInlineSnapshot(`
      [BasicError: Recipe "tiny" is not valid.
      ✖ Unrecognized key: "modle"
        "modle": Did you mean "model"? [E_RECIPE_INVALID]]
    `);
  });

  it("names a value out of range and its place", () => {
    expect(() => parseRecipe(withStage({ steps: 0, learningRate: -1 }))).toThrowErrorMatchingInlineSnapshot(`
      [BasicError: Recipe "tiny" is not valid.
      ✖ Too small: expected number to be >0, got 0
        → at stages.align.steps
      ✖ Too small: expected number to be >0, got -1
        → at stages.align.learningRate [E_RECIPE_INVALID]]
    `);
    expect(() => parseRecipe({ ...input, name: "Not A Name" })).toThrowErrorMatchingInlineSnapshot(`
      [BasicError: Recipe "Not A Name" is not valid.
      ✖ use lower-case letters, digits, '.' and '-', got "Not A Name"
        → at name [E_RECIPE_INVALID]]
    `);
  });

  it("wants one backend", () => {
    expect(() => parseRecipe({ ...input, backend: "cpu,cuda" })).toThrowErrorMatchingInlineSnapshot(`
      [BasicError: Recipe "tiny" is not valid.
      ✖ use one backend name such as cpu or tfjs:wasm, got "cpu,cuda"
        → at backend [E_RECIPE_INVALID]]
    `);
  });

  it("names an unknown task and what is not a recipe at all", () => {
    expect(() => parseRecipe({ name: "x", task: "vml" })).toThrowErrorMatchingInlineSnapshot(`
      [BasicError: Recipe "x" is not valid.
      ✖ Unknown task: "vml". Did you mean "vlm"? Known: vlm, language, region-text.
        → at task [E_RECIPE_INVALID]]
    `);
    expect(() => parseRecipe([])).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: A recipe is an object, got a list. [E_RECIPE_INVALID]]`,
    );
    expect(() => parseRecipe(null)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: A recipe is an object, got null. [E_RECIPE_INVALID]]`,
    );
  });

  it("checks rules between fields", () => {
    const wrong = {
      ...withStage({ data: "aling", learningRate: { language: 1 } }),
      evaluation: { sets: ["noto"] },
    };
    expect(() => parseRecipe(wrong)).toThrowErrorMatchingInlineSnapshot(`
      [BasicError: Recipe "tiny" is not valid.
      ✖ There is no training set "aling". Did you mean "align"? Known: align, finetune.
        → at stages.align.data
      ✖ "language" does not train in this stage.
        → at stages.align.learningRate
      ✖ "projector" trains but has no learning rate.
        → at stages.align.learningRate
      ✖ There is no evaluation set "noto". Known: none.
        → at evaluation.sets [E_RECIPE_INVALID]]
    `);
    expect(() =>
      parseRecipe({ ...input, stages: { 1: input.stages.align } }),
    ).toThrowErrorMatchingInlineSnapshot(`
      [BasicError: Recipe "tiny" is not valid.
      ✖ Invalid key in record
        → at stages.1
        a stage's name begins with a letter [E_RECIPE_INVALID]]
    `);
    expect(() => parseRecipe({ ...input, stages: {} })).toThrowErrorMatchingInlineSnapshot(`
      [BasicError: Recipe "tiny" is not valid.
      ✖ A recipe needs at least one stage.
        → at stages [E_RECIPE_INVALID]]
    `);
  });
});

describe("recipeJsonSchema", () => {
  it("describes every field, for editors and for the table in the docs", () => {
    const missing: string[] = [];
    visit(recipeJsonSchema(), "", missing);
    expect(missing).toEqual([]);
  });

  function visit(node: unknown, path: string, missing: string[]): void {
    if (typeof node !== "object" || node === null) return;
    const properties = (node as { properties?: Record<string, { description?: string }> }).properties ?? {};
    for (const [key, field] of Object.entries(properties)) {
      if (field.description === undefined) missing.push(`${path}.${key}`);
    }
    for (const [key, child] of Object.entries(node)) visit(child, `${path}.${key}`, missing);
  }
});

describe("applyOverrides", () => {
  it("changes nested fields, with values as JSON or text", () => {
    const changed = applyOverrides(recipe, [
      "stages.align.steps=7",
      "stages.align.losses.direction=0.5",
      "backend=webgpu",
      "supervision.stopGradient=false",
    ]);
    expect(changed.stages["align"]?.steps).toBe(7);
    expect(changed.stages["align"]?.losses["direction"]?.weight).toBe(0.5);
    expect(changed.backend).toBe("webgpu");
    expect(recipe.stages["align"]?.steps).toBe(100);
  });

  it("refuses an unknown field, and text without a value", () => {
    expect(() => applyOverrides(recipe, ["stages.align.stpes=7"])).toThrowErrorMatchingInlineSnapshot(`
      [BasicError: Recipe "tiny" is not valid.
      ✖ Unrecognized key: "stpes"
        → at stages.align
        "stpes": Did you mean "steps"? [E_RECIPE_INVALID]]
    `);
    expect(() => applyOverrides(recipe, ["seed"])).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: "seed" does not change a field. Write it as path=value, for example stages.align.steps=100. [E_RECIPE_INVALID]]`,
    );
    expect(() => applyOverrides(recipe, ["__proto__.x=1"])).toThrow(/does not change a field/);
  });
});

describe("diffRecipes", () => {
  it("lists what differs, field by field", () => {
    const other = applyOverrides(recipe, [
      "stages.align.steps=7",
      "stages.finetune.losses.direction=0",
      "seed=3",
    ]);
    expect(formatDifferences(diffRecipes(recipe, other))).toMatchInlineSnapshot(`
      "  seed: 0 → 3
        stages.align.steps: 100 → 7
        stages.finetune.losses.direction.weight: 1 → 0"
    `);
    expect(diffRecipes(recipe, structuredClone(recipe))).toEqual([]);
  });

  it("shows a field that only one of them has", () => {
    expect(formatDifferences(diffRecipes({ a: {} }, { a: { b: 1 } }))).toMatchInlineSnapshot(`
      "  a: {} → (absent)
        a.b: (absent) → 1"
    `);
  });
});

describe("resolveSteps", () => {
  it("turns epochs into steps, at least one", () => {
    const finetune = recipe.stages["finetune"];
    if (finetune === undefined) throw new Error("the recipe has that stage");
    expect(resolveSteps(finetune, 100)).toBe(13);
    expect(resolveSteps(finetune, 1)).toBe(1);
    expect(resolveSteps({ ...finetune, accumulate: 2 }, 100)).toBe(7);
    expect(resolveSteps({ ...finetune, steps: 5 }, 100)).toBe(5);
  });
});
