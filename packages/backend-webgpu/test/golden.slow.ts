import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

import { expect, it } from "vitest";

const script = fileURLToPath(new URL("../../../scripts/golden.mjs", import.meta.url));

/** Exit code and output of `npm run test:golden` on WebGPU. */
function golden(...families: readonly string[]): Promise<readonly [code: number | null, text: string]> {
  const env = { ...process.env, BASIC_MLLM_BACKEND: "webgpu" };
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

it("LLaVA from pixels to runs of 12 steps, and the projectors, hold on WebGPU", async () => {
  const [code, text] = await golden("llava", "projectors");
  expect(text).not.toMatch(/^FAIL/m);
  expect(code).toBe(0);
});
