import type { BasicError } from "@basic-mllm/core";

import type { Sample } from "../samples.js";
import type { ImageRoot } from "./image-source.js";

/** A record as it was read: a sample, or what is wrong with it. */
export type SampleRecord = Sample | BasicError;

/** The files that samples can be read from. */
export type SampleFormat = "json" | "jsonl" | "parquet" | "tar";

/** Samples of one or several files, by number and one after the other. Texts and images stay on disk. */
export interface SampleSource {
  readonly format: SampleFormat;
  /** The files, in order. */
  readonly files: readonly string[];
  /** Number of records, those that are no samples included. */
  readonly size: number;
  readonly imageRoot: ImageRoot;
  /**
   * A record by number.
   *
   * @throws `BasicError` `E_DATA_FORMAT` where it is no sample.
   */
  read(index: number): Promise<Sample>;
  /** All records in order, a bounded number in memory at a time; a malformed one is an error and not thrown. */
  records(): AsyncIterable<SampleRecord>;
}

/** One file of a {@link SampleSource}. */
export interface SampleShard {
  readonly size: number;
  /** Images that lie in the file itself, by the names that its samples give them; null: files of a folder. */
  readonly images: { readonly label: string; readonly source: ShardImages } | null;
  read(index: number): Promise<Sample>;
  records(): AsyncIterable<SampleRecord>;
}

/** Images inside of a file, by the part of the name after its label. */
export interface ShardImages {
  has(name: string): boolean;
  bytes(name: string): Promise<Uint8Array>;
}

/** Between the name of a file and what lies in it. */
export const INSIDE = "::";
