import { defineLanguageModel, detach, Parameter, ParameterSet } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

/** One block that looks at each row by itself: x + relu(x · W). It learns which token follows which. */
export const createPairs = ({ random, options: { vocabularySize = 1000, width = 64 } }) => {
  const parameters = new ParameterSet();
  const add = (name, shape, deviation) =>
    parameters.add(
      new Parameter(name, random.fillNormal(new Float32Array(shape[0] * shape[1]), deviation), shape),
    );
  const table = add("table", [vocabularySize, width], 0.1);
  const weight = add("weight", [width, width], width ** -0.5);
  return {
    depth: 1,
    width,
    vocabularySize,
    parameters,
    // The optimizer may replace a tensor: read `value` each time.
    get vocabulary() {
      return table.value;
    },
    get head() {
      return { weight: table.value, trainable: table.trainable, softcap: 0 };
    },
    forward: ({ packed, visual, cache }, observe) => {
      cache?.see(packed.offsets);
      const { blocks, ...rest } = tf.tidy(() => {
        // Visual row n is the id -1 - n: it stands behind the rows of the table here.
        const rows = visual === null ? table.value : tf.concat([table.value, visual]);
        const places = packed.ids.map((id) => (id < 0 ? vocabularySize - 1 - id : id));
        const x = tf.gather(rows, tf.tensor1d(places, "int32"));
        const hidden = tf.add(x, tf.relu(tf.matMul(x, weight.value)));
        return { hidden, ...observed([x, hidden], packed, observe) };
      });
      // tidy keeps tensors of a list, not those of a Map.
      return { ...rest, blocks: new Map(blocks) };
    },
    createCache,
  };
};

/** No row looks at those before it: counting them is all that there is to keep. */
function createCache(samples = 1) {
  const lengths = new Array(samples).fill(0);
  return {
    lengths,
    get length() {
      return lengths[0];
    },
    see: (offsets) => {
      for (let s = 0; s < samples; s++) lengths[s] += offsets[s + 1] - offsets[s];
    },
    truncate: (length, sample = 0) => {
      lengths[sample] = length;
    },
    dispose: () => lengths.fill(0),
  };
}

/** The visual rows before and after the block. */
function observed(states, { images }, observe) {
  const places = images.flatMap(({ start, length }) => Array.from({ length }, (_, i) => start + i));
  if (observe === undefined || places.length === 0) return { blocks: [] };
  const at = (block) => tf.gather(states[block], tf.tensor1d(places, "int32"));
  const blocks = (observe.blocks ?? []).map((block) => [block, at(block)]);
  const [first = 0] = observe.layerWeights;
  const refined = tf.mul(at(1), first);
  return {
    blocks,
    refined: observe.stopGradient ? detach(refined) : refined,
    // There is no attention that says which patches matter: all do.
    patchWeights: tf.ones([places.length]),
  };
}

defineLanguageModel("pairs", createPairs);
