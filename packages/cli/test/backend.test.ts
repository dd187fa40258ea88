import { afterEach, describe, expect, it, vi } from "vitest";

import { cli } from "./run-cli.js";

afterEach(() => {
  vi.unstubAllEnvs();
});

/** Exit code and text of a training that cannot begin. */
async function train(...argv: readonly string[]): Promise<readonly [code: number, text: string]> {
  vi.stubEnv("BASIC_MLLM_THREADS", "");
  const { code, out } = await cli(["train", "quickstart", "--out", "never-made", ...argv]);
  return [code, out.trimEnd()];
}

describe("a backend that cannot start ends the command, and no other one takes its place", () => {
  it("where it starts and fails", async () => {
    expect(await train("--threads", "5000")).toMatchInlineSnapshot(`
      [
        1,
        "error startBackend: the backend "cpu" did not start: The CPU backend needs a number of threads from 1 to 1024, but BASIC_MLLM_THREADS (the environment variable, or \`--threads\` of a command) is "5000". Give a whole number, or leave it out to use all CPUs. There is no fallback to another backend. [E_BACKEND_START]",
      ]
    `);
  });

  it("where this machine has no device for it", async () => {
    vi.stubEnv("CUDA_VISIBLE_DEVICES", "");
    const [code, text] = await train("--backend", "cuda");
    expect(code).toBe(1);
    expect(text).toMatch(
      /^error startBackend: the backend "cuda" did not start: There is no (NVIDIA driver|CUDA device)/,
    );
    expect(text).toMatch(
      /no fallback to another backend\. Correct this, or use the backend "cpu"\. \[E_BACKEND_START\]$/,
    );
  });

  it("where its engine is not installed", async () => {
    vi.stubEnv("BASIC_MLLM_TENSORFLOW", "/none");
    expect(await train("--backend", "tensorflow")).toMatchInlineSnapshot(`
      [
        1,
        "error startBackend: the backend "tensorflow" did not start: @tensorflow/tfjs-node is not installed in /none (BASIC_MLLM_TENSORFLOW). Its own installer brings a TensorFlow of 2022, so build it on a current one: \`bash scripts/build-tfjs-node.sh cpu\` of the repository, or \`bash scripts/build-tfjs-node.sh gpu\`, with the folder of your project behind it. There is no fallback to another backend. Correct this, or use the backend "cpu". [E_BACKEND_START]",
      ]
    `);
  });

  it("where it is nobody's", async () => {
    expect(await train("--backend", "quantum")).toMatchInlineSnapshot(`
      [
        1,
        "error startBackend: there is no backend "quantum": no package @basic-mllm/backend-quantum is installed. Ours are cpu, webgpu, cuda; "tfjs:NAME" is one that was registered with TensorFlow.js. [E_BACKEND_MISSING]",
      ]
    `);
  });

  it("where tfjs does not know it", async () => {
    expect(await train("--backend", "tfjs:wasm")).toMatchInlineSnapshot(`
      [
        1,
        "error startBackend: tfjs has no backend "wasm". Import the package that registers it first, for example "@tensorflow/tfjs-backend-wasm". [E_BACKEND_MISSING]",
      ]
    `);
  });
});
