/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Distance between neighbours along each axis of a row-major tensor. */
export function rowMajorStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis] as number;
  }
  return strides;
}

/** Strides of a tensor along the axes of a shape of `rank` that it is broadcast to: 0 where it repeats. */
export function broadcastStrides(shape: readonly number[], rank: number): number[] {
  const own = rowMajorStrides(shape).map((stride, axis) => (shape[axis] === 1 ? 0 : stride));
  return [...new Array<number>(rank - shape.length).fill(0), ...own];
}

/** A loop over one axis, or over several that lie one after the other in both operands. */
export interface Loop {
  readonly size: number;
  /** Elements between neighbours, in the first and in the second operand. */
  readonly strides: readonly [number, number];
}

/** Loops over a shape with the strides of two operands, outermost first: as few as there can be, but at least one. */
export function mergedLoops(
  sizes: readonly number[],
  first: readonly number[],
  second: readonly number[],
): Loop[] {
  const loops: Loop[] = [];
  for (let axis = sizes.length - 1; axis >= 0; axis--) {
    const size = sizes[axis] as number;
    if (size === 1) continue;
    const strides = [first[axis] as number, second[axis] as number] as const;
    const inner = loops[0];
    const continues =
      inner !== undefined &&
      strides.every((stride, i) => stride === inner.size * (inner.strides[i] as number));
    if (continues) loops[0] = { size: size * inner.size, strides: inner.strides };
    else loops.unshift({ size, strides });
  }
  return loops.length > 0 ? loops : [{ size: 1, strides: [1, 1] }];
}

/** Loops as kernels read them: `[rank, 3]` of size and both strides. */
export function loopTable(loops: readonly Loop[]): Int32Array {
  return Int32Array.from(loops.flatMap(({ size, strides }) => [size, ...strides]));
}
