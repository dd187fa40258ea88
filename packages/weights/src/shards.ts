import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, link, mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

import { BasicError, explainDiskFull } from "@basic-mllm/core";

import type { FloatDType } from "./dtypes.js";
import { replaceFile, syncFolder, writeSynced } from "./files.js";
import { INDEX, WHOLE } from "./hub/model-files.js";
import {
  checkNames,
  type SafetensorsOptions,
  safetensorsPieces,
  storedBytes,
  type WritableTensor,
} from "./safetensors-write.js";

/** Options of {@link writeShards}. */
export interface ShardOptions extends SafetensorsOptions {
  /**
   * What one file may hold: bytes of values, or a text such as `"5GB"` or `"500MiB"`. A larger tensor has a file to
   * itself. Default 5 GB.
   */
  readonly maxShardSize?: number | string;
}

/**
 * Writes the weights of a model in Hugging Face's layout: `model.safetensors`, or `model-00001-of-0000N.safetensors` with
 * `model.safetensors.index.json` where they exceed one file. Lazy tensors are in memory one at a time.
 *
 * At whatever moment the process or the machine stops, the folder holds the old weights as a whole, or the new ones: files
 * are written and synced under names that nothing reads, then the index (or the single file) is replaced. Old files of
 * weights are removed last; other files of the folder stay.
 *
 * @returns Names of the files with weights.
 * @throws `BasicError` `E_CONFIG` for a size that is none, `E_NAME_DUPLICATE`, `E_SHAPE`, `E_DISK_FULL`.
 */
export async function writeShards(
  folder: string,
  tensors: readonly WritableTensor[],
  options: ShardOptions = {},
): Promise<readonly string[]> {
  const { maxShardSize = 5e9, dtype = "F32" } = options;
  checkNames(tensors);
  const shards = splitTensors(tensors, dtype, bytesOf(maxShardSize));
  const id = randomUUID().slice(0, 8);
  const plan: Plan = {
    folder,
    dtype,
    id,
    files: shards.map((shard, i) => ({
      shard,
      name: nameOf(i, shards.length),
      fresh: nameOf(i, shards.length, `.${id}`),
    })),
  };
  const full =
    `The weights could not be written to ${folder}: the disk is full. No file was left half-written. ` +
    "Make space and run the command again.";
  await explainDiskFull(full, async () => {
    await mkdir(folder, { recursive: true });
    await stage(plan, options);
    await settle(plan);
  });
  return plan.files.map(({ name }) => name);
}

interface Plan {
  readonly folder: string;
  readonly dtype: FloatDType;
  /** Part of all names that are no final ones. */
  readonly id: string;
  readonly files: readonly {
    readonly shard: readonly WritableTensor[];
    /** The name of the layout. */
    readonly name: string;
    /** The name that it is written under. */
    readonly fresh: string;
  }[];
}

/** Writes everything under fresh names, then makes that the model by one change of a name. */
async function stage(plan: Plan, options: SafetensorsOptions): Promise<void> {
  const { folder, files, id } = plan;
  const at = (name: string): string => join(folder, name);
  const index = at(`${INDEX}.${id}.tmp`);
  const [only] = files;
  const isOne = files.length === 1 && only !== undefined;
  // Readers prefer a single file to an index.
  const hadWhole = !isOne && existsSync(at(WHOLE));
  try {
    for (const { shard, fresh } of files) {
      await writeSynced(at(fresh), safetensorsPieces(shard, options));
    }
    if (isOne) {
      await rename(at(only.fresh), at(WHOLE));
    } else {
      await writeSynced(index, indexOf(plan, "fresh"));
      await rename(index, at(INDEX));
    }
    if (hadWhole) {
      await syncFolder(folder);
      await rm(at(WHOLE));
    }
  } catch (error) {
    const unread = [index, ...files.map(({ fresh }) => at(fresh)), ...(hadWhole ? [at(INDEX)] : [])];
    for (const path of unread) await rm(path, { force: true });
    throw error;
  }
  await syncFolder(folder);
}

/** Gives the files the names of the layout: the index names whole files of one save at every moment. */
async function settle(plan: Plan): Promise<void> {
  const { folder, files, id } = plan;
  if (files.length > 1) {
    for (const { name, fresh } of files) {
      await rm(join(folder, name), { force: true });
      await linkOrCopy(join(folder, fresh), join(folder, name));
    }
    await syncFolder(folder);
    await replaceFile(join(folder, INDEX), join(folder, `${INDEX}.${id}.tmp`), indexOf(plan, "name"));
  } else {
    await rm(join(folder, INDEX), { force: true });
  }
  await removeOld(plan);
}

/** A second name for the same bytes; file systems without such names get a copy. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(String(code))) throw error;
    await copyFile(from, to);
  }
}

/** Files of {@link writeShards}: those of earlier calls, and what a killed one left. */
const ours =
  /^model(-\d{5}-of-\d{5})?(\.[0-9a-f]{8})?\.safetensors$|^model\.safetensors\.index\.json\..*\.tmp$/;

async function removeOld({ folder, files }: Plan): Promise<void> {
  const kept = new Set(files.map(({ name }) => name));
  const names = await readdir(folder);
  for (const name of names.filter((candidate) => ours.test(candidate) && !kept.has(candidate))) {
    await rm(join(folder, name), { force: true });
  }
}

/** `model-00001-of-00003.safetensors`; a single file has no number. */
function nameOf(i: number, count: number, mark = ""): string {
  const five = (n: number): string => String(n).padStart(5, "0");
  const number = count === 1 ? "" : `-${five(i + 1)}-of-${five(count)}`;
  return `model${number}${mark}.safetensors`;
}

/** In order, each shard as full as it may be; none is empty but that of a model without weights. */
function splitTensors(
  tensors: readonly WritableTensor[],
  dtype: FloatDType,
  limit: number,
): readonly (readonly WritableTensor[])[] {
  const shards: WritableTensor[][] = [[]];
  let size = 0;
  for (const tensor of tensors) {
    const bytes = storedBytes(tensor, dtype);
    const last = shards.at(-1) as WritableTensor[];
    if (last.length > 0 && size + bytes > limit) {
      shards.push([tensor]);
      size = bytes;
    } else {
      last.push(tensor);
      size += bytes;
    }
  }
  return shards;
}

function indexOf({ files, dtype }: Plan, names: "name" | "fresh"): readonly Uint8Array[] {
  const placed = files.flatMap((file) => file.shard.map((tensor) => ({ tensor, file: file[names] })));
  const map = placed.map(({ tensor, file }) => [tensor.name, file] as const);
  const index = {
    metadata: { total_size: placed.reduce((sum, { tensor }) => sum + storedBytes(tensor, dtype), 0) },
    weight_map: Object.fromEntries(map.sort(([a], [b]) => (a < b ? -1 : 1))),
  };
  return [new TextEncoder().encode(`${JSON.stringify(index, undefined, 2)}\n`)];
}

const units: Readonly<Record<string, number>> = {
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
};

function bytesOf(size: number | string): number {
  const [, count = "", unit = ""] = /^(\d+(?:\.\d+)?) ?([kmg]i?b)$/i.exec(String(size)) ?? [];
  const bytes = typeof size === "number" ? size : Number(count) * (units[unit.toLowerCase()] ?? Number.NaN);
  if (bytes >= 1) return bytes;
  throw new BasicError(
    "E_CONFIG",
    `\`maxShardSize\` must be a number of bytes from 1, or a text such as "5GB" or "500MiB", got ${JSON.stringify(size)}.`,
  );
}
