import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";

import { parquetWriteBuffer } from "hyparquet-writer";
import sharp from "sharp";
import { pack } from "tar-stream";

/** A PNG of one colour, 4 × 4 unless given. */
export async function png(color: readonly [number, number, number], size = 4): Promise<Buffer> {
  const [r, g, b] = color;
  return sharp({ create: { width: size, height: size, channels: 3, background: { r, g, b } } })
    .png()
    .toBuffer();
}

/** Writes a tar archive of files by name. */
export async function writeTar(
  path: string,
  members: readonly (readonly [string, Buffer | string])[],
): Promise<void> {
  const archive = pack();
  for (const [name, content] of members) archive.entry({ name }, content);
  archive.finalize();
  await pipeline(archive, createWriteStream(path));
}

type SchemaElement = NonNullable<Parameters<typeof parquetWriteBuffer>[0]["schema"]>[number];

const text = { type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" } as const;

/** `images: list<struct<bytes, path>>` and `texts: list<struct<user, assistant>>`, as in The Cauldron. */
const SCHEMA: SchemaElement[] = [
  { name: "root", num_children: 2 },
  { name: "images", repetition_type: "OPTIONAL", num_children: 1, converted_type: "LIST" },
  { name: "list", repetition_type: "REPEATED", num_children: 1 },
  { name: "element", repetition_type: "OPTIONAL", num_children: 2 },
  { name: "bytes", type: "BYTE_ARRAY", repetition_type: "OPTIONAL" },
  { name: "path", ...text },
  { name: "texts", repetition_type: "OPTIONAL", num_children: 1, converted_type: "LIST" },
  { name: "list", repetition_type: "REPEATED", num_children: 1 },
  { name: "element", repetition_type: "OPTIONAL", num_children: 2 },
  { name: "user", ...text },
  { name: "assistant", ...text },
];

/** A row of {@link cauldronTable}. */
export interface CauldronRow {
  readonly images: readonly Buffer[];
  readonly texts: readonly (readonly [string, string])[];
}

/** A Parquet table as The Cauldron's, with small row groups. */
export function cauldronTable(
  rows: readonly CauldronRow[],
  { rowGroupSize = 2, codec = "SNAPPY" }: { rowGroupSize?: number; codec?: "SNAPPY" | "UNCOMPRESSED" } = {},
): Buffer {
  const images = rows.map((row) =>
    row.images.map((bytes, i) => ({ bytes: new Uint8Array(bytes), path: `${i}.png` })),
  );
  const texts = rows.map((row) => row.texts.map(([user, assistant]) => ({ user, assistant })));
  const bytes = parquetWriteBuffer({
    columnData: [
      { name: "images", data: images },
      { name: "texts", data: texts },
    ],
    schema: SCHEMA,
    rowGroupSize,
    codec,
  });
  return Buffer.from(bytes);
}
