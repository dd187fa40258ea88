import type { Parameter } from "@basic-mllm/core";

import type { LazyTensor } from "./safetensors-write.js";

/**
 * Parameters as tensors to be written: each is read from the device when its turn comes.
 *
 * @param nameOf - From a parameter's name to that in the file.
 */
export function tensorsOf(
  parameters: Iterable<Parameter>,
  nameOf: (name: string) => string = (name) => name,
): LazyTensor[] {
  return [...parameters].map((parameter) => ({
    name: nameOf(parameter.name),
    shape: parameter.shape,
    values: () => parameter.floats(),
  }));
}
