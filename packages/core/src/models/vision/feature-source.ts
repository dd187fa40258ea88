import * as tf from "@tensorflow/tfjs-core";

import type { ParameterSet } from "../../parameters.js";
import type { FeatureSource, HostVisualRows, ImageBatch, VisionEncoder } from "../interfaces.js";

/**
 * Uses a frozen encoder as a source of features, outside the tape.
 *
 * The id is made of `name`, a hash of all weights as they are now, and the precision of the backend's products: make a new
 * source after training the encoder.
 *
 * @param name - What else decides the features: layer, selection, preprocessing.
 */
export async function createFeatureSource(encoder: VisionEncoder, name: string): Promise<FeatureSource> {
  const id = `${name}-${await fingerprint(encoder.parameters)}${await roundingOfProducts()}`;
  const { width, imageSize } = encoder;
  return { id, width, imageSize, features: (images) => encodeOnHost(encoder, images) };
}

/** Exact in float32 only: bfloat16, half and TF32 each make another number of it. */
const EXACT = 1 + 2 ** -8 + 2 ** -9 + 2 ** -12;

/** What products make of their operands; empty where they keep them. */
async function roundingOfProducts(): Promise<string> {
  const product = tf.tidy(() => tf.matMul(tf.tensor2d([[EXACT]]), tf.tensor2d([[1]])));
  const [value] = await product.data<"float32">();
  product.dispose();
  return value === EXACT ? "" : `-products${value}`;
}

async function encodeOnHost(encoder: VisionEncoder, images: ImageBatch): Promise<HostVisualRows> {
  const pixels = tf.tensor4d(images.pixels, [...images.shape]);
  const { rows, offsets, grids } = encoder.encode(pixels);
  pixels.dispose();
  const values = (await rows.data<"float32">()).slice();
  rows.dispose();
  return { values, width: encoder.width, offsets, grids };
}

/** A 64-bit hash, in hexadecimal, of the names, shapes and values of all parameters. */
export async function fingerprint(parameters: ParameterSet): Promise<string> {
  let hash: readonly [number, number] = [0x811c9dc5, 0x9747b28c];
  for (const parameter of parameters) {
    const text = `${parameter.name}[${parameter.shape}]`;
    hash = mix(
      hash,
      Uint32Array.from(text, (letter) => letter.charCodeAt(0)),
    );
    const values = await parameter.value.data<"float32">();
    hash = mix(hash, new Uint32Array(values.buffer, values.byteOffset, values.length));
  }
  return hash.map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
}

/** Two multiplicative hashes with different multipliers. */
function mix([a, b]: readonly [number, number], words: Uint32Array): readonly [number, number] {
  let first = a;
  let second = b;
  for (const word of words) {
    first = Math.imul(first ^ word, 0x01000193);
    first ^= first >>> 15;
    second = Math.imul(second + word, 0x85ebca6b);
    second ^= second >>> 13;
  }
  return [first, second];
}
