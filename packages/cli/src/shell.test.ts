import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";

import { shellWord } from "./shell.js";

it("shellWord leaves plain words alone, and a shell reads every word back as it was", () => {
  expect(["runs/a-0", "stages.align.losses.direction=0"].map(shellWord)).toEqual([
    "runs/a-0",
    "stages.align.losses.direction=0",
  ]);
  const words = ["", "a b", "it's", "$HOME", "~", "~/runs", "*", "a\nb", 'say "no"', "ü"];
  const read = execFileSync("sh", ["-c", `printf '%s\\0' ${words.map(shellWord).join(" ")}`], {
    encoding: "utf8",
  });
  expect(read.split("\0").slice(0, -1)).toEqual(words);
});
