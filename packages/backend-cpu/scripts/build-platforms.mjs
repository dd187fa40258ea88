// Builds the addon for other platforms from one Linux machine and makes their npm packages in npm/NAME.
// Usage: node scripts/build-platforms.mjs [NAME ...]; without names, all of them.
// Zig links for every system: cargo-zigbuild and ziglang come from PyPI into native/target/zig (needs python3).
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";

import { addTarget, cargoBuild, native, reportFailure, root, run } from "./cargo.mjs";
import { buildWasm } from "./wasm.mjs";

const GNU = { os: "linux", libc: "glibc", file: "libbasic_mllm_cpu.so", glibc: ".2.17" };

/** Name of each package: its Rust target, and where npm may install it. */
const PLATFORMS = {
  "linux-x64-gnu": { ...GNU, target: "x86_64-unknown-linux-gnu", cpu: "x64" },
  "linux-arm64-gnu": { ...GNU, target: "aarch64-unknown-linux-gnu", cpu: "arm64" },
  "linux-x64-musl": {
    target: "x86_64-unknown-linux-musl",
    os: "linux",
    cpu: "x64",
    libc: "musl",
    file: "libbasic_mllm_cpu.so",
    // A library that Node loads must use Node's own libc.
    flags: "-C target-feature=-crt-static",
  },
  "darwin-arm64": {
    target: "aarch64-apple-darwin",
    os: "darwin",
    cpu: "arm64",
    file: "libbasic_mllm_cpu.dylib",
  },
  "darwin-x64": { target: "x86_64-apple-darwin", os: "darwin", cpu: "x64", file: "libbasic_mllm_cpu.dylib" },
  "win32-x64": { target: "x86_64-pc-windows-gnu", os: "win32", cpu: "x64", file: "basic_mllm_cpu.dll" },
};

const WASM = "wasm32";
const ZIG_PACKAGES = ["cargo-zigbuild==0.24.0", "ziglang==0.17.0"];

/** Folder of programs with cargo-zigbuild and zig in it. */
function installZig() {
  const folder = path.join(native, "target", "zig");
  const programs = path.join(folder, "bin");
  if (!existsSync(path.join(programs, "cargo-zigbuild"))) {
    run("python3", ["-m", "venv", folder]);
    run(path.join(programs, "pip"), ["install", "--quiet", ...ZIG_PACKAGES]);
  }
  return programs;
}

/** napi-build wants Node's library for Windows, though the addon finds its symbols when it is loaded. */
function emptyNodeLibrary() {
  const folder = path.join(native, "target", "libnode");
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, "libnode.dll"), "");
  writeFileSync(path.join(folder, "libnode.a"), "!<arch>\n");
  return folder;
}

function buildPlatform(name, programs) {
  const { target, file, flags, glibc = "" } = PLATFORMS[name];
  addTarget(target);
  const variable = `CARGO_TARGET_${target.toUpperCase().replaceAll("-", "_")}_RUSTFLAGS`;
  const env = {
    LIBNODE_PATH: emptyNodeLibrary(),
    PATH: `${programs}${path.delimiter}${process.env.PATH}`,
    ...(flags !== undefined && { [variable]: flags }),
  };
  cargoBuild(["--target", `${target}${glibc}`], env, ["zigbuild"]);
  const folder = newFolder(name);
  copyFileSync(
    path.join(native, "target", target, "release", file),
    path.join(folder, "basic-mllm-cpu.node"),
  );
  return folder;
}

async function buildWasmPackage() {
  const built = await buildWasm();
  const folder = newFolder(WASM);
  for (const file of readdirSync(built)) copyFileSync(path.join(built, file), path.join(folder, file));
  return folder;
}

function newFolder(name) {
  const folder = path.join(root, "npm", name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** package.json, licence and readme of a platform's package. */
function describe(name, folder) {
  const { version, license, repository, engines } = JSON.parse(
    readFileSync(path.join(root, "package.json"), "utf8"),
  );
  const { os, cpu, libc } = PLATFORMS[name] ?? {};
  const place = name === WASM ? "WebAssembly" : name;
  const manifest = {
    name: `@basic-mllm/backend-cpu-${name}`,
    version,
    description: `Kernels of @basic-mllm/backend-cpu for ${place}`,
    license,
    repository,
    engines,
    ...(name === WASM
      ? { type: "module", exports: "./index.mjs" }
      : { main: "basic-mllm-cpu.node", os: [os], cpu: [cpu], ...(libc !== undefined && { libc: [libc] }) }),
    files: readdirSync(folder).sort(),
  };
  writeFileSync(path.join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  writeFileSync(
    path.join(folder, "README.md"),
    `# ${manifest.name}\n\n${manifest.description}. \`@basic-mllm/backend-cpu\` loads it by itself.\n`,
  );
  copyFileSync(path.join(root, "LICENSE"), path.join(folder, "LICENSE"));
}

await reportFailure(async () => {
  const known = [...Object.keys(PLATFORMS), WASM];
  const names = process.argv.length > 2 ? process.argv.slice(2) : known;
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new Error(`There is no platform "${unknown}". Known: ${known.join(", ")}.`);
  for (const name of names) {
    const folder = name === WASM ? await buildWasmPackage() : buildPlatform(name, installZig());
    describe(name, folder);
    process.stdout.write(`${path.relative(process.cwd(), folder)}\n`);
  }
});
