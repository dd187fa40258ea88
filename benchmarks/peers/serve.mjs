// A process that takes turns (see turns.mjs): answers each line of JSON on stdin with one on stdout.
import { createInterface } from "node:readline";

/** Runs the command that each line names, `{"do":"open",…}`, until stdin ends. */
export async function serve(commands) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { do: name, ...call } = JSON.parse(line);
    process.stdout.write(`${JSON.stringify(await commands[name](call))}\n`);
  }
}
