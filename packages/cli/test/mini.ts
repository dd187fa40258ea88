// A picture task so small that a run takes a second: squares of one colour, three words of answers.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32, deflateSync } from "node:zlib";

import { buildTokenizer, SPECIAL_TOKENS } from "@basic-mllm/scenes";

const COLORS = { red: [220, 30, 30], green: [30, 200, 40], blue: [20, 40, 230] } as const;
const SIDE = 16;
const WORDS = [...SPECIAL_TOKENS, ..."user : assistant . ? a what color is this picture yes no".split(" ")];

/** Size of the vocabulary. */
export const WORD_COUNT = WORDS.length + Object.keys(COLORS).length;

/** Writes pictures, sets, tokenizer and recipe. @returns Path of the recipe. */
export async function writeMiniTask(folder: string, changes: Record<string, unknown> = {}): Promise<string> {
  await mkdir(join(folder, "pictures"), { recursive: true });
  await mkdir(join(folder, "tokenizer"), { recursive: true });
  for (const [name, rgb] of Object.entries(COLORS))
    await writeFile(join(folder, "pictures", `${name}.png`), png(rgb));
  const files = buildTokenizer([...WORDS, ...Object.keys(COLORS)]);
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(folder, "tokenizer", name), JSON.stringify(content));
  }
  const record = (color: string, question: string, answer: string, metadata = {}) => ({
    id: color,
    image: `pictures/${color}.png`,
    conversations: [
      { from: "human", value: `<image>\n${question}` },
      { from: "gpt", value: answer },
    ],
    metadata,
  });
  const colors = Object.keys(COLORS);
  const sets = {
    captions: colors.map((color) => record(color, "", `a ${color} picture .`)),
    chat: colors.map((color) => record(color, "what color is this ?", color)),
    test: colors.map((color) => record(color, "what color is this ?", color, { question: "color" })),
  };
  for (const [name, records] of Object.entries(sets)) {
    await writeFile(join(folder, `${name}.json`), JSON.stringify(records));
  }
  const file = join(folder, "mini.json");
  await writeFile(file, JSON.stringify({ ...miniRecipe(folder), ...changes }, null, 2));
  return file;
}

function miniRecipe(folder: string): Record<string, unknown> {
  const stage = { batchSize: 3, learningRate: 1e-2, logEvery: 1, checkpointEvery: 50 };
  return {
    name: "mini",
    description: "Colours of squares.",
    model: {
      vision: { name: "siglip", options: { config: VISION } },
      visionLayer: -1,
      projectorInit: "match-vocabulary",
      language: { name: "llama", options: { config: LANGUAGE } },
      tokenizer: join(folder, "tokenizer"),
    },
    features: { standardise: true },
    data: { folder, train: { align: "captions", finetune: "chat" }, evaluation: { test: "test" } },
    stages: {
      align: { ...stage, train: ["projector"], steps: 2 },
      finetune: {
        ...stage,
        train: ["projector", "language"],
        template: "chat",
        steps: 6,
        losses: { direction: 0.1 },
      },
    },
    evaluation: { blind: true },
  };
}

export const VISION = {
  model_type: "siglip_vision_model",
  hidden_size: 16,
  intermediate_size: 32,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_channels: 3,
  image_size: SIDE,
  patch_size: 8,
  hidden_act: "gelu_pytorch_tanh",
  layer_norm_eps: 1e-6,
};

export const LANGUAGE = {
  model_type: "llama",
  hidden_size: 32,
  intermediate_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 2,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  hidden_act: "silu",
  tie_word_embeddings: true,
};

/** A picture of one colour as PNG. */
export function png(
  [red, green, blue]: readonly [number, number, number],
  { width = SIDE, height = SIDE } = {},
): Buffer {
  const row = Buffer.from([0, ...Array.from({ length: width }, () => [red, green, blue]).flat()]);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const pixels = deflateSync(Buffer.concat(Array.from({ length: height }, () => row)));
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", pixels),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(name: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(name, "latin1"), data]);
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  checksum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, checksum]);
}
