// For commands that test a backend: WebGPU finds the software adapter SwiftShader, unless BASIC_MLLM_TEST_ADAPTER=hardware
// asks for the machine's own.
import { swiftShaderEnvironment } from "../packages/backend-webgpu/scripts/swiftshader.mjs";
import { run } from "./steps.mjs";

/**
 * The driver is chosen when a process starts: where this one has not the environment for it, another one runs the command.
 *
 * @returns Whether that happened; the exit code is set then.
 */
export async function rerunWithAdapter(backend) {
  if (backend !== "webgpu") return false;
  const env = swiftShaderEnvironment();
  const { VK_DRIVER_FILES: now } = process.env;
  if (now === env.VK_DRIVER_FILES) return false;
  process.exitCode = await run(process.execPath, process.argv.slice(1), { env });
  return true;
}
