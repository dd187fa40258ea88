// Processes that answer one line of JSON with one line of JSON: they take turns, so noise of the machine meets all alike.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** A process to talk to. */
export class Side {
  #child;
  #lines;
  #name;

  constructor(name, [command, ...args], options = {}) {
    this.#name = name;
    this.#child = spawn(command, args, { ...options, stdio: ["pipe", "pipe", "inherit"] });
    // A process that ends early is reported by ask().
    this.#child.stdin.on("error", () => {});
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Sends a call and waits for its answer. */
  async ask(name, call = {}) {
    this.#child.stdin.write(`${JSON.stringify({ do: name, ...call })}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.#name} ended during "${name}"; see above`);
    return JSON.parse(value);
  }

  /** Lets it end by itself. */
  async close() {
    const ended = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.stdin.end();
    if (this.#child.exitCode === null && this.#child.signalCode === null) await ended;
  }
}

/** Runs `body` with all sides open, and closes them whatever happens. */
export async function withSides(sides, body) {
  try {
    return await body(sides);
  } finally {
    await Promise.all(Object.values(sides).map((side) => side.close()));
  }
}

/** The middle value; of two middle ones the lower. */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)];
}

/** CPU time says what work costs on one thread, whoever else is on the core; several threads need the clock. */
export function timeOf({ wall_ms: wall, cpu_ms: cpu }, threads) {
  return threads === 1 ? cpu : wall;
}
