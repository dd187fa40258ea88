import { BasicError } from "../errors.js";
import type { RunStore } from "./run-store.js";

/** Where a line belongs. `step` counts finished optimizer steps of the stage, `globalStep` those of the run. */
export interface LinePosition {
  readonly stage: string;
  readonly step: number;
  readonly globalStep: number;
}

/** Metrics of one optimizer step; losses are those before the update. */
export interface TrainLine extends LinePosition {
  readonly kind: "train";
  readonly loss: number;
  /** Unweighted means by part. */
  readonly parts: Readonly<Record<string, number>>;
  /** λ times the part. */
  readonly weighted: Readonly<Record<string, number>>;
  /** Of the first trained group. */
  readonly learningRate: number;
  /** Before clipping. */
  readonly gradientNorm: number;
  readonly tokensPerSecond: number;
  /** Mean wall time of the steps since the last line, milliseconds. */
  readonly stepMs: number;
  readonly diagnostics?: Readonly<Record<string, number>>;
}

/** Result of one evaluation set. */
export interface EvaluationLine extends LinePosition {
  readonly kind: "evaluation";
  readonly split: string;
  readonly metrics: Readonly<Record<string, number>>;
}

/** Start of a stage. Sizes are numbers of values. */
export interface StageLine extends LinePosition {
  readonly kind: "stage";
  readonly steps: number;
  readonly trains: Readonly<Record<string, number>>;
  readonly frozen: Readonly<Record<string, number>>;
}

/** Something that a person should look at. */
export interface WarningLine extends LinePosition {
  readonly kind: "warning";
  readonly name: string;
  readonly text: string;
}

/** A line of metrics.jsonl. */
export type MetricsLine = TrainLine | EvaluationLine | StageLine | WarningLine;

/** Name of the file in the run folder. */
export const METRICS_FILE = "metrics.jsonl";

/** Appends lines to metrics.jsonl and counts them: a checkpoint remembers the count, a resume cuts back to it. */
export interface MetricsWriter {
  readonly lines: number;
  write(line: MetricsLine): Promise<void>;
}

/** @param lines - Lines that are in the file already. */
export function createMetricsWriter(store: RunStore, lines: number): MetricsWriter {
  let count = lines;
  return {
    get lines() {
      return count;
    },
    write: async (line) => {
      await store.append(METRICS_FILE, JSON.stringify(line));
      count++;
    },
  };
}

/**
 * Reads metrics.jsonl; a last line that a kill cut short is left out.
 *
 * @throws {@link BasicError} `E_CHECKPOINT_CORRUPT` naming the first line that is not JSON.
 */
export async function readMetrics(store: RunStore): Promise<readonly MetricsLine[]> {
  if (!(await store.exists(METRICS_FILE))) return [];
  const text = new TextDecoder().decode(await store.read(METRICS_FILE));
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  return whole
    .split("\n")
    .flatMap((line, index) => (line === "" ? [] : [parseLine(line, `${store.location}, line ${index + 1}`)]));
}

function parseLine(line: string, where: string): MetricsLine {
  try {
    return JSON.parse(line) as MetricsLine;
  } catch (error) {
    throw new BasicError(
      "E_CHECKPOINT_CORRUPT",
      `${METRICS_FILE} of ${where} is not JSON: ${JSON.stringify(line.slice(0, 40))}. ` +
        "Something else has written to that file: put back a copy of it, or start the run again in another folder.",
      { cause: error },
    );
  }
}
