// The platform packages, built from this machine: each holds a library for its system, and npm installs the right one.
import { execFileSync } from "node:child_process";
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, expect, it } from "vitest";

const PACKAGES = fileURLToPath(new URL("../..", import.meta.url));
const PACKAGE = path.join(PACKAGES, "backend-cpu");
const NPM = path.join(PACKAGE, "npm");

/** First bytes of a file, and those that name the processor. */
const FORMATS: Readonly<Record<string, { magic: string; machine?: readonly [offset: number, hex: string] }>> =
  {
    "linux-x64-gnu": { magic: "7f454c4602", machine: [18, "3e00"] },
    "linux-x64-musl": { magic: "7f454c4602", machine: [18, "3e00"] },
    "linux-arm64-gnu": { magic: "7f454c4602", machine: [18, "b700"] },
    "darwin-arm64": { magic: "cffaedfe", machine: [4, "0c000001"] },
    "darwin-x64": { magic: "cffaedfe", machine: [4, "07000001"] },
    "win32-x64": { magic: "4d5a" },
    wasm32: { magic: "0061736d01000000" },
  };

let folder = "";

beforeAll(() => {
  execFileSync(process.execPath, [`${PACKAGE}/scripts/build-platforms.mjs`], { stdio: "inherit" });
  folder = mkdtempSync(path.join(tmpdir(), "basic-mllm-platforms-"));
}, 3_600_000);

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function hexAt(file: string, offset: number, length: number): string {
  const bytes = Buffer.alloc(length);
  const descriptor = openSync(file, "r");
  readSync(descriptor, bytes, 0, length, offset);
  closeSync(descriptor);
  return bytes.toString("hex");
}

it.each(Object.entries(FORMATS))("%s holds a library of its system", (name, { magic, machine }) => {
  const file = path.join(NPM, name, name === "wasm32" ? "basic-mllm-cpu.wasm" : "basic-mllm-cpu.node");
  expect(hexAt(file, 0, magic.length / 2)).toBe(magic);
  if (machine !== undefined) expect(hexAt(file, machine[0], machine[1].length / 2)).toBe(machine[1]);
  const manifest = JSON.parse(readFileSync(path.join(NPM, name, "package.json"), "utf8"));
  expect(manifest.name).toBe(`@basic-mllm/backend-cpu-${name}`);
});

/** Packs a package, without an addon that was built in it. */
function pack(source: string): string {
  const output = execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], {
    cwd: source,
    encoding: "utf8",
  });
  return path.join(folder, JSON.parse(output)[0].filename);
}

it("runs from the packages in an empty folder: native first, WebAssembly without it", () => {
  const app = path.join(folder, "app");
  execFileSync("mkdir", ["-p", app]);
  writeFileSync(path.join(app, "package.json"), '{ "private": true, "type": "module" }');
  const install = (...sources: readonly string[]) =>
    execFileSync("npm", ["install", "--no-audit", "--no-fund", ...sources.map(pack)], { cwd: app });
  const program =
    'const { start, describe } = await import("@basic-mllm/backend-cpu"); await start({ threads: 1 }); console.log(describe());';
  const say = () =>
    execFileSync(process.execPath, ["--input-type=module", "--eval", program], {
      cwd: app,
      encoding: "utf8",
    });
  install(path.join(PACKAGES, "core"), PACKAGE, path.join(NPM, "wasm32"));
  for (const file of readdirSync(path.join(app, "node_modules/@basic-mllm/backend-cpu"))) {
    if (file.endsWith(".node")) rmSync(path.join(app, "node_modules/@basic-mllm/backend-cpu", file));
  }
  expect(say()).toMatch(/^WebAssembly kernels, simd128, 1 thread\. .* is not installed/);
  const libc = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  const name = libc.header?.glibcVersionRuntime === undefined ? "linux-x64-musl" : "linux-x64-gnu";
  execFileSync("npm", ["install", "--no-save", "--no-audit", "--no-fund", pack(path.join(NPM, name))], {
    cwd: app,
  });
  expect(say()).toMatch(/^native kernels/);
});
