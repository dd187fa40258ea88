// npm run bench -- kernels --peer tfjs: products beside those of other JavaScript engines, in turns.
import { join } from "node:path";

import { root } from "../rows.mjs";
import { flopsOfCase, javascriptCases } from "./kernel-cases.mjs";
import { checkResults, summary } from "./kernels.mjs";
import { Side, timeOf, withSides } from "./turns.mjs";

const ROUNDS = 9;
/** Least time of a round, so that a clock of microseconds is good enough. */
const ROUND_MS = 40;

/**
 * How to open a library. `threads`: it is compared on several, too; tfjs has none in Node. `newWeights`: tfjs packs a
 * right operand once and keeps that while the tensor lives, so it also multiplies tensors that are new in every call.
 */
const LIBRARIES = {
  native: { side: "native", threads: true },
  wasm: { side: "wasm" },
  "wasm, new weights": { side: "wasm", newWeights: true },
  onnxruntime: { side: "onnxruntime", threads: true },
  "tfjs wasm": { side: "tfjs wasm" },
  "tfjs wasm, new weights": { side: "tfjs wasm", newWeights: true },
  "tfjs cpu": { side: "tfjs cpu" },
};

/** Our engines, and whom each is compared with: what runs on the same kind of machine, or below. */
const RIVALS = {
  native: ["onnxruntime", "tfjs wasm", "tfjs cpu"],
  wasm: ["tfjs wasm", "tfjs cpu"],
  "wasm, new weights": ["tfjs wasm, new weights"],
};

const folder = join(root, "benchmarks", "peers");

/** Rows of the chosen cases, one for each of our engines. With several threads: beside those that have threads. */
export async function* rowsAgainstJavascript({ filter, threads }) {
  const chosen = javascriptCases.filter(({ name }) => name.includes(filter));
  if (chosen.length === 0) throw new Error(`No kernel case for JavaScript engines contains "${filter}".`);
  for (const kernelCase of chosen) {
    const libraries = librariesOf(kernelCase, threads);
    const names = new Set(Object.values(libraries).map(({ side }) => side));
    const sides = Object.fromEntries([...names].map((name) => [name, openSide(name)]));
    const times = await withSides(sides, () => timesOf({ kernelCase, libraries, sides, threads }));
    yield* engineRows(kernelCase, times);
  }
}

/** tfjs packs only what is not transposed. */
function librariesOf({ operands }, threads) {
  const kept = Object.entries(LIBRARIES).filter(
    ([, library]) => (threads === 1 || library.threads) && (operands === "NN" || !library.newWeights),
  );
  return Object.fromEntries(kept);
}

function openSide(name) {
  return new Side(name, [process.execPath, join(folder, "javascript-kernels.mjs")], { cwd: folder });
}

/** Milliseconds of each round by library. All do a round before the next one. */
async function timesOf({ kernelCase, libraries, sides, threads }) {
  const repeats = {};
  let own;
  for (const [name, side] of Object.entries(sides)) {
    const opened = await side.ask("open", { library: name, case: kernelCase, threads });
    own ??= opened.results;
    checkResults(kernelCase, own, name, opened.results);
    repeats[name] = Math.max(1, Math.round(ROUND_MS / opened.once_ms));
  }
  const times = Object.fromEntries(Object.keys(libraries).map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, { side, newWeights }] of Object.entries(libraries)) {
      const answer = await sides[side].ask("time", { repeats: repeats[side], newWeights });
      times[name].push(timeOf(answer, threads));
    }
  }
  return times;
}

/** A row for each of our engines that has a rival. */
export function engineRows(kernelCase, times) {
  return Object.entries(RIVALS).flatMap(([engine, rivals]) => {
    const measured = rivals.filter((name) => times[name] !== undefined);
    if (measured.length === 0) return [];
    const chosen = Object.fromEntries(measured.map((name) => [name, times[name]]));
    const row = summary(kernelCase.name, { ours: times[engine], ...chosen }, flopsOfCase(kernelCase));
    return [{ ...row, kind: "javascript-peer", engine }];
  });
}
