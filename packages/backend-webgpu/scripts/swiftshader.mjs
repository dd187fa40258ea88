// For tests on machines without a GPU: the software adapter SwiftShader, out of the npm package @sparticuz/chromium.
// Never part of the backend: a user gets the adapter of the machine, or an error.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync } from "node:zlib";

const MODULES = fileURLToPath(new URL("../../../node_modules/", import.meta.url));
const CACHE = path.join(MODULES, ".cache");

/**
 * Environment in which a new process finds SwiftShader as its only Vulkan driver. The loader reads it when a process
 * starts, so it cannot be set later. Empty where tests are to run on the machine's own adapter: with
 * BASIC_MLLM_TEST_ADAPTER=hardware, and on systems that the package has no SwiftShader for.
 */
export function swiftShaderEnvironment() {
  const { BASIC_MLLM_TEST_ADAPTER: wanted, LD_LIBRARY_PATH: before } = process.env;
  if (wanted === "hardware" || process.platform !== "linux" || process.arch !== "x64") return {};
  const folder = unpacked();
  const driver = path.join(folder, "vk_swiftshader_icd.json");
  return {
    VK_ICD_FILENAMES: driver,
    VK_DRIVER_FILES: driver,
    LD_LIBRARY_PATH: before === undefined || before === "" ? folder : `${folder}:${before}`,
  };
}

/** The folder with the driver. Several processes may unpack it at once: the first to finish wins. */
function unpacked() {
  const archive = path.join(MODULES, "@sparticuz/chromium/bin/swiftshader.tar.br");
  const compressed = readFileSync(archive);
  const folder = path.join(
    CACHE,
    `swiftshader-${createHash("sha256").update(compressed).digest("hex").slice(0, 12)}`,
  );
  if (existsSync(folder)) return folder;
  mkdirSync(CACHE, { recursive: true });
  const fresh = mkdtempSync(`${folder}-`);
  execFileSync("tar", ["-x", "-C", fresh], { input: brotliDecompressSync(compressed) });
  try {
    renameSync(fresh, folder);
  } catch (error) {
    rmSync(fresh, { recursive: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}
