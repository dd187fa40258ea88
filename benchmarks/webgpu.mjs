// node benchmarks/webgpu.mjs [--hardware] [--long] [--dry] [filter]: our kernels and training steps on WebGPU beside the
// compositions of stock tfjs operations that define them, on the same adapter (SwiftShader, or with --hardware the machine's
// own), and beside our CPU backend. --long also computes the cases that are only counted otherwise: many minutes each on
// SwiftShader. Needs `npm run build`.
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { swiftShaderEnvironment } from "../packages/backend-webgpu/scripts/swiftshader.mjs";
import { median, Side, withSides } from "./peers/turns.mjs";
import { provenance, report } from "./rows.mjs";
import { allCases, modesOf } from "./webgpu/all.mjs";
import { trafficOf } from "./webgpu/kernels.mjs";

/** Milliseconds that a measurement takes at least, and from which on two are enough. */
const LEAST_MS = 20;
const LONG_MS = 1000;
const ROUNDS = 4;
/** Programs whose time on the device a row has. */
const PROGRAMS = 8;
/** Largest relative difference of the mean squares of results: sides compute the same, or times mean nothing. */
const TOLERANCE = 1e-3;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    hardware: { type: "boolean", default: false },
    dry: { type: "boolean", default: false },
    long: { type: "boolean", default: false },
  },
});
const [filter = ""] = positionals;
const env = { ...process.env, ...(options.hardware ? {} : swiftShaderEnvironment()) };
const child = fileURLToPath(new URL("./webgpu/child.mjs", import.meta.url));
const sideOf = (name) => new Side(name, [process.execPath, child, name], { env });
const rounded = (value, digits = 3) => Math.round(value * 10 ** digits) / 10 ** digits;

/**
 * The sides take turns. A software adapter computes on the processors: their time says what a pass costs, whoever else is
 * there.
 *
 * @returns Milliseconds of each.
 */
async function timesOf(sides, mode) {
  const names = Object.keys(sides);
  const times = Object.fromEntries(names.map((name) => [name, []]));
  const timeAll = async (repeats) => {
    for (const name of names) {
      const answer = await sides[name].ask("time", { mode, repeats: repeats(name) });
      times[name].push(options.hardware ? answer.wall_ms : answer.cpu_ms);
    }
  };
  await timeAll(() => 1);
  const once = Object.fromEntries(names.map((name) => [name, times[name][0]]));
  const rounds = Math.max(...Object.values(once)) > LONG_MS ? 1 : ROUNDS;
  for (let i = 0; i < rounds; i++) await timeAll((name) => Math.max(1, Math.ceil(LEAST_MS / once[name])));
  return Object.fromEntries(names.map((name) => [name, median(times[name])]));
}

function compare(title, values) {
  for (const [name, value] of Object.entries(values)) {
    if (Math.abs(value - values.ours) <= TOLERANCE * Math.abs(values.ours)) continue;
    throw new Error(`${title}: ours gives ${values.ours} (mean square), ${name} ${value}.`);
  }
}

/** The first pass on every side, whose results must agree where nothing follows that would undo it. */
async function firstOf(sides, { title }, { mode, compared }) {
  const first = {};
  for (const [name, side] of Object.entries(sides)) first[name] = await side.ask("first", { mode, compared });
  const values = Object.entries(first).map(([name, { value }]) => [name, value]);
  if (compared) compare(`${title}, ${mode}`, Object.fromEntries(values));
  return first;
}

async function rowOf(sides, chosen, { mode, adapter, compared }) {
  const { ours, stock } = await firstOf(sides, chosen, { mode, compared });
  const traffic = chosen.step === undefined ? trafficOf(chosen, mode) : undefined;
  return {
    kind: "webgpu",
    case: chosen.title,
    mode,
    adapter,
    ...(!chosen.imagined && timesToRow(await timesOf(sides, mode))),
    ...(!chosen.imagined && deviceTimesToRow(await sides.ours.ask("deviceTimes", { mode }))),
    ours_dispatches: ours.dispatches,
    stock_dispatches: stock.dispatches,
    ours_mb: ours.mb,
    stock_mb: stock.mb,
    ...(traffic && { read_mb: rounded(traffic.read / 1e6), written_mb: rounded(traffic.written / 1e6) }),
  };
}

function timesToRow({ ours, stock, cpu }) {
  return {
    clock: options.hardware ? "wall" : "processors",
    ours_ms: rounded(ours),
    stock_ms: rounded(stock),
    cpu_ms: rounded(cpu),
    ratio: rounded(ours / stock),
    cpu_ratio: rounded(ours / cpu),
  };
}

/** All programs of a pass together, and the longest ones. Nothing where the adapter does not time them. */
function deviceTimesToRow({ programs }) {
  if (programs.length === 0) return {};
  const total = programs.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const longest = programs.slice(0, PROGRAMS).map(({ name, milliseconds }) => [name, rounded(milliseconds)]);
  return { device_ms: rounded(total), device_ms_of: Object.fromEntries(longest) };
}

/** Each side has a process of its own. Where nothing is computed, the CPU has nothing to show. */
async function runCase(chosen) {
  const { title, imagined } = chosen;
  const names = imagined ? ["ours", "stock"] : ["ours", "stock", "cpu"];
  const sides = Object.fromEntries(names.map((name) => [name, sideOf(name)]));
  await withSides(sides, async () => {
    const opened = {};
    for (const name of names) opened[name] = await sides[name].ask("open", { title, imagined });
    const modes = modesOf(chosen);
    for (const mode of modes) {
      const compared = !imagined && mode === modes.at(-1);
      const row = await rowOf(sides, chosen, { mode, adapter: opened.ours.adapter, compared });
      report("webgpu", { ...row, ...provenance() }, options);
    }
  });
}

const named = ({ title, name = title }) => `${name} ${title}`.toLowerCase().includes(filter.toLowerCase());
const chosen = allCases()
  .filter(named)
  .map((one) => (options.long ? { ...one, imagined: false } : one));
if (chosen.length === 0) throw new Error(`No case has "${filter}" in its name.`);
for (const one of chosen) await runCase(one);
