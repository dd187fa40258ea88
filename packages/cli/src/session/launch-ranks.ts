import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { BasicError } from "@basic-mllm/core";

import { printedError } from "./cli-process.js";
import { type LostRank, rankEnvironment } from "./rank.js";

/** A command that several processes run together. */
export interface RankLaunch {
  /** The file that runs `basic-mllm`. */
  readonly program: string;
  /** Arguments after it. */
  readonly command: readonly string[];
  /** GPUs: a process for each. */
  readonly devices: readonly number[];
  /** How long the others may take to stop once one has failed. Default 15,000. */
  readonly graceMs?: number;
}

/** A rank that has ended. */
interface Ended {
  readonly rank: number;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The error that it printed. */
  readonly printed: ReturnType<typeof printedError>;
  /** The last lines for people. */
  readonly lines: readonly string[];
}

const LINES = 20;

/**
 * Runs a command in a process for each GPU. Rank 0 has the terminal; the others are silent. Where one fails, the others learn
 * of it, and stop. Ctrl-C reaches all.
 *
 * @returns The exit code of the first that failed, after rank 0 has said why; 0 where none did.
 * @throws `BasicError` the error of the first that failed where rank 0 was killed before it could say it.
 */
export async function launchRanks(launch: RankLaunch): Promise<number> {
  const { devices, graceMs = 15_000 } = launch;
  const folder = await mkdtemp(join(tmpdir(), "basic-mllm-ranks-"));
  const children = devices.map((_, rank) => start(launch, rank, folder));
  const interrupt = forwardInterrupt(children);
  let first: Ended | undefined;
  let timer: NodeJS.Timeout | undefined;
  try {
    const all = await Promise.all(
      children.map(async (child, rank) => {
        const ended = await endOf(child, rank);
        if (ended.code === 0 || first !== undefined) return ended;
        first = ended;
        for (const other of children) tell(other, lostRank(ended, devices));
        timer = setTimeout(() => killAll(children), graceMs);
        return ended;
      }),
    );
    if (first === undefined) return 0;
    if (all[0]?.code === null) throw errorOf(lostRank(first, devices));
    return first.code ?? 1;
  } finally {
    clearTimeout(timer);
    interrupt.release();
    await rm(folder, { recursive: true, force: true });
  }
}

function start({ program, command, devices }: RankLaunch, rank: number, folder: string): ChildProcess {
  // The others' errors are read from their last line.
  const own = rank === 0 || command.includes("--json") ? command : [...command, "--json"];
  return spawn(process.execPath, [...process.execArgv, program, ...own], {
    stdio: rank === 0 ? ["inherit", "inherit", "inherit", "ipc"] : ["ignore", "pipe", "pipe", "ipc"],
    env: {
      ...process.env,
      ...rankEnvironment({ rank, size: devices.length, folder }, devices[rank] ?? 0),
    },
    // A terminal sends Ctrl-C to its whole process group: a child in it would get that and ours, and stop at once.
    detached: true,
  });
}

async function endOf(child: ChildProcess, rank: number): Promise<Ended> {
  let result = "";
  const lines: string[] = [];
  if (child.stdout !== null) {
    createInterface({ input: child.stdout }).on("line", (line) => {
      result = line;
    });
  }
  if (child.stderr !== null) {
    createInterface({ input: child.stderr }).on("line", (line) => {
      lines.push(line);
      if (lines.length > LINES) lines.shift();
    });
  }
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (...end) => resolve(end));
  });
  return { rank, code, signal, lines, printed: printedError(result) };
}

function lostRank({ rank, code, signal, lines, printed }: Ended, devices: readonly number[]): LostRank {
  if (printed !== undefined) return { rank, ...printed };
  const how =
    signal === null
      ? `ended with ${code}`
      : `was ended by ${signal}, which systems send where memory runs out`;
  const said = lines.length === 0 ? "" : ` Its last lines:\n${lines.join("\n")}`;
  const message = `the process of rank ${rank} (GPU ${devices[rank]}) ${how}. Start again with --resume.${said}`;
  return { rank, code: "E_RANK_LOST", message };
}

function errorOf({ rank, code, message }: LostRank): BasicError {
  return new BasicError(code, `Rank ${rank} failed: ${message.replace(` [${code}]`, "")}`);
}

/** One that has ended, or is about to, hears nothing any more. */
function tell(child: ChildProcess, lost: LostRank): void {
  if (child.connected) child.send(lost, () => undefined);
}

function killAll(children: readonly ChildProcess[]): void {
  for (const child of children) child.kill("SIGKILL");
}

/** Sends every Ctrl-C on: the first asks a process to stop, the second ends it. */
function forwardInterrupt(children: readonly ChildProcess[]): { readonly release: () => void } {
  const stop = (): void => {
    for (const child of children) child.kill("SIGINT");
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  return {
    release: () => {
      process.off("SIGINT", stop);
      process.off("SIGTERM", stop);
    },
  };
}
