import { readPackageJson } from "./art.js";
import type { Emoji } from "./concepts.js";

const GROUPS = ["animals-nature", "food-drink", "travel-places", "activities", "objects"];

interface EmojibaseRecord {
  readonly label: string;
  readonly hexcode: string;
  readonly tags?: readonly string[];
  readonly group?: number;
  readonly subgroup?: number;
}

interface EmojibaseMessages {
  readonly groups: readonly { readonly key: string; readonly order: number }[];
  readonly subgroups: readonly { readonly key: string; readonly order: number }[];
}

/** Reads the candidates: animals, food, places, activities and objects, without the clock faces. */
export async function readEmoji(): Promise<readonly Emoji[]> {
  const records = (await readPackageJson("emojibase-data/en/data.json")) as readonly EmojibaseRecord[];
  const messages = (await readPackageJson("emojibase-data/en/messages.json")) as EmojibaseMessages;
  const group = new Map(messages.groups.map(({ order, key }) => [order, key]));
  const subgroup = new Map(messages.subgroups.map(({ order, key }) => [order, key]));
  return records.flatMap((record) => {
    const emoji: Emoji = {
      label: record.label,
      hexcode: record.hexcode,
      tags: record.tags ?? [],
      group: group.get(record.group ?? -1) ?? "",
      subgroup: subgroup.get(record.subgroup ?? -1) ?? "",
    };
    return GROUPS.includes(emoji.group) && !isClockFace(emoji) ? [emoji] : [];
  });
}

function isClockFace({ label, subgroup }: Emoji): boolean {
  return subgroup === "time" && /o’clock|thirty/.test(label);
}
