import { describe, expect, it } from "vitest";

import { commands } from "../src/commands/index.js";
import { cli } from "./run-cli.js";

describe("--help", () => {
  it.each(commands.map(({ name }) => name))("of %s shows options and examples", async (name) => {
    const { code, out } = await cli([name, "--help"]);
    expect(code).toBe(0);
    expect(out).toContain("EXAMPLES");
    expect(`\n${out}`).toMatchSnapshot();
  });

  it("of a verb's verb shows that one alone", async () => {
    const { out } = await cli(["data", "validate", "--help"]);
    expect(out).toContain("--template");
    expect(out).not.toContain("--train1");
  });

  it("is what `help` shows, of a verb and of a verb's verb", async () => {
    for (const words of [["train"], ["data", "validate"], []]) {
      const { code, out } = await cli([...words, "--help"]);
      expect(await cli(["help", ...words])).toMatchObject({ code, out });
    }
    const wrong = await cli(["help", "trian"]);
    expect(wrong).toMatchObject({ code: 2, out: expect.stringContaining('Did you mean "train"?') });
  });

  it("lists all verbs, and exits with 2 where none was given", async () => {
    const asked = await cli(["--help"]);
    expect(asked.code).toBe(0);
    expect(`\n${asked.out.replace(/\d+\.\d+\.\d+/, "VERSION")}`).toMatchSnapshot();
    expect(await cli([])).toMatchObject({ code: 2, out: asked.out });
  });

  it("--version prints the version", async () => {
    const { code, out } = await cli(["--version"]);
    expect([code, out]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/)]);
  });
});
