import { defineProjector, Parameter, ParameterSet } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

/** One matrix without a bias. */
export const createScaledLinear = ({ features, width, random }) => {
  const parameters = new ParameterSet();
  const values = random.fillNormal(new Float32Array(width * features), features ** -0.5);
  const weight = parameters.add(new Parameter("weight", values, [width, features]));
  return {
    parameters,
    project: ({ rows, ...rest }) => ({ rows: tf.matMul(rows, weight.value, false, true), ...rest }),
    gridAfter: (grid, rows) => ({ grid, rows }),
  };
};

defineProjector("scaled-linear", createScaledLinear);
