// node ours.mjs RUN HF OUT [PICTURE...]: what our side makes of pictures, for check-hf.sh and check-llama-cpp.sh.
// HF: the run as `convert` wrote it for transformers. Writes OUT/cases.json, and OUT/N.safetensors per picture: input_ids,
// pixel_values [1, 3, H, W] (in tiles: [1, T, 3, H, W] and image_sizes [1, 2]), fitted [H, W, 3] (levels of the first image after
// resizing), visual [N, D] and logits [R, V].
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { projectBatch, startBackend } from "@basic-mllm/core";
import {
  answerEndToken,
  arrangementOf,
  encodePrompt,
  findTemplate,
  openPicture,
  packSamples,
  parseImageProcessor,
  readTokenizer,
  rowsAfter,
  toImageBatch,
} from "@basic-mllm/data";
import { generateText } from "@basic-mllm/evaluate";
import { loadLlava, writeSafetensors } from "@basic-mllm/weights";
import * as tf from "@tensorflow/tfjs-core";

import { root } from "../steps.mjs";

const QUESTIONS = ["what is in the image ?", "where is it ?"];
const MAX_TOKENS = 24;

const [run, hf, out, ...given] = process.argv.slice(2);
await startBackend("cpu");
mkdirSync(out, { recursive: true });
const json = (path) => JSON.parse(readFileSync(path, "utf8"));
const recipe = json(join(run, "recipe.json"));
const model = await loadLlava(join(run, "model"));
const tokenizer = await readTokenizer(join(run, "model"));
const { decode } = recipe.data;
const processor = {
  ...parseImageProcessor(json(join(hf, "preprocessor_config.json"))),
  ...(decode && { decode }),
};
const imageToken = json(join(hf, "config.json")).image_token_index;
const template = findTemplate(Object.values(recipe.stages).at(-1).template, tokenizer);
const cases = [];
for (const [i, picture] of pictures().entries()) {
  const question = QUESTIONS[i % QUESTIONS.length];
  const background = decode?.background ?? null;
  cases.push({ picture, question, background, ...(await caseOf(i, picture, question)) });
}
writeFileSync(join(out, "cases.json"), JSON.stringify(cases, null, 2));

/** Those given, else PNG files of golden/images. */
function pictures() {
  if (given.length > 0) return given;
  const folder = join(root, "golden", "images");
  return readdirSync(folder)
    .filter((name) => name.endsWith(".png"))
    .map((name) => join(folder, name));
}

async function caseOf(index, picture, question) {
  const { images, tiles } = await openPicture(picture, processor);
  const batch = toImageBatch(images, processor);
  const sample = {
    id: picture,
    images: [picture],
    conversations: [{ from: "human", value: `<image>\n${question}` }],
    metadata: {},
  };
  const visual = embed(batch, tiles);
  const tokens = encodePrompt(template, tokenizer, sample);
  const packed = packSamples([tokens], [[visual.shape[0]]], { requireLabels: false });
  const logits = logitsOf(packed, visual);
  const ids = packed.ids.map((id) => (id < 0 ? imageToken : id));
  const { text, ids: answer } = await generateText(
    model.language,
    { packed, visual },
    {
      maxTokens: MAX_TOKENS,
      endOfSequence: answerEndToken(template, tokenizer),
      decode: (list) => tokenizer.decode(list),
    },
  );
  const [fitted] = images;
  const pixels = channelsFirst(batch);
  const size = tiles && Int32Array.of(tiles.original.height, tiles.original.width);
  await writeSafetensors(join(out, `${index}.safetensors`), [
    { name: "input_ids", shape: [1, ids.length], values: Int32Array.from(ids) },
    { name: "pixel_values", ...pixels, shape: tiles ? [1, ...pixels.shape] : pixels.shape },
    ...(size ? [{ name: "image_sizes", shape: [1, 2], values: size }] : []),
    { name: "fitted", shape: [fitted.height, fitted.width, 3], values: Int32Array.from(fitted.pixels) },
    { name: "visual", shape: visual.shape, values: visual.dataSync() },
    { name: "logits", shape: logits.shape, values: logits.dataSync() },
  ]);
  const ends = { begin: "", image: "<image>" };
  const prompt = template
    .segments(sample)
    .map((segment) => (segment.kind === "text" ? segment.text : (ends[segment.kind] ?? "")))
    .join("");
  visual.dispose();
  logits.dispose();
  return { prompt, answer: text, answerIds: [...answer] };
}

function embed({ pixels, shape }, tiles) {
  const { vision, projector } = model;
  return tf.tidy(() => {
    const features = vision.encode(tf.tensor4d(pixels, shape));
    const seen = { rows: features.offsets[1], grid: features.grids[0], tiles };
    const rows = rowsAfter(seen, (...own) => projector.gridAfter(...own));
    return projectBatch(features, { arrangement: arrangementOf([rows]) ?? undefined }, projector).rows;
  });
}

function logitsOf(packed, visual) {
  return tf.tidy(() => {
    const { hidden } = model.language.forward({ packed, visual });
    const { weight, softcap } = model.language.head;
    const plain = tf.matMul(hidden, weight, false, true);
    return softcap === 0 ? plain : tf.mul(tf.tanh(tf.div(plain, softcap)), softcap);
  });
}

function channelsFirst({ pixels, shape: [count, height, width, channels] }) {
  const area = height * width;
  const values = new Float32Array(pixels.length);
  for (let i = 0; i < pixels.length; i++) {
    const place = Math.floor(i / channels);
    const image = Math.floor(place / area);
    values[(image * channels + (i % channels)) * area + (place % area)] = pixels[i];
  }
  return { shape: [count, channels, height, width], values };
}
