let program: string | undefined;

/** Says which file this process runs as the command line. */
export function runsAs(file: string): void {
  program = file;
}

/** The file that runs `basic-mllm`, for another process; undefined where `main` was called from other code. */
export function ownProgram(): string | undefined {
  return program;
}
