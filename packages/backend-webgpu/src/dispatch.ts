import type * as tf from "@tensorflow/tfjs-core";

/** Part of a tensor's elements: `offset` must be on a multiple of 64, since bindings start at 256 bytes. */
export interface Part {
  readonly tensor: tf.TensorInfo;
  readonly offset: number;
  readonly length: number;
}

/** Values that stay on the host until a kernel binds them, such as offsets. */
export type HostArray = Int32Array | Uint32Array | Float32Array;

/** What a shader array can be bound to. */
export type Bindable = tf.TensorInfo | Part | HostArray;

/** One run of a program. */
export interface Dispatch<Read extends string, Write extends string, Uniform extends string> {
  readonly reads: Readonly<Record<Read, Bindable>>;
  readonly writes: Readonly<Record<Write, tf.TensorInfo | Part>>;
  readonly uniforms: Readonly<Record<Uniform, number>>;
  /** Workgroups along x, y, z. None along one of them: nothing runs. */
  readonly workgroups: readonly [number, number?, number?];
}

/** The tensor that an array of a shader is, or is part of. */
export function tensorOf(value: tf.TensorInfo | Part): tf.TensorInfo {
  return "tensor" in value ? value.tensor : value;
}
