// Calls the command line in this process, and keeps what it prints.
import { Readable } from "node:stream";

import { vi } from "vitest";

import { main } from "../src/main.js";

/** What a command printed, without colours. */
export interface Printed {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** The last line of stdout, parsed. */
  json<T = Record<string, unknown>>(): T;
}

/** Runs `basic-mllm ...argv`. @param input - Lines typed on stdin. */
export async function cli(argv: readonly string[], input?: readonly string[]): Promise<Printed> {
  const printed = { stdout: "", stderr: "" };
  const spies = (["stdout", "stderr"] as const).map((name) =>
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      printed[name] += String(text);
      return true;
    }),
  );
  if (input !== undefined) {
    const stdin = Readable.from(input.map((line) => `${line}\n`));
    spies.push(vi.spyOn(process, "stdin", "get").mockReturnValue(stdin as typeof process.stdin) as never);
  }
  try {
    const code = await main(argv);
    const [out, err] = [plain(printed.stdout), plain(printed.stderr)];
    return { code, out, err, json: <T>() => JSON.parse(out.trimEnd().split("\n").at(-1) ?? "") as T };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

/** Without colours. */
export function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences of the terminal
  return text.replace(/\u001b\[[0-9;]*m/g, "");
}
