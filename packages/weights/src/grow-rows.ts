import type { NamedTensor } from "./safetensors.js";

/**
 * Gives table and head of a language model more rows; other tensors stay. New rows are the mean of those that were there,
 * so that the logit of a new token is a mean of logits, never the largest.
 *
 * @param rows - At least as many as there are.
 */
export function growRows(tensor: NamedTensor, rows: number): NamedTensor {
  const [count = 0, width = 0] = tensor.shape;
  if (!/(^|\.)(embed_tokens|lm_head)\.weight$/.test(tensor.name) || count >= rows) return tensor;
  const mean = new Float64Array(width);
  for (const [i, value] of tensor.values.entries()) mean[i % width] = (mean[i % width] ?? 0) + value / count;
  const values = new Float32Array(rows * width);
  values.set(tensor.values);
  for (let row = count; row < rows; row++) values.set(mean, row * width);
  return { name: tensor.name, shape: [rows, width], values };
}
