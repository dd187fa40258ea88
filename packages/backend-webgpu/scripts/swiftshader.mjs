// For tests on machines without a GPU: the software adapter SwiftShader, out of the npm package @sparticuz/chromium.
// Never part of the backend: a user gets the adapter of the machine, or an error.
import path from "node:path";

import { unpacked } from "./unpack.mjs";

/**
 * Environment in which a new process finds SwiftShader as its only Vulkan driver. The loader reads it when a process
 * starts, so it cannot be set later. Empty where tests are to run on the machine's own adapter: with
 * BASIC_MLLM_TEST_ADAPTER=hardware, and on systems that the package has no SwiftShader for.
 */
export function swiftShaderEnvironment() {
  const { BASIC_MLLM_TEST_ADAPTER: wanted, LD_LIBRARY_PATH: before } = process.env;
  if (wanted === "hardware" || process.platform !== "linux" || process.arch !== "x64") return {};
  const folder = unpacked("swiftshader", ["swiftshader.tar.br"]);
  const driver = path.join(folder, "vk_swiftshader_icd.json");
  // Once only: a process that is started with this environment asks for the same one.
  const others = (before ?? "").split(":").filter((entry) => entry !== "" && entry !== folder);
  return {
    VK_ICD_FILENAMES: driver,
    VK_DRIVER_FILES: driver,
    LD_LIBRARY_PATH: [folder, ...others].join(":"),
  };
}
