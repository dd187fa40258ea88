import * as tf from "@tensorflow/tfjs-core";

import {
  type DecoderBlockAttrs,
  type DecoderBlockMatrix,
  type DecoderBlockStorage,
  decoderBlock,
} from "../../kernels/decoder-block.js";
import { hasKernel, runKernel } from "../../kernels/run.js";
import type { AttentionRows, LayerCache } from "../../layers/attention.js";
import type { Builder } from "../../layers/builder.js";
import type { Linear } from "../../layers/linear.js";
import type { RmsNorm } from "../../layers/norm.js";
import type { DecoderConfig } from "./config.js";

const places: Readonly<Record<DecoderBlockMatrix, string>> = {
  query: "self_attn.q_proj",
  key: "self_attn.k_proj",
  value: "self_attn.v_proj",
  output: "self_attn.o_proj",
  gate: "mlp.gate_proj",
  up: "mlp.up_proj",
  down: "mlp.down_proj",
};
const matrices = Object.keys(places) as DecoderBlockMatrix[];

type Linears = Readonly<Record<DecoderBlockMatrix, Linear>>;

/** What does not change from call to call: it is built once, as a call happens for every block and token. */
type FixedAttrs = Omit<
  DecoderBlockAttrs,
  "offsets" | "starts" | "positions" | "frequencies" | "rotaryScale" | "window"
>;

/** A block as one kernel call, for generation: the same values as its parts give. */
export class FusedBlock {
  readonly #linears: Linears;
  readonly #all: readonly Linear[];
  readonly #norms: readonly [RmsNorm, RmsNorm];
  readonly #attrs: FixedAttrs;

  private constructor(linears: Linears, norms: readonly [RmsNorm, RmsNorm], config: DecoderConfig) {
    this.#linears = linears;
    this.#all = Object.values(linears);
    this.#norms = norms;
    this.#attrs = {
      ...storagesOf(linears),
      heads: config.heads,
      kvHeads: config.keyValueHeads,
      headWidth: config.headWidth,
      inner: config.inner,
      activation: config.activation,
      scale: config.attentionScale,
      softcap: config.attentionSoftcap,
      epsilon: config.normEpsilon,
      addOne: config.normAddOne,
    };
  }

  /** Null where the block has something that the kernel has not: biases, norms of heads or after the parts. */
  static of(builder: Builder, config: DecoderConfig, norms: readonly [RmsNorm, RmsNorm]): FusedBlock | null {
    const { inputBias, outputBias, mlpBias, headNorm, sandwichNorms } = config;
    if (inputBias || outputBias || mlpBias || headNorm || sandwichNorms) return null;
    const linears = {} as Record<DecoderBlockMatrix, Linear>;
    for (const matrix of matrices) {
      const linear = builder.linears.get(builder.prefix + places[matrix]);
      if (linear === undefined) return null;
      linears[matrix] = linear;
    }
    return new FusedBlock(linears, norms, config);
  }

  /** @returns `[R, D]`; undefined where the parts have to run by themselves: a tape records, there are adapters, or the backend lacks the kernel. */
  run(x: tf.Tensor2D, rows: AttentionRows, cache: LayerCache): tf.Tensor2D | undefined {
    const { rotary, queryOffsets: offsets, window } = rows;
    if (rotary === undefined || tf.engine().state.gradientDepth > 0) return undefined;
    if (!hasKernel(decoderBlock) || this.#all.some(({ adapter }) => adapter !== null)) return undefined;
    const { kvHeads, headWidth } = this.#attrs;
    const { keys, values } = cache.buffers(kvHeads * headWidth);
    const { query, key, value, output, gate, up, down } = this.#linears;
    const inputs = {
      x,
      keys,
      values,
      attentionNorm: this.#norms[0].weight.value,
      mlpNorm: this.#norms[1].weight.value,
      query: query.weight.value,
      key: key.weight.value,
      value: value.weight.value,
      output: output.weight.value,
      gate: gate.weight.value,
      up: up.weight.value,
      down: down.weight.value,
    };
    const { positions, table } = rotary;
    const { frequencies, scale: rotaryScale } = table;
    const attrs: DecoderBlockAttrs = {
      ...this.#attrs,
      offsets,
      starts: cache.starts,
      positions,
      frequencies,
      rotaryScale,
      window,
    };
    const [y, newKeys, newValues] = runKernel(decoderBlock, inputs, attrs);
    cache.keep(newKeys as tf.Tensor3D, newValues as tf.Tensor3D);
    return y as tf.Tensor2D;
  }
}

function storagesOf({ query, key, value, output, gate, up, down }: Linears): DecoderBlockStorage {
  return {
    queryStorage: query.weight.storage,
    keyStorage: key.weight.storage,
    valueStorage: value.weight.storage,
    outputStorage: output.weight.storage,
    gateStorage: gate.weight.storage,
    upStorage: up.weight.storage,
    downStorage: down.weight.storage,
  };
}
