// For commands that test a backend: WebGPU finds the software adapter SwiftShader, and CUDA the emulator, unless
// BASIC_MLLM_TEST_ADAPTER=hardware asks for the machine's own.
import { join } from "node:path";

import { swiftShaderEnvironment } from "../packages/backend-webgpu/scripts/swiftshader.mjs";
import { withSource } from "./sources.mjs";
import { root, run } from "./steps.mjs";

/**
 * The driver is chosen when a process starts: where this one has not the environment for it, another one runs the command.
 *
 * @returns Whether that happened; the exit code is set then.
 */
export async function rerunWithAdapter(backend) {
  const env = await environmentOf(backend);
  const missing = Object.entries(env).some(([name, value]) => process.env[name] !== value);
  if (missing) process.exitCode = await run(process.execPath, process.argv.slice(1), { env });
  return missing;
}

async function environmentOf(backend) {
  if (backend === "webgpu") return swiftShaderEnvironment();
  const { BASIC_MLLM_TEST_ADAPTER: adapter } = process.env;
  if (backend !== "cuda" || adapter === "hardware") return {};
  const setup = join(root, "packages/backend-cuda/test/setup.ts");
  return withSource(setup, ({ emulatorEnvironment }) => emulatorEnvironment());
}
