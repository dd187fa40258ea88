// npm run bench -- [filter]: see README.md beside this file.
import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { rowsOfRuns, rowsOfTable } from "./accuracy.mjs";
import { rowsOfProducts } from "./gemm.mjs";
import { kernelCases } from "./kernels/cases.mjs";
import { MOMENTS, stepCases } from "./peers/cases.mjs";
import { generationCases, rowsAgainstLlama } from "./peers/generate.mjs";
import { rowsAgainstJavascript } from "./peers/javascript.mjs";
import { javascriptCases, kernelPeerCases } from "./peers/kernel-cases.mjs";
import { kernelRowsAgainstLibraries } from "./peers/kernels.mjs";
import { PEER_BUILDS, rowsAgainstTorch } from "./peers/steps.mjs";
import { rooflineRows } from "./roofline/rows.mjs";
import { provenance, report, root } from "./rows.mjs";
import { rowsOfRun, trainForRows } from "./steps.mjs";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    list: { type: "boolean" },
    dry: { type: "boolean", default: false },
    build: { type: "boolean", default: true },
    threads: { type: "string" },
    repeats: { type: "string", default: "3" },
    run: { type: "string", multiple: true, default: [] },
    table: { type: "string" },
    recipe: { type: "string", default: "quickstart" },
    peer: { type: "string" },
    precision: { type: "string", default: "f32" },
    moments: { type: "string", default: "float32" },
    case: { type: "string", default: "" },
    steps: { type: "string", default: "7" },
    tokens: { type: "string", default: "64" },
    mode: { type: "string", default: "basic" },
  },
  allowNegative: true,
});
const [filter = ""] = positionals;
/** `--peer` takes a list, everything else one number. */
const threads =
  options.threads === undefined || options.peer !== undefined ? undefined : Number(options.threads);

/** Children run the built packages. */
function build(name) {
  if (!options.build) return;
  const args = ["turbo", "run", "build", "--output-logs=errors-only", `--filter=@basic-mllm/${name}`];
  execFileSync("npx", args, { cwd: root, stdio: ["ignore", 2, 2] });
}

function buildWasm() {
  if (!options.build) return;
  const script = join(root, "packages/backend-cpu/scripts/build-wasm.mjs");
  execFileSync(process.execPath, [script], { cwd: root, stdio: ["ignore", 2, 2] });
}

/** Allocations that come from the system and go back to it, so that resident memory shows them (glibc). */
const HONEST_MEMORY = { MALLOC_MMAP_THRESHOLD_: "65536", MALLOC_TRIM_THRESHOLD_: "65536" };

/** Memory and time come from two processes: an allocator that hides nothing is slower. */
function runKernels(cases) {
  build("backend-cpu");
  const where = provenance(threads);
  for (const { name, mode, ...chosen } of cases) {
    const { ours_ms: _, ...memory } = runChild(name, { ...chosen, repeats: 0 }, HONEST_MEMORY);
    const { ours_ms } = runChild(name, { ...chosen, repeats: Number(options.repeats) });
    report("kernels", { kind: "timing", case: name, mode, ours_ms, ...memory, ...where }, options);
  }
}

