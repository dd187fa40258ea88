import { implementKernel, rmsNorm } from "@basic-mllm/core";
import { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";

/** Name in tfjs's registry; recipes say `tfjs:mycpu`. No `_`: tfjs splits its keys there. */
export const MY_BACKEND = "mycpu";

/** A device of our own would keep its buffers here. This one keeps them where the stock backend does. */
class MyBackend extends MathBackendCPU {
  /** Kernel calls so far, to show that our body runs. */
  calls = 0;

  /** The values of a tensor, not a copy. */
  values(tensor: tf.TensorInfo): Float32Array {
    return this.data.get(tensor.dataId).values as Float32Array;
  }
}

/** Registers the backend. Importing this file is enough: see the recipe. */
function registerMyBackend(): void {
  tf.registerBackend(MY_BACKEND, () => new MyBackend());
  // All stock ops of tfjs, as they are.
  tf.copyRegisteredKernels("cpu", MY_BACKEND);
  // One contract of basic-mllm with a body of our own. The gradient, the shapes and the checks belong to the contract.
  implementKernel<"x" | "weight", { epsilon: number; addOne: boolean }, MyBackend>({
    contract: rmsNorm,
    backend: MY_BACKEND,
    run: ({ inputs, attrs, backend }) => {
      backend.calls++;
      const { y, inverse } = normalise(backend.values(inputs.x), backend.values(inputs.weight), attrs);
      return [
        backend.makeTensorInfo(inputs.x.shape, "float32", y),
        backend.makeTensorInfo(inputs.x.shape.slice(0, 1), "float32", inverse),
      ];
    },
  });
}

/** `y = x · inverse · weight`, `inverse = 1 / √(mean(x²) + epsilon)` for each row. */
function normalise(
  x: Float32Array,
  weight: Float32Array,
  { epsilon, addOne }: { readonly epsilon: number; readonly addOne: boolean },
) {
  const width = weight.length;
  const y = new Float32Array(x.length);
  const inverse = new Float32Array(x.length / width);
  for (let row = 0; row < inverse.length; row++) {
    const values = x.subarray(row * width, (row + 1) * width);
    const squares = values.reduce((sum, value) => sum + value * value, 0);
    const scale = 1 / Math.sqrt(squares / width + epsilon);
    inverse[row] = scale;
    y.set(
      values.map((value, d) => value * scale * ((weight[d] as number) + (addOne ? 1 : 0))),
      row * width,
    );
  }
  return { y, inverse };
}

/** How often a body of ours has run. */
export function ownKernelCalls(): number {
  return (tf.backend() as MyBackend).calls;
}

registerMyBackend();
