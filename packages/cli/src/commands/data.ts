import { existsSync } from "node:fs";
import { BasicError, didYouMean } from "@basic-mllm/core";
import { recipes } from "@basic-mllm/recipes";
import { defaultCacheFolder } from "@basic-mllm/scenes";
import pc from "picocolors";

import { defineCliCommand, defineCommandGroup, wholeNumber } from "../command.js";
import { loadRecipe } from "../session/load-recipe.js";
import { openScenes, sceneOptions, writeScenes } from "../session/scenes.js";
import { type Terminal, table } from "../terminal.js";
import { preview } from "./data-preview.js";
import { validate } from "./data-validate.js";

const BUILDERS = ["scenes"];

const build = defineCliCommand({
  name: "data build",
  description: "Build a data set: PNG pictures, LLaVA JSON and a tokenizer.",
  args: {
    builder: {
      type: "positional",
      description: `What to build: ${BUILDERS.join(", ")}; or a recipe, whose data goes to the cache.`,
      required: true,
    },
    out: { type: "string", valueHint: "dir", description: "Folder to write. A recipe has its own." },
    variant: {
      type: "string",
      valueHint: "name",
      description: "solo: one thing; grid: up to four. Default: solo.",
    },
    train1: { type: "string", valueHint: "n", description: "Pictures with captions. Default: 8000." },
    train2: { type: "string", valueHint: "n", description: "Pictures with chat. Default: 12000." },
    test: { type: "string", valueHint: "n", description: "Pictures of each evaluation set. Default: 400." },
    seed: { type: "string", valueHint: "n", description: "Seed of all choices. Default: 0." },
    "test-style": {
      type: "string",
      valueHint: "name",
      description: "Artists that training never sees. Default: noto.",
    },
  },
  examples: [
    "basic-mllm data build scenes --out my-scenes",
    "basic-mllm data build scenes --out harder --variant grid --train1 20000 --train2 30000",
    "basic-mllm data build quickstart",
  ],
  run: async ({ args, terminal }) => {
    if (!BUILDERS.includes(args.builder)) {
      const folder = await buildForRecipe(args.builder, terminal);
      terminal.result({ folder });
      return 0;
    }
    if (args.out === undefined) {
      throw new BasicError(
        "E_USAGE",
        "basic-mllm data build: --out is needed, the folder to write. For example: basic-mllm data build scenes --out my-scenes.",
      );
    }
    const given = {
      variant: args.variant,
      train1: wholeNumber("data build", "train1", args.train1),
      train2: wholeNumber("data build", "train2", args.train2),
      test: wholeNumber("data build", "test", args.test),
      seed: wholeNumber("data build", "seed", args.seed, 0),
      testStyle: args["test-style"],
    };
    const options = sceneOptions(
      Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    );
    const { sets } = await writeScenes({ terminal, cache: defaultCacheFolder() }, args.out, options);
    const rows = Object.entries(sets).map(([name, set]) => [name, String(set.scenes), String(set.records)]);
    terminal.line(table(["SET", "PICTURES", "RECORDS"], rows));
    terminal.line(`  in ${pc.cyan(args.out)}`);
    terminal.result({ folder: args.out, sets });
    return 0;
  },
});

/** Builds the data of a recipe where training looks for them, before there are kernels to train with. */
async function buildForRecipe(name: string, terminal: Terminal): Promise<string> {
  const known = [...BUILDERS, ...Object.keys(recipes)];
  if (!Object.hasOwn(recipes, name) && !existsSync(name)) {
    throw new BasicError(
      "E_NAME_UNKNOWN",
      `There is no data builder "${name}", and no recipe.${didYouMean(name, known)} Known: ${known.join(", ")}.`,
    );
  }
  const recipe = await loadRecipe(name);
  const { builder } = recipe.data;
  if (builder?.name !== "scenes") {
    throw new BasicError(
      "E_USAGE",
      `basic-mllm data build: the data of recipe "${recipe.name}" are not built as files: it names ${builder === undefined ? "no builder" : `the builder "${builder.name}"`}. Train it as it is.`,
    );
  }
  const folder = await openScenes({ recipe, terminal, cache: defaultCacheFolder() });
  terminal.line(`  in ${pc.cyan(folder)}`);
  return folder;
}

/** `basic-mllm data`: build a data set, look through one, or show it. */
export const data = defineCommandGroup({
  name: "data",
  description: "Build a data set, or look through one before training.",
  commands: [build, validate, preview],
});
