import { dirname } from "node:path";
import { BasicError, didYouMean } from "@basic-mllm/core";
import {
  type DatasetReport,
  findTemplate,
  parseRecords,
  readTokenizer,
  TEMPLATES,
  validateDataset,
} from "@basic-mllm/data";
import { defaultCacheFolder } from "@basic-mllm/scenes";
import pc from "picocolors";

import { defineCliCommand, defineCommandGroup, listOf, wholeNumber } from "../command.js";
import { sceneOptions, writeScenes } from "../session/scenes.js";
import { readTextFile } from "../session/text-file.js";
import { unknownWordsWarning } from "../session/unknown-words.js";
import { decimals } from "../tables.js";
import { type Terminal, table } from "../terminal.js";

const BUILDERS = ["scenes"];

const build = defineCliCommand({
  name: "data build",
  description: "Build a data set: PNG pictures, LLaVA JSON and a tokenizer.",
  args: {
    builder: { type: "positional", description: `What to build: ${BUILDERS.join(", ")}.`, required: true },
    out: { type: "string", valueHint: "dir", description: "Folder to write.", required: true },
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
  ],
  run: async ({ args, terminal }) => {
    if (!BUILDERS.includes(args.builder)) {
      throw new BasicError(
        "E_NAME_UNKNOWN",
        `There is no data builder "${args.builder}".${didYouMean(args.builder, BUILDERS)} Known: ${BUILDERS.join(", ")}.`,
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

const validate = defineCliCommand({
  name: "data validate",
  description: "Look through a LLaVA JSON file before training: pictures, turns, lengths, labels.",
  args: {
    file: { type: "positional", description: "LLaVA JSON or JSON lines.", required: true },
    images: { type: "string", valueHint: "dir", description: "Folder of the pictures. Default: the file's." },
    template: {
      type: "string",
      valueHint: "name",
      description: `Template; may be repeated: ${Object.keys(TEMPLATES).join(", ")}, model. Default: all that the tokenizer can write.`,
    },
    tokenizer: {
      type: "string",
      valueHint: "dir",
      description: "Folder with tokenizer.json.",
      required: true,
    },
    decode: { type: "boolean", description: "Also decode every picture." },
  },
  examples: [
    "basic-mllm data validate chat.json --images pictures --template chat --tokenizer models/llama",
    "basic-mllm data validate my-scenes/stage2.json --tokenizer my-scenes --decode --json",
  ],
  run: async ({ args, repeated, terminal }) => {
    const tokenizer = await readTokenizer(args.tokenizer);
    const templates = listOf(repeated("template")).map((name) => findTemplate(name, tokenizer));
    const { samples, malformed } = parseRecords(await readTextFile(args.file), args.file);
    const found = await validateDataset({
      samples,
      imageRoot: args.images ?? dirname(args.file),
      tokenizer,
      decodeImages: args.decode === true,
      ...(templates.length > 0 && { templates }),
    });
    const problems = [...malformed.map(({ message }) => withoutCode(message)), ...datasetProblems(found)];
    const warnings = datasetWarnings(found);
    printReport(terminal, found, { problems, warnings });
    terminal.result({ file: args.file, ...found, problems, warnings });
    return problems.length === 0 ? 0 : 1;
  },
});

/** `basic-mllm data`: build a data set, or look through one. */
export const data = defineCommandGroup({
  name: "data",
  description: "Build a data set, or look through one before training.",
  commands: [build, validate],
});

/** What would stop a training run, one sentence each. */
function datasetProblems(found: DatasetReport): readonly string[] {
  const lists: readonly (readonly [readonly string[], string])[] = [
    [found.missingImages, "pictures are missing"],
    [found.brokenImages, "pictures cannot be decoded"],
    [found.placeholderMismatches, "samples have another number of <image> than of pictures"],
  ];
  return [
    ...lists.flatMap(([names, text]) =>
      names.length === 0 ? [] : [`${names.length} ${text}, for example ${names[0]}`],
    ),
    ...found.templates.flatMap(({ template, unusable }) =>
      unusable.map(({ count, first }) => `template ${template}: ${count} samples cannot be used: ${first}`),
    ),
  ];
}

/** What a training run does not stop at, one sentence each. */
function datasetWarnings({ duplicateIds, unknownWords }: DatasetReport): readonly string[] {
  const unknown = unknownWordsWarning("all samples", unknownWords);
  return [
    ...(duplicateIds.length === 0
      ? []
      : [
          `${duplicateIds.length} ids occur more than once, for example ${duplicateIds[0]}: training accepts that`,
        ]),
    ...(unknown === undefined ? [] : [unknown]),
  ];
}

/** Malformed records are many where a file is of another format: --json lists them all. */
const SHOWN = 20;

function withoutCode(message: string): string {
  return message.replace(/ \[E_[A-Z_]+\]$/, "");
}

function printReport(
  terminal: Terminal,
  found: DatasetReport,
  { problems, warnings }: { readonly problems: readonly string[]; readonly warnings: readonly string[] },
): void {
  const { samples, images, textOnly, turns } = found;
  terminal.line(`  ${samples} samples, ${images} pictures, ${textOnly} samples without a picture`);
  terminal.line(`  turns ${turns.min} to ${turns.max}, median ${turns.median}`);
  const rows = found.templates.map(({ template, tokens, maskedShare }) => [
    template,
    String(tokens.min),
    String(tokens.median),
    String(tokens.max),
    decimals(maskedShare, 2),
  ]);
  terminal.line(table(["TEMPLATE", "TOKENS MIN", "MEDIAN", "MAX", "MASKED SHARE"], rows));
  for (const problem of problems.slice(0, SHOWN)) terminal.line(`${pc.red("problem")} ${problem}`);
  const hidden = problems.length - SHOWN;
  if (hidden > 0) terminal.line(`  and ${hidden} more problems: --json lists all of them`);
  for (const warning of warnings) terminal.warn(warning);
  if (problems.length === 0) terminal.line(pc.green("  no problems found"));
}
