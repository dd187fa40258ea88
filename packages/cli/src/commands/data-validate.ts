import {
  type DatasetReport,
  type Finding,
  findTemplate,
  noRecords,
  openSamples,
  readTokenizer,
  TEMPLATES,
  validateDataset,
} from "@basic-mllm/data";
import pc from "picocolors";

import { defineCliCommand, listOf, wholeNumber } from "../command.js";
import { unknownWordsWarning } from "../session/unknown-words.js";
import { decimals } from "../tables.js";
import { type Terminal, table } from "../terminal.js";

/** `basic-mllm data validate`: what would stop a training run. */
export const validate = defineCliCommand({
  name: "data validate",
  description: "Look through a data set before training: pictures, turns, lengths, labels.",
  args: {
    file: {
      type: "positional",
      description: "LLaVA JSON, JSON lines, Parquet or tar; a file, a folder or a pattern.",
      required: true,
    },
    images: {
      type: "string",
      valueHint: "dir",
      description: "Folder of the pictures, where they are files. Default: the file's.",
    },
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
    "max-length": {
      type: "string",
      valueHint: "n",
      description: "Name samples with more tokens, pictures not counted. Default: no limit.",
    },
    decode: { type: "boolean", description: "Also decode every picture." },
  },
  examples: [
    "basic-mllm data validate chat.json --images pictures --template chat --tokenizer models/llama",
    "basic-mllm data validate 'shards/{000..127}.tar' --template vicuna-v1 --tokenizer models/llama --max-length 2048",
    "basic-mllm data validate my-scenes/stage2.json --tokenizer my-scenes --decode --json",
  ],
  run: async ({ args, repeated, terminal }) => {
    const maxLength = wholeNumber("data validate", "max-length", args["max-length"]);
    const tokenizer = await readTokenizer(args.tokenizer);
    const templates = listOf(repeated("template")).map((name) => findTemplate(name, tokenizer));
    const source = await openSamples(args.file, {
      ...(args.images !== undefined && { imageRoot: args.images }),
    });
    if (source.size === 0) throw noRecords(args.file);
    const progress = terminal.progress("records", source.size);
    const found = await validateDataset({
      source: { imageRoot: source.imageRoot, records: () => counted(source.records(), progress.update) },
      tokenizer,
      decodeImages: args.decode === true,
      ...(templates.length > 0 && { templates }),
      ...(maxLength !== undefined && { maxLength }),
    }).finally(() => progress.stop());
    const problems = datasetProblems(found, maxLength);
    const warnings = datasetWarnings(found);
    printReport(terminal, found, { problems, warnings });
    terminal.result({ file: args.file, format: source.format, ...found, problems, warnings });
    return problems.length === 0 ? 0 : 1;
  },
});

async function* counted<Item>(
  items: AsyncIterable<Item>,
  seen: (count: number) => void,
): AsyncIterable<Item> {
  let count = 0;
  for await (const item of items) {
    yield item;
    count++;
    seen(count);
  }
}

/** What would stop a training run, one sentence each. */
function datasetProblems(found: DatasetReport, maxLength: number | undefined): readonly string[] {
  const overLong = `samples have more than ${maxLength} tokens`;
  return [
    ...eachOf(found.malformed),
    ...eachOf(found.roleErrors),
    ...sentence(found.missingImages, "pictures are missing"),
    ...sentence(found.brokenImages, "pictures cannot be used"),
    ...sentence(found.morePlaceholders, "samples have more <image> than pictures"),
    ...sentence(found.fewerPlaceholders, "samples have fewer <image> than pictures"),
    ...found.templates.flatMap((template) => [
      ...sentence(template.overLong, overLong, `template ${template.template}: `),
      ...template.unusable.map(
        ({ count, examples }) =>
          `template ${template.template}: ${count} samples cannot be used: ${examples[0]}`,
      ),
    ]),
  ];
}

/** What a training run does not stop at, one sentence each. */
function datasetWarnings({ duplicateIds, emptyAnswers, unknownWords }: DatasetReport): readonly string[] {
  const unknown = unknownWordsWarning("all samples", unknownWords);
  const accepted = (texts: readonly string[]) => texts.map((text) => `${text}: training accepts that`);
  return [
    ...accepted(sentence(duplicateIds, "ids occur more than once")),
    ...sentence(emptyAnswers, "samples have an empty answer, which is not trained"),
    ...(unknown === undefined ? [] : [unknown]),
  ];
}

/** Cases that a sentence names. */
const NAMED = 3;

function sentence({ count, examples }: Finding, text: string, start = ""): readonly string[] {
  if (count === 0) return [];
  return [`${start}${count} ${text}, for example ${examples.slice(0, NAMED).map(withoutCode).join("; ")}`];
}

/** Errors whose text says all: one line each, and how many there are besides. */
function eachOf({ count, examples }: Finding): readonly string[] {
  const more = count - examples.length;
  return [
    ...examples.map(withoutCode),
    ...(more > 0 ? [`${more} more records are malformed in ways like these`] : []),
  ];
}

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
  const rows = found.templates.map(({ template, tokens, supervisedShare }) => [
    template,
    String(tokens.min),
    String(tokens.median),
    String(tokens.max),
    decimals(supervisedShare, 2),
  ]);
  terminal.line(table(["TEMPLATE", "TOKENS MIN", "MEDIAN", "MAX", "SHARE TRAINED"], rows));
  for (const problem of problems) terminal.line(`${pc.red("problem")} ${problem}`);
  for (const warning of warnings) terminal.warn(warning);
  if (problems.length === 0) terminal.line(pc.green("  no problems found"));
}
