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

/** Rows of the chosen cases: one per mode and build of the peer. */
export async function* rowsAgainstTorch({ filter, threads, steps, builds, precision }) {
  const chosen = stepCases.filter(({ name }) => name.includes(filter));
  if (chosen.length === 0) throw new Error(`No step case contains "${filter}".`);
  const torch = installTorch();
  for (const stepCase of chosen) {
    const setting = { torch, threads, steps, builds, stepCase, precision };
    const times = await timesOf(setting);
    const memory = await memoryOf(setting);
    yield* rowsOf(setting, times, memory);
  }
}

/** Milliseconds of every timed step, by side and mode. All sides do a step of a mode before the next mode. */
async function timesOf({ stepCase, threads, steps, builds, torch, precision }) {
  const names = ["ours", ...builds];
  const sides = Object.fromEntries(names.map((name) => [name, openSide(name, { torch, threads })]));
  return withSides(sides, async () => {
    for (const name of names)
      await sides[name].ask("open", openingOf(name, { stepCase, threads, precision }));
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
function openingOf(name, { stepCase, threads, precision }) {
  if (name === "ours") return { case: stepCase, threads, precision };
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
async function memoryOf({ stepCase, threads, builds, torch, precision }) {
  const result = {};
  for (const name of ["ours", ...builds]) {
    result[name] = {};
    for (const mode of MODES) {
      result[name][mode] = await withSides({ side: openSide(name, { torch, threads }) }, async ({ side }) => {
        await side.ask("open", openingOf(name, { stepCase, threads, precision }));
        await side.ask("resetPeak");
        for (let i = 0; i < MEMORY_STEPS; i++) await side.ask("step", { mode });
        return (await side.ask("peak")).mb;
      });
    }
  }
  return result;
}

function rowsOf({ stepCase, threads, builds, steps, precision }, times, memory) {
  return builds.flatMap((build) =>
    MODES.map((mode) => {
      const [ours, peer] = [median(times.ours[mode]), median(times[build][mode])];
      return {
        kind: "peer",
        case: stepCase.name,
        mode,
        precision,
        peer: `torch ${TORCH_VERSION} ${build}`,
        ours_ms: round(ours),
        peer_ms: round(peer),
        ratio: round(ours / peer, 3),
        ours_mb: Math.round(memory.ours[mode]),
        peer_mb: Math.round(memory[build][mode]),
        steps,
        // Processes that wanted the CPUs meanwhile, ours included: at most `threads` on a quiet machine.
        load: round(loadavg()[1], 1),
        threads,
      };
    }),
  );
}

function round(value, digits = 2) {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}
