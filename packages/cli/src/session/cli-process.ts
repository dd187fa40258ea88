import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { BasicError, type ErrorCode } from "@basic-mllm/core";

/** A command of ours in a process of its own. */
export interface CliProcess {
  /** The file that runs `basic-mllm`. */
  readonly program: string;
  /** Arguments after it. `--json` is added. */
  readonly command: readonly string[];
  readonly cache: string;
  /** Asks the process to save and stop. */
  readonly signal: AbortSignal;
  /** What the process works on, at the beginning of its error. */
  readonly name: string;
  /** Each line for people. */
  readonly onLine: (line: string) => void;
}

/**
 * Runs a command to its end.
 *
 * @throws `BasicError` what the command threw, with `name` before its message; `E_INTERRUPTED` where it was stopped before it
 *   could say so; `Error` where it died.
 */
export async function runCliProcess({
  program,
  command,
  cache,
  signal,
  name,
  onLine,
}: CliProcess): Promise<void> {
  const child = spawn(process.execPath, [...process.execArgv, program, ...command, "--json"], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, BASIC_MLLM_CACHE: cache },
    // A terminal sends Ctrl-C to its whole process group: a child in it would get that and ours, and stop at once.
    detached: true,
  });
  const stopWithUs = forwardStop(child, signal);
  let result = "";
  createInterface({ input: child.stdout }).on("line", (line) => {
    result = line;
  });
  createInterface({ input: child.stderr }).on("line", onLine);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  }).finally(stopWithUs.release);
  if (code !== 0) throw childError(result, { name, code, stopped: signal.aborted });
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

/** The error that a child printed as its last line; a child that died has none. */
function childError(
  result: string,
  { name, code, stopped }: { readonly name: string; readonly code: number | null; readonly stopped: boolean },
): Error {
  const printed = printedError(result);
  if (printed !== undefined) {
    const { code: kind, message } = printed;
    return new BasicError(kind, `${name}: ${message.replace(` [${kind}]`, "")}`);
  }
  if (stopped)
    return new BasicError("E_INTERRUPTED", `${name}: stopped while it started. Resume the run to go on.`);
  if (code === null)
    return new Error(
      `The process of ${name} was killed, as systems do where memory runs out. Resume its run.`,
    );
  return new Error(`The process of ${name} ended with ${code}.`);
}

/** The error in the last line of a command with `--json`. A child that is killed while it prints leaves half a line. */
export function printedError(
  line: string,
): { readonly code: ErrorCode; readonly message: string } | undefined {
  try {
    return (JSON.parse(line) as { error?: { code: ErrorCode; message: string } }).error;
  } catch {
    return undefined;
  }
}
