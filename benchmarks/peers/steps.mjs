// npm run bench -- steps --peer torch: whole training steps, ours and PyTorch's in turns.
import { loadavg } from "node:os";
import { join } from "node:path";

import { root } from "../rows.mjs";
import { MODES, stepCases } from "./cases.mjs";
import { installTorch, TORCH_VERSION, torchEnvironment } from "./torch-environment.mjs";
import { median, Side, timeOf, withSides } from "./turns.mjs";

/** Steps of each mode before the clock counts. */
const WARM_UP = 2;
/** Steps of the process whose peak memory is read. */
const MEMORY_STEPS = 3;
/** Largest difference of a first loss, relative: sides add in another order, or multiply rounded operands. */
const LOSS_TOLERANCE = { f32: 2e-3, bf16: 2e-2 };
/** Autocast keeps logits in bfloat16, of which a divergence near 0 is no more than noise. */
const AUTOCAST_SLACK = 2e-2;

/** How the peer is built; see torch-environment.mjs. "autocast" is tuned, with bfloat16 where PyTorch thinks it safe. */
export const PEER_BUILDS = ["tuned", "stock"];

const folder = join(root, "benchmarks", "peers");

/** Opens a side: "ours", or a build of the peer. */
function openSide(name, { torch, threads }) {
  if (name === "ours") {
    return new Side(name, [process.execPath, "--expose-gc", join(folder, "ours.mjs")], { cwd: folder });
  }
  const env = torchEnvironment(name, { shim: torch.shim, threads });
  return new Side(`torch (${name})`, [torch.python, join(folder, "torch_step.py")], { cwd: folder, env });
}

/**
 * Rows of the chosen cases: one per mode and build of the peer. `moments`: how ours stores those of the optimizer.
 * Without steps only memory is measured.
 */
export async function* rowsAgainstTorch({ filter, steps, ...options }) {
  const chosen = stepCases.filter(({ name }) => name.includes(filter));
  if (chosen.length === 0) throw new Error(`No step case contains "${filter}".`);
  const torch = installTorch();
  for (const stepCase of chosen) {
    const setting = { ...options, torch, steps, stepCase };
    const times = steps > 0 ? await timesOf(setting) : undefined;
    const memory = await memoryOf(setting);
    yield* rowsOf(setting, memory, times);
  }
}

/** Milliseconds of every timed step, by side and mode. All sides do a step of a mode before the next mode. */
async function timesOf(setting) {
  const { stepCase, threads, steps, builds, precision } = setting;
  const names = ["ours", ...builds];
  const sides = Object.fromEntries(names.map((name) => [name, openSide(name, setting)]));
  return withSides(sides, async () => {
    for (const name of names) await sides[name].ask("open", openingOf(name, setting));
    const times = Object.fromEntries(names.map((name) => [name, { off: [], basic: [] }]));
    for (let turn = 0; turn < WARM_UP + steps; turn++) {
      for (const mode of MODES) {
        const answers = await stepOnce(sides, mode);
        if (turn === 0) checkLosses(stepCase.name, mode, answers, LOSS_TOLERANCE[precision]);
        if (turn >= WARM_UP) keepTimes(times, mode, answers, threads);
      }
      process.stderr.write(`${stepCase.name}: turn ${turn + 1} of ${WARM_UP + steps}\n`);
    }
    return times;
  });
}

/** What a side opens: the peer's float32 is what our bfloat16 is compared with, unless the peer has it too. */
function openingOf(name, { stepCase, threads, precision, moments }) {
  if (name === "ours") return { case: { ...stepCase, moments }, threads, precision };
  return { case: stepCase, threads, autocast: name === "autocast" };
}

/** One step of every side, one after the other. */
async function stepOnce(sides, mode) {
  const answers = {};
  for (const [name, side] of Object.entries(sides)) answers[name] = await side.ask("step", { mode });
  return answers;
}

function keepTimes(times, mode, answers, threads) {
  for (const [name, answer] of Object.entries(answers)) times[name][mode].push(timeOf(answer, threads));
}

/** Both sides must compute the same, or their times mean nothing. */
function checkLosses(name, mode, { ours, ...peers }, tolerance) {
  for (const [peer, { losses }] of Object.entries(peers)) {
    for (const [part, value] of Object.entries(losses)) {
      const own = ours.losses[part];
      const slack = peer === "autocast" ? AUTOCAST_SLACK : 0;
      if (Math.abs(own - value) <= tolerance * Math.abs(value) + slack) continue;
      throw new Error(`${name}, ${mode}: the ${part} loss is ${own} here and ${value} in torch (${peer}).`);
    }
  }
}

/** Peak resident MB of a fresh process while it trains, by side and mode. */
async function memoryOf(setting) {
  const { stepCase, builds, precision } = setting;
  const names = ["ours", ...builds];
  const result = Object.fromEntries(names.map((name) => [name, {}]));
  for (const mode of MODES) {
    const first = {};
    for (const name of names) {
      await withSides({ side: openSide(name, setting) }, async ({ side }) => {
        await side.ask("open", openingOf(name, setting));
        await side.ask("resetPeak");
        first[name] = await side.ask("step", { mode });
        for (let i = 1; i < MEMORY_STEPS; i++) await side.ask("step", { mode });
        result[name][mode] = (await side.ask("peak")).mb;
      });
    }
    checkLosses(stepCase.name, mode, first, LOSS_TOLERANCE[precision]);
  }
  return result;
}

/** One per mode and build of the peer, of kind "peer", or "peer-memory" where nothing was timed. */
export function rowsOf({ stepCase, threads, builds, steps, precision, moments }, memory, times) {
  return builds.flatMap((build) =>
    MODES.map((mode) => ({
      kind: times === undefined ? "peer-memory" : "peer",
      case: stepCase.name,
      mode,
      precision,
      moments,
      peer: `torch ${TORCH_VERSION} ${build}`,
      ...(times !== undefined && { ...timeFields(times.ours[mode], times[build][mode]), steps }),
      ours_mb: Math.round(memory.ours[mode]),
      peer_mb: Math.round(memory[build][mode]),
      // Processes that wanted the CPUs meanwhile, ours included: at most `threads` on a quiet machine.
      load: round(loadavg()[1], 1),
      threads,
    })),
  );
}

function timeFields(own, others) {
  const [ours, peer] = [median(own), median(others)];
  return { ours_ms: round(ours), peer_ms: round(peer), ratio: round(ours / peer, 3) };
}

function round(value, digits = 2) {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}
