// A process that takes turns (see turns.mjs): answers each line of JSON on stdin with one on stdout.
import { createInterface } from "node:readline";

/** Runs the command that each line names, `{"do":"open",…}`, until stdin ends. */
export async function serve(commands) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { do: name, ...call } = JSON.parse(line);
    process.stdout.write(`${JSON.stringify(await commands[name](call))}\n`);
  }
}

/** Milliseconds of a call of `run(i)`, the mean of `repeats`. A promise is waited for. */
export async function timeRuns(run, repeats) {
  const [wall, cpu] = [performance.now(), process.cpuUsage()];
  for (let i = 0; i < repeats; i++) {
    const pending = run(i);
    if (pending !== undefined) await pending;
  }
  const { user, system } = process.cpuUsage(cpu);
  return { wall_ms: (performance.now() - wall) / repeats, cpu_ms: (user + system) / 1000 / repeats };
}

/** What sides compare of a result. */
export function meanSquare(values) {
  return values.reduce((sum, x) => sum + x * x, 0) / values.length;
}
