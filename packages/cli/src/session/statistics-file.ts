import { existsSync } from "node:fs";
import { join } from "node:path";
import { BasicError } from "@basic-mllm/core";
import type { ChannelStatistics } from "@basic-mllm/data";
import { z } from "zod";

import { readRunJson, writeJson } from "./json-file.js";

const FILE = "statistics.json";
const schema = z.strictObject({ mean: z.array(z.number()), std: z.array(z.number()) });

/** Keeps what a run's features are standardised with, so that its model opens without the training pictures. */
export async function writeStatistics(folder: string, { mean, std }: ChannelStatistics): Promise<void> {
  await writeJson(join(folder, FILE), { mean: [...mean], std: [...std] });
}

/**
 * What {@link writeStatistics} kept; null where the run has no such file.
 *
 * @throws `BasicError` `E_DATA_FORMAT` where it is damaged.
 */
export async function readStatistics(folder: string): Promise<ChannelStatistics | null> {
  const path = join(folder, FILE);
  if (!existsSync(path)) return null;
  const advice = "Remove the file: the statistics are then taken from the training pictures.";
  const read = schema.safeParse(await readRunJson(path, advice));
  if (!read.success) {
    throw new BasicError(
      "E_DATA_FORMAT",
      `${path} is damaged: expected {"mean", "std"}, two lists of numbers, got something else. ${advice}`,
    );
  }
  return { mean: Float32Array.from(read.data.mean), std: Float32Array.from(read.data.std) };
}