function runChild(name, call, env = {}) {
  const child = fileURLToPath(new URL("./kernels/child.mjs", import.meta.url));
  const args = ["--expose-gc", child, JSON.stringify({ ...call, threads })];
  const { status, stdout } = spawnSync(process.execPath, args, {
    cwd: join(root, "benchmarks"),
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  if (status !== 0) throw new Error(`${name} ended with exit code ${status}; see above`);
  return JSON.parse(stdout.trim().split("\n").at(-1));
}

async function runSteps() {
  if (options.run.length === 0) build("cli");
  const rows =
    options.run.length === 0
      ? await trainForRows(options.recipe, { threads })
      : options.run.flatMap((folder) => rowsOfRun(folder));
  for (const row of rows) report("steps", { kind: "timing", ...row, ...provenance(threads) }, options);
}

/** `gemm`, or `gemm` and a part of a shape: "gemm 512x". */
function runProducts() {
  const rows = rowsOfProducts(positionals[1] ?? "", { threads });
  for (const row of rows) report("gemm", { kind: "rate", ...row, ...provenance(threads ?? 1) }, options);
}

/** Peers of whole steps and of kernels: rows of one number of threads, and which numbers there are unless given. */
const PEERS = {
  steps: { torch: { rowsOf: rowsAgainstTorch, threads: "1,2" } },
  kernels: {
    torch: { rowsOf: kernelRowsAgainstLibraries, threads: "1,2" },
    tfjs: { rowsOf: rowsAgainstJavascript, threads: "1" },
  },
  generate: { llama: { rowsOf: rowsAgainstLlama, threads: "1,2" } },
};

/** Rows beside a peer, for each number of threads. */
async function runPeer(what, setting = {}) {
  const peer = PEERS[what][options.peer];
  if (peer === undefined) {
    const known = Object.keys(PEERS[what]).join(", ");
    throw new Error(`${what} have no peer "${options.peer}"; there is ${known}.`);
  }
  for (const name of what === "generate" ? ["backend-cpu", "evaluate", "weights"] : ["backend-cpu"])
    build(name);
  if (options.peer === "tfjs") buildWasm();
  for (const count of (options.threads ?? peer.threads).split(",").map(Number)) {
    for await (const row of peer.rowsOf({ ...setting, filter: options.case, threads: count })) {
      report(what === "generate" ? "generation" : "peers", { ...row, ...provenance(count) }, options);
    }
  }
}

/** Whole steps beside a peer's. */
function runPeerSteps() {
  const { precision, moments } = options;
  if (!MOMENTS.includes(moments)) {
    throw new Error(`--moments is "${moments}"; give one of ${MOMENTS.join(", ")}.`);
  }
  const builds = precision === "bf16" ? [...PEER_BUILDS, "autocast"] : PEER_BUILDS;
  return runPeer("steps", { steps: countOf("steps"), builds, precision, moments });
}

/** New tokens of a language model beside a peer's. */
function runGeneration() {
  if (options.peer === undefined) throw new Error("bench generate needs --peer llama.");
  const [tokens, rounds] = [countOf("tokens", 2), countOf("steps", 1)];
  return runPeer("generate", { tokens, rounds });
}

/** An option that is a whole number from `least`. */
function countOf(name, least = 0) {
  const count = Number(options[name]);
  if (Number.isInteger(count) && count >= least) return count;
  throw new Error(`--${name} is "${options[name]}"; give a whole number from ${least}.`);
}

function runRoofline() {
  build("backend-cpu");
  const setting = { filter: options.case, mode: options.mode, steps: Number(options.steps) };
  for (const row of rooflineRows(setting)) report("roofline", { ...row, ...provenance(1) }, options);
}

function runAccuracy() {
  if (options.table === undefined && options.run.length === 0) {
    throw new Error("bench accuracy needs --table FILE (of an ablation) or --run DIR, once per seed.");
  }
  const rows = options.table === undefined ? rowsOfRuns(options.run) : rowsOfTable(options.table);
  for (const row of rows) report("accuracy", { ...provenance(threads), ...row }, options);
}

function caseNames() {
  return [
    ...kernelCases.map(({ name }) => name),
    "gemm",
    "steps",
    "roofline",
    "accuracy",
    ...stepCases.map(({ name }) => `steps --peer torch --case ${name}`),
    ...kernelPeerCases.map(({ name }) => `kernels --peer torch --case ${name}`),
    ...generationCases.map(({ name }) => `generate --peer llama --case ${name}`),
    ...javascriptCases.map(({ name }) => `kernels --peer tfjs --case ${name}`),
  ];
}

const chosen = kernelCases.filter(({ name }) => name.includes(filter));
try {
  if (options.list) process.stdout.write(`${caseNames().join("\n")}\n`);
  else if (filter === "accuracy") runAccuracy();
  else if (filter === "roofline") runRoofline();
  else if (filter === "steps" && options.peer !== undefined) await runPeerSteps();
  else if (filter === "steps") await runSteps();
  else if (filter === "kernels" && options.peer !== undefined) await runPeer("kernels");
  else if (filter === "generate") await runGeneration();
  else if (filter === "gemm") runProducts();
  else if (chosen.length === 0)
    throw new Error(`No case contains "${filter}". \`npm run bench -- --list\` has all.`);
  else {
    runKernels(chosen);
    if (filter === "") await runSteps();
  }
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
