import type { Arguments } from "./arguments.js";
import type { Work } from "./work.js";

/**
 * Type of a kernel's parameter. Pointers are to the first element of a tensor, or of an array from the host: `pointer` to four
 * bytes each; `activation` to what the program calls `Stored`, float32 or bfloat16, in all of them alike; `stored` to elements
 * that are kept as this one program is compiled for.
 */
export type ParameterType = PointerType | "i32" | "u32" | "i64" | "f32";

/** A type of pointer: see {@link ParameterType}. */
export type PointerType = "pointer" | "activation" | "stored";

/** One kernel of a CUDA source, with what is fixed when it is compiled. */
export interface Program<Params extends Parameters = Parameters> {
  /** Names the kernel, and the variant where it has several. Two programs of one name are the same. */
  readonly name: string;
  /** Text of the `.cu` file. It may include the shared headers by name: `#include "reduce.cuh"`. */
  readonly source: string;
  /** The `extern "C" __global__` function. */
  readonly entry: string;
  /** `-DNAME=VALUE`: one source, several kernels. */
  readonly defines?: Readonly<Record<string, number | string>>;
  /** Parameters in the order of the kernel's. */
  readonly params: Params;
  /** Threads of a block along x, y, z. */
  readonly block: number | readonly [number, number?, number?];
  /** Oldest architecture that it compiles for: 80 for sm_80. Default: every one that the backend starts on. */
  readonly oldest?: number;
  /** Bytes of dynamic shared memory, unless the dispatch says otherwise. */
  readonly sharedBytes?: number;
  /**
   * What a launch does, as the kernel's source says it: for rooflines.
   *
   * @param args - Of the launch.
   * @param grid - Its blocks along x, y and z.
   */
  work(args: Arguments<Params>, grid: readonly [number, number, number]): Work;
}

/** What is compiled and loaded of a program, whatever the names of its parameters. */
export type KernelProgram = Omit<Program, "work">;

/** Names and types, in order. */
export type Parameters = Readonly<Record<string, ParameterType>>;

/** Infers the names of a {@link Program}. */
export function defineProgram<const Params extends Parameters>(program: Program<Params>): Program<Params> {
  return program;
}

/** Whether two programs of one name are the same kernel. */
export function sameProgram(a: KernelProgram, b: KernelProgram): boolean {
  return (
    a === b ||
    (a.entry === b.entry &&
      a.source === b.source &&
      JSON.stringify([a.defines, a.params, a.block, a.sharedBytes]) ===
        JSON.stringify([b.defines, b.params, b.block, b.sharedBytes]))
  );
}
