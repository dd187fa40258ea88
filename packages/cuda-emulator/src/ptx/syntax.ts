import type { ScalarType } from "./types.js";

/** What an instruction works on. */
export type Operand =
  /** A register, a special register or a symbol. */
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "number"; readonly text: string }
  /** `!%p1` */
  | { readonly kind: "not"; readonly name: string }
  /** `[base + offset]` */
  | { readonly kind: "address"; readonly base: Operand; readonly offset: bigint }
  /** `{a, b}` */
  | { readonly kind: "vector"; readonly elements: readonly Operand[] }
  /** `%p1|%p2` */
  | { readonly kind: "pair"; readonly first: Operand; readonly second: Operand }
  /** `(a, b)` of a call */
  | { readonly kind: "list"; readonly elements: readonly Operand[] };

/** `@%p1 opcode.modifiers operands;` */
export interface Instruction {
  readonly kind: "instruction";
  readonly line: number;
  readonly guard?: { readonly register: string; readonly negated: boolean };
  readonly opcode: string;
  readonly modifiers: readonly string[];
  readonly operands: readonly Operand[];
}

/** Memory that a program names. */
export type Space = "global" | "shared" | "const" | "local" | "param";

/** A variable of a memory space. */
export interface Variable {
  readonly kind: "variable";
  readonly line: number;
  readonly space: Space;
  readonly type: ScalarType;
  readonly name: string;
  readonly align: number;
  /** Elements; 0 for `name[]`, whose size the launch gives. */
  readonly count: number;
  readonly external: boolean;
  /** Numbers as they are written. */
  readonly values: readonly string[];
}

/** `.reg .b32 %r<12>;` */
export interface Registers {
  readonly kind: "registers";
  readonly line: number;
  readonly type: ScalarType;
  readonly names: readonly string[];
}

/** A statement of a body. */
export type Statement =
  | Instruction
  | Variable
  | Registers
  | { readonly kind: "label"; readonly line: number; readonly name: string }
  | { readonly kind: "open" | "close"; readonly line: number };

/** A kernel or a function. */
export interface Routine {
  readonly line: number;
  readonly name: string;
  /** Whether a launch can start it. */
  readonly entry: boolean;
  readonly results: readonly Variable[];
  readonly parameters: readonly Variable[];
  /** Most threads of a block. */
  readonly maxThreads: number;
  /** Undefined for a declaration. */
  readonly body: readonly Statement[] | undefined;
}

/** A PTX text. */
export interface Module {
  readonly variables: readonly Variable[];
  readonly routines: readonly Routine[];
}
