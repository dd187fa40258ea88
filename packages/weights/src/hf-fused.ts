import type { DecoderConfig, ValueSource } from "@basic-mllm/core";

import type { NamedTensor } from "./safetensors.js";

/** Matrices of Phi 3's checkpoints, and ours whose rows follow each other in them. */
const fused: Readonly<Record<string, readonly string[]>> = {
  "self_attn.qkv_proj": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
  "mlp.gate_up_proj": ["mlp.gate_proj", "mlp.up_proj"],
};

/** Values of our matrices out of a source that holds fused ones. */
export function splitFused(source: ValueSource, config: DecoderConfig): ValueSource {
  const { heads, keyValueHeads, headWidth, inner } = config;
  const rows: Readonly<Record<string, readonly number[]>> = {
    "self_attn.qkv_proj": [heads, keyValueHeads, keyValueHeads].map((count) => count * headWidth),
    "mlp.gate_up_proj": [inner, inner],
  };
  // The parts of a matrix are asked for one after the other.
  let last: { name: string; values: Float32Array } = { name: "", values: new Float32Array() };
  return (name, shape, role) => {
    const found = partOf(name);
    if (found === undefined) return source(name, shape, role);
    const counts = rows[found.matrix] as readonly number[];
    const sum = (list: readonly number[]) => list.reduce((total, count) => total + count, 0);
    const rest = shape.slice(1);
    if (last.name !== found.name) {
      last = { name: found.name, values: source(found.name, [sum(counts), ...rest], role) };
    }
    const width = rest.reduce((size, dimension) => size * dimension, 1);
    const start = sum(counts.slice(0, found.index));
    return last.values.slice(start * width, (start + (counts[found.index] as number)) * width);
  };
}

interface Part {
  /** Key of {@link fused}. */
  readonly matrix: string;
  /** The checkpoint's tensor. */
  readonly name: string;
  /** Which of its parts. */
  readonly index: number;
}

function partOf(name: string): Part | undefined {
  for (const [matrix, parts] of Object.entries(fused)) {
    const index = parts.findIndex((part) => name.includes(`.${part}.`));
    if (index >= 0) return { matrix, index, name: name.replace(parts[index] as string, matrix) };
  }
  return undefined;
}

/** Puts our matrices together as Phi 3's checkpoints hold them; other tensors stay. */
export function fuseProducts(tensors: readonly NamedTensor[]): NamedTensor[] {
  const groups = new Map<string, NamedTensor[]>();
  for (const tensor of tensors) {
    const name = partOf(tensor.name)?.name ?? tensor.name;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [tensor]);
    else group.push(tensor);
  }
  return [...groups].map(([name, parts]) => joined(name, parts));
}

function joined(name: string, parts: readonly NamedTensor[]): NamedTensor {
  const [first] = parts as [NamedTensor];
  if (parts.length === 1) return { ...first, name };
  const values = new Float32Array(parts.reduce((size, part) => size + part.values.length, 0));
  let start = 0;
  for (const part of parts) {
    values.set(part.values, start);
    start += part.values.length;
  }
  const rows = parts.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
  return { name, shape: [rows, ...first.shape.slice(1)], values };
}
