import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BasicError } from "@basic-mllm/core";

import { type CliEnd, describeEnd, type StartedCli, startCliProcess } from "./cli-process.js";
import { type LostRank, rankEnvironment, TRAINED } from "./rank.js";

/** A command that several processes run together. */
export interface RankLaunch {
  /** The file that runs `basic-mllm`. */
  readonly program: string;
  /** Arguments after it: a verb and what belongs to it. */
  readonly command: readonly string[];
  /** GPUs: a process for each. */
  readonly devices: readonly number[];
  /** How long the others may take to stop once one has failed, or rank 0 has ended. Default 15,000. */
  readonly graceMs?: number;
}

const LINES = 20;
/** What shells say of a command that Ctrl-C ended. */
const INTERRUPTED = 130;

/**
 * Runs a command in a process for each GPU. Rank 0 has the terminal; the others are silent. Where one fails, the others learn
 * of it, and stop; once rank 0 has said that it needs the others no more, only its own failure counts. The first Ctrl-C asks
 * all to stop, the second ends them.
 *
 * @returns The exit code of the first that failed, after rank 0 has said why; 0 where none did; 130 after a second Ctrl-C.
 * @throws `BasicError` the error of the first that failed where rank 0 has not said it: it was killed, or ended well.
 *   `Error` where a process cannot be started, after the others have ended.
 */
export async function launchRanks(launch: RankLaunch): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "basic-mllm-ranks-"));
  const ranks = new Ranks(launch);
  const interrupt = (): void => ranks.interrupt();
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  try {
    return await ranks.run(folder);
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
    await rm(folder, { recursive: true, force: true });
  }
}

class Ranks {
  readonly #launch: RankLaunch;
  readonly #started: StartedCli[] = [];
  /** The first that failed while rank 0 needed it. */
  #lost: { readonly rank: LostRank; readonly code: number | null; readonly wasAsked: boolean } | undefined;
  #trained = false;
  #interrupts = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(launch: RankLaunch) {
    this.#launch = launch;
  }

  async run(folder: string): Promise<number> {
    try {
      const ends = this.#launch.devices.map((device, rank) => this.#runOne(rank, device, folder));
      const [first] = await Promise.all(ends);
      return this.#exitCode(first?.code ?? null);
    } catch (error) {
      this.#kill();
      await Promise.allSettled(this.#started.map(({ ended }) => ended));
      throw error;
    } finally {
      clearTimeout(this.#timer);
    }
  }

  interrupt(): void {
    this.#interrupts++;
    // One that waits in native code handles no signal.
    if (this.#interrupts > 1) this.#kill();
    else for (const { process: child } of this.#started) child.kill("SIGINT");
  }

  async #runOne(rank: number, device: number, folder: string): Promise<CliEnd> {
    const lines: string[] = [];
    const started = this.#start(rank, { device, folder, lines });
    this.#started.push(started);
    if (rank === 0) started.process.on("message", (message) => this.#hear(message));
    const end = await started.ended;
    const counts = rank === 0 || !this.#trained;
    if (end.code !== 0 && counts && this.#lost === undefined) {
      const lost = lostRank({ rank, device, lines }, end);
      this.#lost = { rank: lost, code: end.code, wasAsked: this.#interrupts > 0 };
      for (const { process: child } of this.#started) if (child.connected) child.send(lost, ignoreGone);
      this.#killLater();
    }
    if (rank === 0) this.#killLater();
    return end;
  }

  #start(
    rank: number,
    { device, folder, lines }: { device: number; folder: string; lines: string[] },
  ): StartedCli {
    const { program, command, devices } = this.#launch;
    const [verb = "", ...rest] = command;
    return startCliProcess({
      program,
      // The others' errors are read from their last line. Words may follow a `--` at the end.
      command: rank === 0 ? command : [verb, "--json", ...rest],
      env: rankEnvironment({ rank, size: devices.length, folder }, device),
      stdio: rank === 0 ? ["inherit", "inherit", "inherit", "ipc"] : ["ignore", "pipe", "pipe", "ipc"],
      onLine: (line) => {
        lines.push(line);
        if (lines.length > LINES) lines.shift();
      },
    });
  }

  #hear(message: unknown): void {
    if (message !== TRAINED) return;
    this.#trained = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #killLater(): void {
    const { graceMs = 15_000 } = this.#launch;
    this.#timer ??= setTimeout(() => this.#kill(), graceMs);
  }

  #kill(): void {
    for (const { process: child } of this.#started) child.kill("SIGKILL");
  }

  /** @param first - Exit code of rank 0. */
  #exitCode(first: number | null): number {
    if (this.#lost === undefined) return 0;
    const { rank, code, wasAsked } = this.#lost;
    if (wasAsked && this.#interrupts > 1) return code ?? INTERRUPTED;
    if (first === null || first === 0) throw errorOf(rank);
    return code ?? 1;
  }
}

/** One that has ended, or is about to, hears nothing any more. */
function ignoreGone(): void {}

function lostRank(
  { rank, device, lines }: { rank: number; device: number; lines: readonly string[] },
  end: CliEnd,
): LostRank {
  if (end.printed !== undefined) return { rank, ...end.printed };
  const said = lines.length === 0 ? "" : ` Its last lines:\n${lines.join("\n")}`;
  const message = `the process of rank ${rank} (GPU ${device}) ${describeEnd(end)}. Start again with --resume.${said}`;
  return { rank, code: "E_RANK_LOST", message };
}

function errorOf({ rank, code, message }: LostRank): BasicError {
  return new BasicError(code, `Rank ${rank} failed: ${message.replace(` [${code}]`, "")}`);
}
