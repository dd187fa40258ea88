import type { MetricsLine } from "@basic-mllm/core";

/** Wall time of a run's optimizer steps in seconds, over all its starts: each train line has the mean of its steps. */
export function trainingSeconds(lines: readonly MetricsLine[]): number {
  const train = lines.filter((line) => line.kind === "train");
  const milliseconds = train.reduce((sum, line, i) => {
    return sum + line.stepMs * (line.globalStep - (train[i - 1]?.globalStep ?? 0));
  }, 0);
  return Math.round(milliseconds / 100) / 10;
}
