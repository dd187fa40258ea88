import * as tf from "@tensorflow/tfjs-core";

/** What a stock gradient gets: the output gradients, the saved tensors in order and the kernel's attributes. */
export interface StockCall {
  /** Gradient of the first output. */
  readonly dy: tf.Tensor;
  /** Gradients of all outputs. */
  readonly dys: readonly tf.Tensor[];
  readonly saved: readonly tf.Tensor[];
  readonly attrs: Readonly<Record<string, unknown>>;
}

/** The gradient of one stock tfjs kernel. Every result is a new tensor, never `dy` itself. */
export interface StockGradient {
  readonly kernel: string;
  /** Inputs to save by name, or all of a kernel that takes a list. Shapes are read from them, too. */
  readonly save?: readonly string[] | "all";
  readonly saveOutput?: boolean;
  readonly gradients: (call: StockCall) => Readonly<Record<string, () => tf.Tensor>>;
}

/** Sums over the axes along which an input of `shape` was broadcast. */
export function reduceTo(gradient: tf.Tensor, shape: readonly number[]): tf.Tensor {
  const axes = tf.broadcast_util.getReductionAxes([...shape], gradient.shape);
  const sum = axes.length > 0 ? tf.sum(gradient, axes) : gradient;
  return tf.reshape(sum, [...shape]);
}

/** The mask as 0 and 1. */
export function asNumbers(mask: tf.Tensor): tf.Tensor {
  return tf.cast(mask, "float32");
}

/** `gradient` where the mask holds, else 0: unlike a product, also where the gradient is infinite. */
export function keepWhere(mask: tf.Tensor, gradient: tf.Tensor): tf.Tensor {
  return tf.where(mask, gradient, tf.zerosLike(gradient));
}

/** A kernel with one input `x`, whose gradient reads that input. */
export function fromInput(
  kernel: string,
  gradient: (dy: tf.Tensor, x: tf.Tensor, attrs: StockCall["attrs"]) => tf.Tensor,
  input = "x",
): StockGradient {
  return {
    kernel,
    save: [input],
    gradients: ({ dy, saved: [x], attrs }) => ({ [input]: () => gradient(dy, x as tf.Tensor, attrs) }),
  };
}

/** A kernel with one input, whose gradient reads the output. */
export function fromOutput(
  kernel: string,
  gradient: (dy: tf.Tensor, y: tf.Tensor, attrs: StockCall["attrs"]) => tf.Tensor,
  input = "x",
): StockGradient {
  return {
    kernel,
    saveOutput: true,
    gradients: ({ dy, saved: [y], attrs }) => ({ [input]: () => gradient(dy, y as tf.Tensor, attrs) }),
  };
}

/** A kernel with inputs `a` and `b` that broadcast: the gradients have the broadcast shape. */
export function fromPair(
  kernel: string,
  gradientA: (dy: tf.Tensor, a: tf.Tensor, b: tf.Tensor) => tf.Tensor,
  gradientB: (dy: tf.Tensor, a: tf.Tensor, b: tf.Tensor) => tf.Tensor,
): StockGradient {
  return {
    kernel,
    save: ["a", "b"],
    gradients: ({ dy, saved }) => {
      const [a, b] = saved as [tf.Tensor, tf.Tensor];
      return {
        a: () => reduceTo(gradientA(dy, a, b), a.shape),
        b: () => reduceTo(gradientB(dy, a, b), b.shape),
      };
    },
  };
}
