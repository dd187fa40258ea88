import { BasicError, didYouMean } from "@basic-mllm/core";
import pc from "picocolors";

import type { CliCommand } from "./command.js";
import { commands } from "./commands/index.js";
import { version } from "./session/version.js";
import { createTerminal, type Terminal, table } from "./terminal.js";

/** Documented in docs/getting-started.md. */
const EXIT = { ok: 0, failed: 1, usage: 2, notFinite: 3, interrupted: 130 } as const;

/**
 * Runs the command line.
 *
 * @param argv - Arguments after `basic-mllm`.
 * @returns The exit code: 0 done, 1 failed, 2 wrong usage or recipe, 3 the loss became NaN or infinite, 130 stopped by Ctrl-C,
 * with a checkpoint written where there was a step.
 */
export async function main(argv: readonly string[]): Promise<number> {
  if (argv[0] === "help" && argv.length > 1) return main([...argv.slice(1), "--help"]);
  const terminal = createTerminal({ json: argv.includes("--json") });
  const [verb, ...rest] = argv;
  if (verb === "--version" || verb === "-v") {
    process.stdout.write(`${version()}\n`);
    return EXIT.ok;
  }
  if (verb === undefined || verb === "--help" || verb === "-h" || verb === "help") {
    process.stdout.write(overview());
    return verb === undefined ? EXIT.usage : EXIT.ok;
  }
  try {
    const command = findCommand(verb);
    if (rest.includes("--help") || rest.includes("-h")) {
      process.stdout.write(await command.usage(rest));
      return EXIT.ok;
    }
    return await command.execute(rest, terminal);
  } catch (error) {
    return report(error, terminal, argv.includes("--json"));
  }
}

function findCommand(verb: string): CliCommand {
  const found = commands.find((command) => command.name === verb);
  if (found !== undefined) return found;
  const names = commands.map((command) => command.name);
  throw new BasicError(
    "E_USAGE",
    `basic-mllm: there is no command "${verb}".${didYouMean(verb, names)} Commands are ${names.join(", ")}.`,
  );
}

/** @internal */
export function overview(): string {
  const rows = commands.map((command) => [pc.cyan(command.name), command.description]);
  return [
    `basic-mllm ${version()}: train multimodal LLMs with BASIC`,
    "",
    table(["COMMAND", ""], rows),
    "",
    "  basic-mllm COMMAND --help shows options and examples.",
    "",
  ].join("\n");
}

/** Errors of the user's paths; others, such as EMFILE, are not theirs. */
const FILE_ERRORS = ["ENOENT", "ENOTDIR", "EISDIR", "EEXIST", "EACCES", "EPERM", "EROFS"];

function isFileError(error: unknown): error is NodeJS.ErrnoException {
  const { code, path } = (error ?? {}) as NodeJS.ErrnoException;
  return error instanceof Error && path !== undefined && FILE_ERRORS.includes(code ?? "");
}

function report(error: unknown, terminal: Terminal, json: boolean): number {
  if (isFileError(error)) {
    const message = `The file system refused: ${error.message}. Check that the path and its folders are there and writable.`;
    terminal.line(`${pc.red("error")} ${message}`);
    if (json) terminal.result({ error: { code: error.code, message } });
    return EXIT.failed;
  }
  if (!(error instanceof BasicError)) {
    terminal.line(pc.red("unexpected error: this is a bug, please report it with the lines below"));
    terminal.line(error instanceof Error ? (error.stack ?? error.message) : String(error));
    if (json) terminal.result({ error: { code: "E_UNEXPECTED", message: String(error) } });
    return EXIT.failed;
  }
  terminal.line(`${pc.red("error")} ${error.message}`);
  if (json) terminal.result({ error: { code: error.code, message: error.message } });
  switch (error.code) {
    case "E_USAGE":
    case "E_RECIPE_INVALID":
    case "E_RECIPE_UNKNOWN":
    case "E_NAME_UNKNOWN":
      return EXIT.usage;
    case "E_NOT_FINITE":
      return EXIT.notFinite;
    case "E_INTERRUPTED":
      return EXIT.interrupted;
    default:
      return EXIT.failed;
  }
}
