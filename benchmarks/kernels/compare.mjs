// Two builds of the native addon in one process, case by case in turns:
//   node kernels/compare.mjs --base OLD.node [--new NEW.node] [--threads N] [--dry] [filter]
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { provenance, report, root } from "../rows.mjs";
import { nativeCases } from "./native-cases.mjs";

const ROUNDS = 9;

/** Least CPU time of a measurement: the clock has steps of some microseconds. */
const LEAST_MICROSECONDS = 4000;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    base: { type: "string" },
    new: {
      type: "string",
      default: path.join(
        root,
        `packages/backend-cpu/basic-mllm-cpu.${process.platform}-${process.arch}.node`,
      ),
    },
    threads: { type: "string", default: "1" },
    dry: { type: "boolean", default: false },
  },
});
if (options.base === undefined) throw new Error("--base FILE: the addon of an older build.");
const [filter = ""] = positionals;
const load = createRequire(fileURLToPath(import.meta.url));
const addons = [options.base, options.new].map((file) => load(path.resolve(file)));
for (const addon of addons) addon.setThreadCount(Number(options.threads));

/** Microseconds of one call: CPU time on one thread, else time on the clock. */
function time(call, repeats) {
  const begin = process.cpuUsage();
  const clock = performance.now();
  for (let i = 0; i < repeats; i++) call();
  const used = process.cpuUsage(begin);
  const cpu = used.user + used.system;
  return (options.threads === "1" ? cpu : (performance.now() - clock) * 1000) / repeats;
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

for (const { name, open } of nativeCases.filter((one) => one.name.includes(filter))) {
  const calls = addons.map((addon) => open(addon));
  // The caches and the code are warm after this.
  const once = Math.max(...calls.map((call) => time(call, 2)), 1);
  const repeats = Math.max(1, Math.ceil(LEAST_MICROSECONDS / once));
  const times = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, call] of calls.entries()) times[i].push(time(call, repeats));
  }
  const [before, after] = times.map((all) => Math.round(median(all)) / 1000);
  const ratio = Math.round((median(times[1]) / median(times[0])) * 1000) / 1000;
  const best = Math.round((Math.min(...times[1]) / Math.min(...times[0])) * 1000) / 1000;
  const row = {
    kind: "comparison",
    case: name,
    mode: "new / base",
    before_ms: before,
    ours_ms: after,
    ratio,
    best,
  };
  report("comparisons", { ...row, ...provenance(Number(options.threads)) }, options);
}
