// For tests: the headless Chromium out of the npm package @sparticuz/chromium, which has SwiftShader beside it.
import path from "node:path";

import { unpacked } from "./unpack.mjs";

const ARCHIVES = ["chromium.br", "swiftshader.tar.br", "al2023.tar.br", "fonts.tar.br"];
/** The configuration in the package names folders that only its authors' machines have. */
const FONTS = {
  "fonts-here.conf":
    '<?xml version="1.0"?>\n<fontconfig><dir prefix="relative">fonts</dir><cachedir prefix="xdg">fontconfig</cachedir></fontconfig>\n',
};

/**
 * The browser's program, and an environment with the libraries and fonts that a small machine lacks. The package has one for
 * Linux on x64; elsewhere, or where another browser is to be tested, BASIC_MLLM_TEST_BROWSER is its path.
 */
export function chromium() {
  const { BASIC_MLLM_TEST_BROWSER: own } = process.env;
  if (own !== undefined) return { executablePath: own, env: {} };
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new Error(
      `There is no Chromium in @sparticuz/chromium for ${process.platform}-${process.arch}: set BASIC_MLLM_TEST_BROWSER to the path of Chrome, Chromium or Edge.`,
    );
  }
  const folder = unpacked("chromium", ARCHIVES, FONTS);
  const libraries = path.join(folder, "lib");
  const { LD_LIBRARY_PATH: before } = process.env;
  return {
    executablePath: path.join(folder, "chromium"),
    env: {
      LD_LIBRARY_PATH: before === undefined || before === "" ? libraries : `${before}:${libraries}`,
      FONTCONFIG_FILE: path.join(folder, "fonts-here.conf"),
    },
  };
}

/** What turns WebGPU on without a GPU: in SwiftShader, or on the machine's own adapter with BASIC_MLLM_TEST_ADAPTER=hardware. */
export function webgpuFlags() {
  const software = process.env.BASIC_MLLM_TEST_ADAPTER !== "hardware";
  return ["--enable-unsafe-webgpu", ...(software ? ["--use-webgpu-adapter=swiftshader"] : [])];
}
