import type { DecoderConfig } from "@basic-mllm/core";

import type { PlaceOf } from "./places.js";
import type { LazyTensor } from "./safetensors-write.js";

/** Matrices of Phi 3's checkpoints, and ours whose rows follow each other in them. */
const fused: Readonly<Record<string, readonly string[]>> = {
  "self_attn.qkv_proj": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
  "mlp.gate_up_proj": ["mlp.gate_proj", "mlp.up_proj"],
};

/** Where our matrices lie in a checkpoint that holds fused ones. */
export function fusedPlaces(place: PlaceOf, config: DecoderConfig): PlaceOf {
  const { heads, keyValueHeads, headWidth, inner } = config;
  const rows: Readonly<Record<string, readonly number[]>> = {
    "self_attn.qkv_proj": [heads, keyValueHeads, keyValueHeads].map((count) => count * headWidth),
    "mlp.gate_up_proj": [inner, inner],
  };
  return (name, shape) => {
    const found = partOf(name);
    if (found === undefined) return place(name, shape);
    const counts = rows[found.matrix] as readonly number[];
    const sum = (list: readonly number[]) => list.reduce((total, count) => total + count, 0);
    const whole = place(found.name, [sum(counts), ...shape.slice(1)]);
    return { ...whole, firstRow: sum(counts.slice(0, found.index)), rows: counts[found.index] as number };
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
export function fuseProducts(tensors: readonly LazyTensor[]): LazyTensor[] {
  const groups = new Map<string, LazyTensor[]>();
  for (const tensor of tensors) {
    const name = partOf(tensor.name)?.name ?? tensor.name;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [tensor]);
    else group.push(tensor);
  }
  return [...groups].map(([name, parts]) => joined(name, parts));
}

function joined(name: string, parts: readonly LazyTensor[]): LazyTensor {
  const [first] = parts as [LazyTensor];
  if (parts.length === 1) return { ...first, name };
  const rows = parts.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
  const shape = [rows, ...first.shape.slice(1)];
  return { name, shape, values: () => joinedValues(parts, shape) };
}

async function joinedValues(parts: readonly LazyTensor[], shape: readonly number[]): Promise<Float32Array> {
  const values = new Float32Array(shape.reduce((size, dimension) => size * dimension, 1));
  let start = 0;
  for (const part of parts) {
    const own = await part.values();
    values.set(own, start);
    start += own.length;
  }
  return values;
}
