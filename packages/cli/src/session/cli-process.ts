import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { BasicError, type ErrorCode } from "@basic-mllm/core";

/** A command of ours to start. */
export interface CliStart {
  /** The file that runs `basic-mllm`. */
  readonly program: string;
  /** Arguments after it. */
  readonly command: readonly string[];
  /** Added to this process's environment. */
  readonly env: NodeJS.ProcessEnv;
  readonly stdio: StdioOptions;
  /** Each line for people, where stderr is a pipe. */
  readonly onLine: (line: string) => void;
}

/** How a command ended. */
export interface CliEnd {
  /** Null where a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The error in its last line, where it ran with `--json` and stdout is a pipe. */
  readonly printed: { readonly code: ErrorCode; readonly message: string } | undefined;
}

/** A command that runs. */
export interface StartedCli {
  readonly process: ChildProcess;
  /** Rejects where it cannot be started. */
  readonly ended: Promise<CliEnd>;
}

/** Starts a command of ours in a process of its own. */
export function startCliProcess({ program, command, env, stdio, onLine }: CliStart): StartedCli {
  const child = spawn(process.execPath, [...process.execArgv, program, ...command], {
    stdio,
    env: { ...process.env, ...env },
    // A terminal sends Ctrl-C to its whole process group: a child in it would get that and ours, and stop at once.
    detached: true,
  });
  let result = "";
  if (child.stdout !== null) {
    createInterface({ input: child.stdout }).on("line", (line) => {
      result = line;
    });
  }
  if (child.stderr !== null) createInterface({ input: child.stderr }).on("line", onLine);
  const ended = new Promise<CliEnd>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal, printed: printedError(result) }));
  });
  return { process: child, ended };
}

/** A command of ours that runs beside this one. */
export interface CliProcess extends Pick<CliStart, "program" | "command" | "onLine"> {
  readonly cache: string;
  /** Asks the process to save and stop. */
  readonly signal: AbortSignal;
  /** What the process works on, at the beginning of its error. */
  readonly name: string;
}

/**
 * Runs a command, with `--json` after its other arguments, to its end.
 *
 * @throws `BasicError` what the command threw, with `name` before its message; `E_INTERRUPTED` where it was stopped before it
 *   could say so; `Error` where it died.
 */
export async function runCliProcess(command: CliProcess): Promise<void> {
  const { cache, signal, name } = command;
  const child = startCliProcess({
    ...command,
    command: [...command.command, "--json"],
    env: { BASIC_MLLM_CACHE: cache },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const stopWithUs = forwardStop(child.process, signal);
  const end = await child.ended.finally(stopWithUs.release);
  if (end.code !== 0) throw childError(end, { name, stopped: signal.aborted });
}

/** Asks a child to save and stop when this process is asked to; where this process ends, the child gets it again. */
function forwardStop(child: ChildProcess, signal: AbortSignal): { readonly release: () => void } {
  const stop = (): void => {
    child.kill("SIGINT");
  };
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop);
  process.once("exit", stop);
  return {
    release: () => {
      signal.removeEventListener("abort", stop);
      process.off("exit", stop);
    },
  };
}

/** How a process ended, after its name. */
export function describeEnd({ code, signal }: Pick<CliEnd, "code" | "signal">): string {
  if (signal === null) return `ended with ${code}`;
  const why = signal === "SIGKILL" ? ", which systems send where memory runs out" : "";
  return `was ended by ${signal}${why}`;
}

/** The error that a child printed as its last line; a child that died has none. */
function childError(
  end: CliEnd,
  { name, stopped }: { readonly name: string; readonly stopped: boolean },
): Error {
  if (end.printed !== undefined) {
    const { code, message } = end.printed;
    return new BasicError(code, `${name}: ${message.replace(` [${code}]`, "")}`);
  }
  if (stopped)
    return new BasicError("E_INTERRUPTED", `${name}: stopped while it started. Resume the run to go on.`);
  const fix = end.signal === null ? "" : " Resume its run.";
  return new Error(`The process of ${name} ${describeEnd(end)}.${fix}`);
}

/** The error in the last line of a command with `--json`. A child that is killed while it prints leaves half a line. */
function printedError(line: string): CliEnd["printed"] {
  try {
    return (JSON.parse(line) as { error?: CliEnd["printed"] }).error;
  } catch {
    return undefined;
  }
}
