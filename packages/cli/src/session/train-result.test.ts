import { describe, expect, it } from "vitest";

import type { Terminal } from "../terminal.js";
import { printResult } from "./train-result.js";

describe("printResult", () => {
  const summary = {
    recipe: "quickstart",
    seconds: 75,
    steps: 1400,
    evaluations: [{ split: "unseen-artist", metrics: { vqa: 0.5 } }],
    blind: null,
    out: "runs/quickstart-0",
    report: null,
  };

  function printed(more: Parameters<typeof printResult>[2]): readonly string[] {
    const lines: string[] = [];
    const terminal = { line: (text = "") => lines.push(text) } as unknown as Terminal;
    printResult(terminal, { ...summary, evaluations: summary.evaluations as never }, more);
    return lines;
  }

  it("ends with the command that talks about a picture", () => {
    expect(printed({ picture: "a picture.png", ofBaseline: false })).toEqual([
      "",
      "  unseen-artist  vqa 0.500",
      "  1400 steps in 1 min 15 s; run folder runs/quickstart-0",
      "  chat with it: basic-mllm chat runs/quickstart-0 --image 'a picture.png'",
    ]);
  });

  it("says on each line of the baseline that it is the baseline, whose lines stand among those of the run", () => {
    expect(printed({ picture: undefined, ofBaseline: true })).toEqual([
      "",
      "  blind unseen-artist  vqa 0.500",
      "  blind 1400 steps in 1 min 15 s; run folder runs/quickstart-0",
    ]);
  });
});
