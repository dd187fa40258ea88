import { BasicError } from "@basic-mllm/core";

import { parseJson, type Sample, toSample } from "../samples.js";
import { readRange } from "./file-range.js";
import { INSIDE, type SampleRecord, type SampleShard } from "./sample-source.js";
import { indexTar, type TarMember } from "./tar-index.js";

const IMAGES = /(^|\.)(jpe?g|png|webp|gif|tiff?|avif|ppm)$/i;
const TEXTS = /(^|\.)(json|txt|caption)$/i;
const LARGEST_TEXT = 64 * 2 ** 20;
const LARGEST_IMAGE = 512 * 2 ** 20;

/** Members that belong to one sample. */
interface Group {
  readonly key: string;
  readonly text: TarMember | null;
  readonly images: readonly TarMember[];
}

/**
 * Opens a WebDataset archive: neighbouring members with the same name up to the first dot are one sample, with its
 * images (`.jpg`, `.png`, …; several as `0.jpg`, `1.jpg`) and its text (`.json`, or a caption as `.txt`).
 *
 * @param label - Name of the archive in the names of its images.
 * @throws `BasicError` `E_DATA_FORMAT` as {@link indexTar}, and where two members that samples are made of have one name.
 */
export async function openTarShard(path: string, label: string): Promise<SampleShard> {
  const members = await indexTar(path);
  const places = placesOf(path, members);
  const groups = groupMembers(members);
  const read = (index: number): Promise<Sample> => readGroup(path, label, groups[index] as Group, index);
  return {
    size: groups.length,
    images: {
      label,
      source: {
        has: (name) => places.has(name),
        bytes: async (name) => readMember(path, places.get(name) as TarMember, LARGEST_IMAGE),
      },
    },
    read,
    records: async function* (): AsyncGenerator<SampleRecord> {
      for (const index of groups.keys()) {
        yield await read(index).catch((error: unknown) => {
          if (error instanceof BasicError) return error;
          throw error;
        });
      }
    },
  };
}

/** Whether samples are made of such a member. */
function isPart(name: string): boolean {
  const { extension } = splitName(name);
  return TEXTS.test(extension) || IMAGES.test(extension);
}

/** Members by name, which is all that an image is asked for by. Of others than parts, the last counts. */
function placesOf(path: string, members: readonly TarMember[]): ReadonlyMap<string, TarMember> {
  const places = new Map<string, TarMember>();
  for (const member of members) {
    const first = places.get(member.name);
    if (first !== undefined && isPart(member.name)) {
      throw new BasicError(
        "E_DATA_FORMAT",
        `${path}: expected one member "${member.name}", got two, whose contents begin at bytes ${first.offset} and ${member.offset}. ` +
          "Write the archive again, each member with a name of its own.",
      );
    }
    places.set(member.name, member);
  }
  return places;
}

function groupMembers(members: readonly TarMember[]): readonly Group[] {
  const groups: { key: string; text: TarMember | null; images: TarMember[] }[] = [];
  for (const member of members) {
    const { key, extension } = splitName(member.name);
    if (!isPart(member.name)) continue;
    const isText = TEXTS.test(extension);
    if (groups.at(-1)?.key !== key) groups.push({ key, text: null, images: [] });
    const group = groups.at(-1) as (typeof groups)[number];
    if (!isText) group.images.push(member);
    // The record says more than a caption beside it.
    else if (group.text === null || extension.endsWith("json")) group.text = member;
  }
  return groups;
}

/** `a/b.0.jpg` to `a/b` and `0.jpg`. */
function splitName(name: string): { key: string; extension: string } {
  const folder = name.lastIndexOf("/") + 1;
  const dot = name.indexOf(".", folder);
  return dot < 0
    ? { key: name, extension: "" }
    : { key: name.slice(0, dot), extension: name.slice(dot + 1).toLowerCase() };
}

async function readGroup(path: string, label: string, group: Group, index: number): Promise<Sample> {
  const { key, text } = group;
  const images = group.images.map(({ name }) => `${label}${INSIDE}${name}`);
  const place = { index, source: path, id: key, images };
  if (text === null) {
    throw new BasicError(
      "E_DATA_FORMAT",
      `${path}, record ${index} (id "${key}"): expected a .json or .txt beside its ${images.length} images, got none. Add its text, or remove its images.`,
    );
  }
  const content = (await readMember(path, text, LARGEST_TEXT)).toString("utf8");
  if (!/json$/i.test(text.name)) return toSample({ caption: content.trim() }, place);
  const record = parseJson(content, `${path}, member "${text.name}"`);
  return toSample(record, place);
}

function readMember(path: string, member: TarMember, largest: number): Promise<Buffer> {
  if (member.size <= largest) return readRange(path, member.offset, member.size);
  throw new BasicError(
    "E_DATA_FORMAT",
    `${path}, member "${member.name}": expected at most ${largest} bytes, got ${member.size}. Remove the member.`,
  );
}
