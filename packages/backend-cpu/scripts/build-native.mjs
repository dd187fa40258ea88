// Builds the Rust addon and puts it beside package.json. Does nothing when it is that of its sources.
import { copyFileSync, renameSync } from "node:fs";
import path from "node:path";

import { buildUnlessCurrent, cargoBuild, checkRust, native, reportFailure, root } from "./cargo.mjs";

const target = path.join(root, `basic-mllm-cpu.${process.platform}-${process.arch}.node`);

function libraryName() {
  if (process.platform === "win32") return "basic_mllm_cpu.dll";
  return process.platform === "darwin" ? "libbasic_mllm_cpu.dylib" : "libbasic_mllm_cpu.so";
}

function buildAddon() {
  checkRust();
  cargoBuild(process.argv.slice(2));
  // Under another name first: a process that has the old file loaded keeps it.
  copyFileSync(path.join(native, "target", "release", libraryName()), `${target}.new`);
  renameSync(`${target}.new`, target);
}

await reportFailure(() => buildUnlessCurrent(target, [], buildAddon));
