// What a report is made of. Each part runs in processes of its own, so that a fault of the GPU ends one part alone.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { buildNative, buildTool } from "../steps.mjs";
import { capture } from "./capture.mjs";
import { conformanceResult, goldenResult, sanitizerResult, testResult, trainingResult } from "./text.mjs";

/** Tests of the backend that compute on its device: files, and a folder. The others are of the emulator, or of no device. */
export const DEVICE_TESTS = [
  "packages/backend-cuda/test/shapes.test.ts",
  "packages/backend-cuda/test/operations.test.ts",
  "packages/backend-cuda/test/references.test.ts",
  "packages/backend-cuda/test/training.test.ts",
  "packages/backend-cuda/test/bf16-conformance.test.ts",
  "packages/backend-cuda/test/bf16-operations.test.ts",
  "packages/backend-cuda/test/bf16-training.test.ts",
  "packages/backend-cuda/test/bf16-words.test.ts",
  "packages/backend-cuda/test/bf16-golden.test.ts",
  "packages/backend-cuda/test/tensor-cores.test.ts",
  "packages/backend-cuda/test/tensor-cores-bf16.test.ts",
  "packages/backend-cuda/src/operations/",
];

/** Tools of compute-sanitizer, and what they look for. */
const SANITIZER_TOOLS = ["memcheck", "racecheck", "synccheck", "initcheck"];

/** Of a loss: sums go in another order on the GPU, and the steps of a training carry the difference on. */
const LOSS_TOLERANCE = 1e-3;

const QUICKSTART = [
  ...["train", "quickstart", "--steps", "5", "--no-report", "--set", "evaluation.blind=false"],
  ...["--set", "data.builder.options.train1=64", "--set", "data.builder.options.train2=64"],
  ...["--set", "data.builder.options.test=8", "--set", "evaluation.limit=2"],
  ...["--set", "stages.align.logEvery=1", "--set", "stages.finetune.logEvery=1"],
  ...["--set", "stages.align.batchSize=8", "--set", "stages.finetune.batchSize=8"],
];

/** Every part by its name on the command line. `run` gives `ok`, `result`, `failures` and perhaps `timings`. */
export const PARTS = {
  tests: { title: "tests of the backend on the device", run: deviceTests },
  conformance: { title: "conformance", run: conformance },
  golden: { title: "recorded values", run: golden },
  quickstart: { title: "quickstart beside the CPU", run: quickstart },
  sanitizer: { title: "compute-sanitizer over conformance", run: sanitizer },
  timings: { title: "timings", run: timings },
};

async function deviceTests({ env }) {
  const folder = mkdtempSync(join(tmpdir(), "cuda-report-"));
  try {
    const file = join(folder, "vitest.json");
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
    const { code, all } = await capture("npx", ["vitest", "run", ...reporters, ...DEVICE_TESTS], { env });
    if (!existsSync(file)) return failed("the tests did not run", `exit code ${code}`, all);
    return testResult(JSON.parse(readFileSync(file, "utf8")));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function conformance({ env, contracts }) {
  const { code, out, all } = await capture(process.execPath, conformanceCommand(contracts), { env });
  const result = conformanceResult(out);
  return result.ok || result.failures.length > 0
    ? result
    : failed("conformance did not end", `exit code ${code}`, all);
}

function conformanceCommand(contracts) {
  const only = contracts === undefined ? [] : ["--contracts", contracts];
  return ["scripts/conformance.mjs", "--backend", "cuda", ...only];
}

async function golden({ env }) {
  const families = ["losses", "ops", "llava", "projectors"];
  const onCuda = { ...env, BASIC_MLLM_BACKEND: "cuda" };
  const { code, out, all } = await capture(process.execPath, ["scripts/golden.mjs", ...families], {
    env: onCuda,
  });
  const result = goldenResult(out);
  return result.ok || result.failures.length > 0
    ? result
    : failed("golden did not end", `exit code ${code}`, all);
}

async function quickstart({ env }) {
  await buildNative("stderr");
  await buildTool("stderr");
  const folder = mkdtempSync(join(tmpdir(), "cuda-report-"));
  try {
    const texts = [];
    for (const backend of ["cpu", "cuda"]) {
      const out = join(folder, backend);
      const args = ["packages/cli/bin.mjs", ...QUICKSTART, "--backend", backend, "--out", out];
      const { code, all } = await capture(process.execPath, args, { env });
      if (code !== 0) return failed(`the training on ${backend} failed`, `exit code ${code}`, all);
      texts.push(readFileSync(join(out, "metrics.jsonl"), "utf8"));
    }
    return trainingResult(...texts, LOSS_TOLERANCE);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function sanitizer({ env, contracts, emulator, sanitizer: folder }) {
  if (emulator) {
    return {
      ok: true,
      result: "not run: the emulator has checks of its own, on in all parts but the quickstart",
      failures: [],
    };
  }
  const program = await findSanitizer(folder);
  if (program === undefined) {
    const missing = "not installed (it comes with the CUDA toolkit)";
    return { ok: folder === undefined, result: `not run: ${missing}`, failures: [] };
  }
  const exact = { ...env, BASIC_MLLM_CUDA_EXACT_MEMORY: "1" };
  const results = [];
  for (const tool of SANITIZER_TOOLS) {
    const options = ["--tool", tool, "--error-exitcode", "86", "--target-processes", "all"];
    const [command, ...before] = program;
    const args = [...before, ...options, process.execPath, ...conformanceCommand(contracts)];
    const { code, all } = await capture(command, args, { env: exact });
    results.push(sanitizerResult(tool, all, code));
  }
  return {
    ok: results.every(({ ok }) => ok),
    result: results.map(({ result }) => result).join("; "),
    failures: results.flatMap(({ failures }) => failures),
  };
}

/** In the folder that was given, on the path, or in the usual places of the toolkit: the command, with what it needs. */
async function findSanitizer(folder) {
  const { CUDA_PATH, CUDA_HOME } = process.env;
  const roots =
    folder === undefined ? [CUDA_PATH, CUDA_HOME, "/usr/local/cuda", "/opt/cuda"] : [resolve(folder)];
  const places = roots.filter(Boolean).map((each) => sanitizerIn(each));
  for (const command of folder === undefined ? [["compute-sanitizer"], ...places] : places) {
    const { code } = await capture(command[0], ["--version"], { quiet: true });
    if (code === 0) return command;
  }
  return undefined;
}

/** The Python package keeps its libraries apart from the program, which must be told so. */
function sanitizerIn(folder) {
  const libraries = join(folder, "lib");
  const apart = existsSync(join(libraries, "libsanitizer-collection.so"));
  return [join(folder, "bin", "compute-sanitizer"), ...(apart ? ["--injection-path", libraries] : [])];
}

async function timings({ env, emulator }) {
  const size = emulator ? "tiny" : "llava-7b";
  const child = ["scripts/cuda-report/child.mjs", "timings", size];
  const { code, out, all } = await capture(process.execPath, child, { env });
  if (code !== 0) return failed("the measurement failed", `exit code ${code}`, all);
  const rows = JSON.parse(out.trim().split("\n").at(-1));
  return {
    ok: rows.length > 0,
    result: `${rows.length} kernels, sizes of ${size}`,
    failures: [],
    timings: rows,
  };
}

/** A part that did not come to its end: the last lines say why. */
function failed(result, title, text) {
  return { ok: false, result, failures: [{ title, text: text.trim().split("\n").slice(-30).join("\n") }] };
}
