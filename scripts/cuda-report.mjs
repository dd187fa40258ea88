// npm run cuda:report -- [--out FILE] [--only PART,PART] [--contracts NAME,NAME] [--emulator]: everything that can be checked on a
// machine with an NVIDIA GPU, as one Markdown file to attach to an issue. Exit code 1 where something failed.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { availableParallelism, cpus, homedir, release, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

import { install, root } from "./steps.mjs";

const HELP = `npm run cuda:report -- [options]

Runs the tests, the conformance suite, the recorded values, a short training, compute-sanitizer (where it is installed) and timings
on this machine's NVIDIA GPU, and writes a report to attach to an issue.

  --out FILE            the report (cuda-report.md)
  --only PART,PART      some parts: tests, conformance, golden, quickstart, sanitizer, timings
  --contracts A,B       conformance and compute-sanitizer: some contracts
  --sanitizer FOLDER    compute-sanitizer of Python's package nvidia-cuda-sanitizer-api-cu12, unpacked, instead of the toolkit's
  --emulator            on the emulator, without a GPU: shows that the report can be made, and nothing more
`;

const OPTIONS = {
  out: { type: "string", default: "cuda-report.md" },
  only: { type: "string" },
  contracts: { type: "string" },
  sanitizer: { type: "string" },
  emulator: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
};

const SMI_FIELDS = [
  ...[
    "name",
    "driver_version",
    "vbios_version",
    "memory.total",
    "power.limit",
    "clocks.max.sm",
    "clocks.max.mem",
  ],
  ...[
    "temperature.gpu",
    "persistence_mode",
    "compute_mode",
    "ecc.mode.current",
    "mig.mode.current",
    "pcie.link.gen.current",
  ],
];

const options = parse();
if (options.help) process.stdout.write(HELP);
else await main(options);

function parse() {
  try {
    return parseArgs({ options: OPTIONS }).values;
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${HELP}`);
    process.exit(2);
  }
}

async function main({ out, only, contracts, sanitizer, emulator }) {
  await install("stderr");
  const { PARTS } = await import("./cuda-report/parts.mjs");
  const { reportText } = await import("./cuda-report/text.mjs");
  const wanted = only === undefined ? Object.keys(PARTS) : only.split(",");
  const unknown = wanted.filter((name) => !(name in PARTS));
  if (unknown.length > 0) {
    process.stderr.write(
      `There is no part ${unknown.join(", ")}. Parts: ${Object.keys(PARTS).join(", ")}.\n`,
    );
    process.exitCode = 2;
    return;
  }
  const context = { env: await environment(emulator), contracts, sanitizer, emulator };
  const device = await timed("device", () => deviceFacts(context));
  const parts = [device];
  if (device.ok)
    for (const name of wanted) parts.push(await timed(PARTS[name].title, () => PARTS[name].run(context)));
  const text = reportText({
    emulator,
    command: [
      "npm run cuda:report",
      ...(process.argv.length > 2 ? ["--", ...process.argv.slice(2)] : []),
    ].join(" "),
    facts: [...(device.facts ?? []), ...(emulator ? [] : await smiFacts()), ...machineFacts()],
    parts,
    timings: parts.flatMap((part) => part.timings ?? []),
    hidden: [
      [root, "."],
      [homedir(), "~"],
    ],
  });
  const file = resolve(out);
  writeFileSync(file, text);
  const failed = parts.filter(({ ok }) => !ok).map(({ title }) => title);
  process.stdout.write(
    `\n${file}: ${failed.length === 0 ? "everything passed" : `failed: ${failed.join(", ")}`}\n`,
  );
  if (emulator) process.stdout.write("This was the emulator: no GPU ran anything.\n");
  process.exitCode = failed.length === 0 ? 0 : 1;
}

/** What tells the processes of the parts which driver they find. */
async function environment(emulator) {
  if (!emulator) return { BASIC_MLLM_TEST_ADAPTER: "hardware" };
  const { withSource } = await import("./sources.mjs");
  const setup = join(root, "packages/backend-cuda/test/setup.ts");
  const found = await withSource(setup, ({ emulatorEnvironment }) => emulatorEnvironment());
  return { ...found, BASIC_MLLM_TEST_ADAPTER: "" };
}

/** Nothing else runs where the device does not start. */
async function deviceFacts({ env }) {
  const { capture } = await import("./cuda-report/capture.mjs");
  const { code, out, all } = await capture(process.execPath, ["scripts/cuda-report/child.mjs", "facts"], {
    env,
  });
  if (code !== 0)
    return {
      ok: false,
      result: "did not start, so nothing else ran",
      failures: [{ title: "start", text: all }],
    };
  const facts = JSON.parse(out.trim().split("\n").at(-1));
  return { ok: true, result: "started", failures: [], facts };
}

async function smiFacts() {
  const { capture } = await import("./cuda-report/capture.mjs");
  const { gpuFacts } = await import("./cuda-report/text.mjs");
  const query = [`--query-gpu=${SMI_FIELDS.join(",")}`, "--format=csv,noheader"];
  const { code, out } = await capture("nvidia-smi", query, { quiet: true });
  return code === 0
    ? gpuFacts(
        SMI_FIELDS.map((field) => `nvidia-smi ${field}`),
        out,
      )
    : [];
}

function machineFacts() {
  const git = (...args) => execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
  const changed = git("status", "--porcelain", "--untracked-files=no") === "" ? "" : ", with changes";
  return [
    ["processor", `${cpus()[0]?.model.trim() ?? "unknown"}, ${availableParallelism()} threads`],
    ["memory of the host", `${Math.round(totalmem() / 2 ** 30)} GiB`],
    ["system", `${process.platform} ${process.arch} ${release()}`],
    ["Node", process.versions.node],
    ["commit", `${git("rev-parse", "--short", "HEAD")}${changed}`],
    ["date", new Date().toISOString().slice(0, 10)],
  ];
}

/** A part that throws is one that failed. */
async function timed(title, run) {
  process.stderr.write(`\n▶ ${title}\n`);
  const from = performance.now();
  const result = await run().catch((error) => ({
    ok: false,
    result: "did not run",
    failures: [{ title: error.name, text: error.stack ?? String(error) }],
  }));
  return { title, seconds: (performance.now() - from) / 1000, ...result };
}
