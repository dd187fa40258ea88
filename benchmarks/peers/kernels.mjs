// npm run bench -- kernels --peer torch: products and attention beside libraries, in turns.
import { loadavg } from "node:os";
import { join } from "node:path";

import { root } from "../rows.mjs";
import { flopsOfCase, kernelPeerCases } from "./kernel-cases.mjs";
import { installTorch, torchEnvironment } from "./torch-environment.mjs";
import { median, Side, timeOf, withSides } from "./turns.mjs";

const ROUNDS = 9;
/** FLOPs of a round, so that a clock of microseconds is good enough. */
const ROUND_FLOPS = 2e9;
/** Largest difference of a mean square, relative. */
const TOLERANCE = { f32: 1e-4, bf16: 1e-2 };

const folder = join(root, "benchmarks", "peers");

function openOurs() {
  return new Side("ours", [process.execPath, join(folder, "ours-kernels.mjs")], { cwd: folder });
}

function openLibraries({ torch, threads }) {
  const env = torchEnvironment("tuned", { shim: torch.shim, threads });
  return new Side("the libraries", [torch.python, join(folder, "torch_kernels.py")], { cwd: folder, env });
}

/** Rows of the chosen cases: our time, each library's, and the ratio to the fastest that does the same work. */
export async function* kernelRowsAgainstLibraries({ filter, threads }) {
  const chosen = kernelPeerCases.filter(({ name }) => name.includes(filter));
  if (chosen.length === 0) throw new Error(`No kernel case contains "${filter}".`);
  const torch = installTorch();
  for (const kernelCase of chosen) {
    const sides = { ours: openOurs(), libraries: openLibraries({ torch, threads }) };
    yield await withSides(sides, (open) => rowOf(kernelCase, open, threads));
  }
}

async function rowOf(kernelCase, { ours, libraries }, threads) {
  const { results: own } = await ours.ask("open", { case: kernelCase, threads });
  const { results: peers } = await libraries.ask("open", { case: kernelCase, threads });
  for (const [library, results] of Object.entries(peers)) checkResults(kernelCase, own, library, results);
  const flops = flopsOfCase(kernelCase);
  const repeats = Math.max(1, Math.round(ROUND_FLOPS / flops));
  const times = Object.fromEntries(["ours", ...Object.keys(peers)].map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, list] of Object.entries(times)) {
      const side = name === "ours" ? ours : libraries;
      list.push(timeOf(await side.ask("time", { library: name, repeats }), threads));
    }
  }
  return summary(kernelCase.name, times, flops);
}

/** Both sides must compute the same, or their times mean nothing. */
export function checkResults({ name, precision }, own, library, results) {
  for (const [i, value] of results.entries()) {
    if (Math.abs(own[i] - value) <= TOLERANCE[precision] * Math.abs(value)) continue;
    throw new Error(`${name}: result ${i} has the mean square ${own[i]} here and ${value} in ${library}.`);
  }
}

/** A row from the times of all rounds. */
export function summary(name, times, flops) {
  const { ours, ...peers } = Object.fromEntries(
    Object.entries(times).map(([side, list]) => [side, median(list)]),
  );
  const [peer, fastest] = Object.entries(peers).toSorted(([, a], [, b]) => a - b)[0];
  const round = (value, digits) => Math.round(value * 10 ** digits) / 10 ** digits;
  return {
    kind: "kernel-peer",
    case: name,
    mode: "in turns",
    ours_ms: round(ours, 4),
    peers_ms: Object.fromEntries(Object.entries(peers).map(([library, ms]) => [library, round(ms, 4)])),
    peer,
    ratio: round(ours / fastest, 3),
    ours_gflops: round(flops / ours / 1e6, 1),
    load: round(loadavg()[0], 1),
  };
}
