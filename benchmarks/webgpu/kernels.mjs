// One kernel case on the backend that runs: its forward pass, and where it has one the gradient of its sum.
import { allContracts, runKernel, valueAndGradients } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

/** The contract of a case. */
export function contractOf({ kernel }) {
  const contract = allContracts.find(({ name }) => name === kernel);
  if (contract === undefined) throw new Error(`There is no kernel contract "${kernel}".`);
  return contract;
}

/** What is differentiated. */
export function parametersOf(chosen) {
  return chosen.parameters ?? contractOf(chosen).differentiable;
}

/** Values that are cheap to make, the same everywhere. */
function tensorOf({ shape, scale = 1, positive = false, values }, seed) {
  if (values !== undefined)
    return tf.tensor(values, shape, values instanceof Int32Array ? "int32" : "float32");
  let state = seed + 1;
  const drawn = new Float32Array(shape.reduce((product, size) => product * size, 1));
  for (let i = 0; i < drawn.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    const value = (scale * state) / 2 ** 31;
    drawn[i] = positive ? Math.abs(value) + 0.01 : value;
  }
  return tf.tensor(drawn, shape);
}

/** @returns `inputs`: tensors; `run` by mode: gives the tensors of the result, the first of which is compared. */
export function openKernel(chosen) {
  const contract = contractOf(chosen);
  const entries = Object.entries(chosen.inputs).map(([name, spec], i) => [name, tensorOf(spec, i)]);
  const inputs = Object.fromEntries(entries);
  const call = () => runKernel(contract, inputs, chosen.attrs);
  const loss = () => {
    const outputs = call();
    return chosen.results.map((i) => tf.sum(outputs[i])).reduce((sum, term) => tf.add(sum, term));
  };
  const parameters = parametersOf(chosen).map((name) => inputs[name]);
  return {
    inputs: Object.values(inputs),
    run: {
      forward: () => [...call()],
      "forward + gradient": () => {
        const { value, gradients } = valueAndGradients(loss, parameters);
        return [...gradients, value];
      },
    },
  };
}

const bytesOf = (shape) => 4 * shape.reduce((product, size) => product * size, 1);
const sum = (values) => values.reduce((total, value) => total + value, 0);

/**
 * Bytes that a pass has to read and to write, from the shapes: each input and output once; for the gradient also the
 * outputs' gradients and what the contract saves, and the gradients.
 */
export function trafficOf(chosen, mode) {
  const contract = contractOf(chosen);
  const shapes = Object.fromEntries(Object.entries(chosen.inputs).map(([name, { shape }]) => [name, shape]));
  const outputs = contract.infer(shapes, chosen.attrs);
  const forward = {
    read: chosen.readBytes ?? sum(Object.values(shapes).map(bytesOf)),
    written: chosen.writtenBytes ?? sum(outputs.map(bytesOf)),
  };
  if (mode === "forward") return forward;
  const gathers = chosen.readBytes !== undefined;
  const saved = [
    ...(gathers ? [] : contract.save.inputs.map((name) => shapes[name])),
    ...outputs.filter((_, i) => contract.save.outputs[i]),
  ];
  const dys = chosen.results.map((i) => outputs[i]);
  return {
    read: forward.read + sum([...saved, ...dys].map(bytesOf)),
    written: forward.written + sum(parametersOf(chosen).map((name) => bytesOf(shapes[name]))),
  };
}
