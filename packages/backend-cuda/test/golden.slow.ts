import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

import { expect, it } from "vitest";

const script = fileURLToPath(new URL("../../../scripts/golden.mjs", import.meta.url));

/** Exit code and output of `npm run test:golden` on CUDA, in this process's environment. */
function golden(...families: readonly string[]): Promise<readonly [code: number | null, text: string]> {
  const env = { ...process.env, BASIC_MLLM_BACKEND: "cuda" };
  const child = spawn(process.execPath, [script, ...families], { env, stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (piece: Buffer) => {
    text += piece.toString();
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve([code, text]));
  });
}

it.each([["losses", "ops"], ["llava"], ["projectors"]])(
  "the recorded values of %s hold on CUDA",
  async (...families) => {
    const [code, text] = await golden(...families);
    expect(text).not.toMatch(/^FAIL/m);
    expect(code).toBe(0);
  },
);
