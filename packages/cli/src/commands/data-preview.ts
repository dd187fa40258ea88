import { basename } from "node:path";
import {
  findTemplate,
  noRecords,
  openSamples,
  previewSamples,
  readTokenizer,
  TEMPLATES,
} from "@basic-mllm/data";
import { renderPreview } from "@basic-mllm/evaluate";
import pc from "picocolors";

import { defineCliCommand, wholeNumber } from "../command.js";
import { writeText } from "../session/json-file.js";

const SHOWN = 24;

/** `basic-mllm data preview`: samples as training sees them, as one HTML file. */
export const preview = defineCliCommand({
  name: "data preview",
  description: "Write a page that shows samples as training sees them: pictures, tokens, what is trained.",
  args: {
    file: {
      type: "positional",
      description: "LLaVA JSON, JSON lines, Parquet or tar; a file, a folder or a pattern.",
      required: true,
    },
    out: { type: "string", valueHint: "file", description: "HTML file to write.", required: true },
    template: {
      type: "string",
      valueHint: "name",
      description: `Template: ${Object.keys(TEMPLATES).join(", ")}, model.`,
      required: true,
    },
    tokenizer: {
      type: "string",
      valueHint: "dir",
      description: "Folder with tokenizer.json.",
      required: true,
    },
    images: {
      type: "string",
      valueHint: "dir",
      description: "Folder of the pictures, where they are files. Default: the file's.",
    },
    number: {
      type: "string",
      alias: "n",
      valueHint: "n",
      description: `Records to show, at even distances. Default: ${SHOWN}.`,
    },
  },
  examples: [
    "basic-mllm data preview chat.json --out page.html --template chat --tokenizer models/llama",
    "basic-mllm data preview 'shards/*.parquet' --out page.html --template vicuna-v1 --tokenizer models/llama -n 60",
  ],
  run: async ({ args, terminal }) => {
    const count = wholeNumber("data preview", "number", args.number) ?? SHOWN;
    const tokenizer = await readTokenizer(args.tokenizer);
    const template = findTemplate(args.template, tokenizer);
    const source = await openSamples(args.file, {
      ...(args.images !== undefined && { imageRoot: args.images }),
    });
    if (source.size === 0) throw noRecords(args.file);
    const records = await previewSamples(source, { template, tokenizer, count });
    const title = basename(args.file);
    await writeText(args.out, renderPreview({ title, template: template.name, size: source.size, records }));
    const problems = records.filter((record) => record.problems.length > 0).length;
    terminal.line(`Wrote ${records.length} of ${source.size} records to ${pc.cyan(args.out)}`);
    if (problems > 0) {
      terminal.warn(
        `${problems} of them cannot be trained on; \`basic-mllm data validate\` lists all that are wrong`,
      );
    }
    terminal.result({ file: args.out, records: records.length, size: source.size, problems });
    return 0;
  },
});
