import type { LazyTensor } from "./safetensors-write.js";

/**
 * Gives table and head of a language model more rows; other tensors stay. New rows are the mean of those that were there,
 * so that the logit of a new token is a mean of logits, never the largest.
 *
 * @param rows - At least as many as there are.
 */
export function growRows(tensor: LazyTensor, rows: number): LazyTensor {
  const { name, shape } = tensor;
  const [count = 0, width = 0] = shape;
  if (!/(^|\.)(embed_tokens|lm_head)\.weight$/.test(name) || count >= rows) return tensor;
  return { name, shape: [rows, width], values: async () => grown(await tensor.values(), count, rows) };
}

function grown(old: Float32Array, count: number, rows: number): Float32Array {
  const width = old.length / count;
  const mean = new Float64Array(width);
  for (const [i, value] of old.entries()) mean[i % width] = (mean[i % width] ?? 0) + value / count;
  const values = new Float32Array(rows * width);
  values.set(old);
  for (let row = count; row < rows; row++) values.set(mean, row * width);
  return values;
}
