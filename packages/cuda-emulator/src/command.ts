import { execFile } from "node:child_process";

/** A program that could not be run, or that failed, with what it said. */
export class CommandError extends Error {
  constructor(program: string, output: string) {
    super(`${program}: ${output.trim()}`);
    this.name = "CommandError";
  }
}

/** Runs a program to its end. @throws CommandError */
export function command(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { maxBuffer: 64 * 2 ** 20 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new CommandError(program, stderr || error.message));
    });
  });
}
