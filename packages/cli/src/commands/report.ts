import { join } from "node:path";
import { BasicError } from "@basic-mllm/core";
import { renderReport } from "@basic-mllm/evaluate";
import pc from "picocolors";

import { defineCliCommand } from "../command.js";
import { writeText } from "../session/json-file.js";
import { readReportRun } from "../session/report-data.js";
import { today } from "../session/run-report.js";

/** `basic-mllm report`: one run in depth, or several compared, as one HTML file. */
export const report = defineCliCommand({
  name: "report",
  description: "Write the report of a run, or a comparison of several, as one HTML file.",
  args: {
    run: { type: "positional", description: "Run folders.", required: true },
    out: {
      type: "string",
      valueHint: "file",
      description: "File to write. Default: report.html in the run, or comparison.html here for several.",
    },
    title: { type: "string", valueHint: "text", description: "Heading of the page." },
  },
  takesMore: true,
  examples: [
    "basic-mllm report runs/quickstart-0",
    "basic-mllm report runs/quickstart-0 runs/quickstart-1 --out seeds.html",
    "basic-mllm report runs/ablate-quickstart/*-0 --title 'BASIC against plain'",
  ],
  run: async ({ args, terminal }) => {
    const folders = args._;
    const runs = await Promise.all(folders.map(readReportRun));
    const [first] = runs;
    if (first === undefined) {
      throw new BasicError("E_USAGE", "basic-mllm report: expected at least one run folder, got none.");
    }
    const several = runs.length > 1;
    const file = args.out ?? (several ? "comparison.html" : join(folders[0] ?? "", "report.html"));
    const title = args.title ?? (several ? `${runs.length} runs compared` : first.name);
    await writeText(file, renderReport({ title, date: today(), runs }));
    terminal.line(`Wrote ${pc.cyan(file)}`);
    terminal.result({ file, runs: folders });
    return 0;
  },
});
