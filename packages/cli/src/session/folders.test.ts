import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { checkRunFolder } from "./folders.js";

describe("checkRunFolder", () => {
  let out: string;
  beforeAll(async () => {
    out = await mkdtemp(join(tmpdir(), "basic-mllm-folders-"));
  });
  afterAll(() => rm(out, { recursive: true }));

  const refusal = (another?: string): string => {
    try {
      checkRunFolder(out, { resume: false, another });
    } catch (error) {
      return String(error).replaceAll(out, "RUN");
    }
    throw new Error("expected an error");
  };

  it("tells a run that goes on with --resume from a finished one, its report and another folder", async () => {
    await writeFile(join(out, "recipe.json"), "{}");
    expect(refusal("--seed 1")).toMatchInlineSnapshot(
      `"BasicError: There is a run in RUN already. Continue it with --resume, choose another folder with --out, or remove it. [E_USAGE]"`,
    );
    await writeFile(join(out, "evaluation.json"), "{}");
    expect(refusal("--seed 1")).toMatchInlineSnapshot(
      `"BasicError: The run in RUN is finished: \`basic-mllm report RUN\` writes a report of it. Start another one with --seed 1 or --out DIR, or remove that folder. [E_USAGE]"`,
    );
    await writeFile(join(out, "report.html"), "");
    expect(refusal("--seed 1")).toMatchInlineSnapshot(
      `"BasicError: The run in RUN is finished: its report is RUN/report.html. Start another one with --seed 1 or --out DIR, or remove that folder. [E_USAGE]"`,
    );
    // The seed chooses no folder where --out does.
    expect(refusal()).toContain("Start another one with --out DIR, or remove");
    expect(() => checkRunFolder(out, { resume: true })).not.toThrow();
  });
});
