import cliProgress from "cli-progress";
import pc from "picocolors";

/** Where a command writes: text for people to one stream, one JSON line for machines to stdout. */
export interface Terminal {
  /** Whether colours, and a bar that redraws itself, make sense. */
  readonly interactive: boolean;
  /** One line for people. */
  line(text?: string): void;
  /** Text without a line end, for what comes piece by piece. */
  write(text: string): void;
  /** One line for people about something that needs attention. */
  warn(text: string): void;
  /** The result for machines: the last line of stdout under `--json`. */
  result(value: unknown): void;
  /**
   * Starts a progress bar (terminal) or plain lines now and then (log).
   *
   * @param from - Units that were finished before, without work: they do not count for the rate. Default 0.
   */
  progress(title: string, total: number, from?: number): Progress;
}

/** A running task. */
export interface Progress {
  /** @param done - Units finished so far. @param note - Shown beside the bar, for example the loss. */
  update(done: number, note?: string): void;
  stop(): void;
}

/** @param options - `json`: people's lines go to stderr, and stdout carries the result only. */
export function createTerminal(options: { readonly json: boolean }): Terminal {
  const stream = options.json ? process.stderr : process.stdout;
  const interactive = stream.isTTY === true && process.env["CI"] === undefined;
  const line = (text = ""): void => {
    stream.write(`${text}\n`);
  };
  return {
    interactive,
    line,
    write: (text) => {
      stream.write(text);
    },
    warn: (text) => line(`${pc.yellow("warning")} ${text}`),
    result: (value) => {
      if (options.json) process.stdout.write(`${JSON.stringify(value)}\n`);
    },
    progress: (title, total, from = 0) =>
      interactive ? bar(stream, { title, total, from }) : plainLines(line, { title, total, from }),
  };
}

/** Columns of a progress line beside its title and bar: counts, rate, time left and a note of 30 letters. */
const LINE_WIDTH = 66;
/** Columns of the longest and the shortest bar. */
const BARS = [28, 4] as const;

/** What a progress bar shows. */
interface Work {
  readonly title: string;
  readonly total: number;
  readonly from: number;
}

function bar(stream: NodeJS.WriteStream, { title, total, from }: Work): Progress {
  const name = title.padEnd(8);
  const fits = (stream.columns ?? 80) - name.length - LINE_WIDTH;
  const single = new cliProgress.SingleBar({
    stream,
    hideCursor: true,
    etaBuffer: 50,
    format: `  ${name} {bar} {value}/{total}  {rate}/s  {eta_formatted} left  {note}`,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    barsize: Math.max(BARS[1], Math.min(BARS[0], fits)),
  });
  const start = Date.now();
  single.start(total, from, { note: "", rate: "…" });
  let last = "";
  return {
    update: (done, note = last) => {
      last = note;
      single.update(done, { note, rate: rate(done - from, start) });
    },
    stop: () => single.stop(),
  };
}

/** A log gets a line every tenth of the way, and at least every 15 seconds. */
function plainLines(line: (text: string) => void, { title, total, from }: Work): Progress {
  const start = Date.now();
  let printedAt = start;
  let printedDone = from;
  let note = "";
  return {
    update: (done, text = note) => {
      note = text;
      const now = Date.now();
      if (done < total && done - printedDone < total / 10 && now - printedAt < 15_000) return;
      if (done === printedDone) return;
      printedAt = now;
      printedDone = done;
      line(
        `  ${title} ${done}/${total}  ${rate(done - from, start)}/s  ${left(done - from, total - from, start)} left  ${note}`.trimEnd(),
      );
    },
    stop: () => undefined,
  };
}

function rate(done: number, start: number): string {
  const perSecond = done / Math.max(1e-3, (Date.now() - start) / 1000);
  return perSecond >= 100 ? perSecond.toFixed(0) : perSecond.toPrecision(2);
}

function left(done: number, total: number, start: number): string {
  return duration(((Date.now() - start) / 1000 / Math.max(1, done)) * (total - done));
}

/** `75` to `1 min 15 s`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60
    ? `${minutes} min ${whole % 60} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** `1536` to `1.5 kB`. */
export function bytes(count: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : value.toFixed(0)} ${units[unit]}`;
}

/** As {@link bytes}, rounded up: what is shown is not less. */
export function enough(count: number): string {
  let step = 1;
  while (count / step >= 1000) step *= 1000;
  const digit = step > 1 && count / step < 10 ? step / 10 : step;
  return bytes(Math.ceil(count / digit) * digit);
}

/** `1234567` to `1.23 M`. */
export function count(value: number): string {
  if (value < 1000) return String(value);
  return value < 1e6 ? `${(value / 1e3).toFixed(1)} k` : `${(value / 1e6).toFixed(2)} M`;
}

/** Rows under a header, columns aligned. Colour codes do not count as width. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => visible(row[column] ?? ""))));
  const format = (row: readonly string[]): string =>
    `  ${row.map((cell, column) => cell + " ".repeat((widths[column] ?? 0) - visible(cell))).join("  ")}`.trimEnd();
  return [pc.dim(format(header)), ...rows.map(format)].join("\n");
}

function visible(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences of the terminal
  return text.replace(/\u001b\[[0-9;]*m/g, "").length;
}
