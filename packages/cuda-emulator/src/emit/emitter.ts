import type { Instruction, Operand } from "../ptx/syntax.js";
import { isType, type ScalarType } from "../ptx/types.js";
import type { Scope } from "./scope.js";

/** Writes an instruction as C++ statements. */
export type Emitter = (instruction: Instruction, scope: Scope) => string;

/** Emitters by opcode. */
export type Family = Readonly<Record<string, Emitter>>;

/** An instruction as PTX writes it. */
export function textOf({ opcode, modifiers }: Instruction): string {
  return [opcode, ...modifiers].join(".");
}

/** Fails: the emulator does not know the instruction, or not in this form. */
export function unsupported(instruction: Instruction, scope: Scope): never {
  return scope.fail(`the emulator does not support "${textOf(instruction)}"`);
}

/** The modifiers of an instruction, each of which must be known. */
export class Modifiers {
  readonly types: readonly ScalarType[];
  readonly #given: ReadonlySet<string>;
  readonly #instruction: Instruction;
  readonly #scope: Scope;

  constructor(instruction: Instruction, scope: Scope, known: readonly string[]) {
    const others = instruction.modifiers.filter((word) => !isType(word));
    if (others.some((word) => !known.includes(word))) unsupported(instruction, scope);
    this.types = instruction.modifiers.filter(isType);
    this.#given = new Set(others);
    this.#instruction = instruction;
    this.#scope = scope;
  }

  has(word: string): boolean {
    return this.#given.has(word);
  }

  /** The one of `words` that is given. */
  one<Word extends string>(words: readonly Word[]): Word | undefined {
    return words.find((word) => this.#given.has(word));
  }

  /** The last type, which is the instruction's own where there is one. */
  get type(): ScalarType {
    return this.types.at(-1) ?? unsupported(this.#instruction, this.#scope);
  }

  /** As {@link type}, which must be one of `types`. */
  typeIn(types: readonly ScalarType[]): ScalarType {
    const { type } = this;
    return types.includes(type) ? type : unsupported(this.#instruction, this.#scope);
  }
}

/** Operand `index`, which must exist. */
export function operand(instruction: Instruction, index: number, scope: Scope): Operand {
  return instruction.operands[index] ?? scope.fail(`"${textOf(instruction)}" lacks its operand ${index + 1}`);
}

/** The operands from `from` on, read with one type each. */
export function values(
  instruction: Instruction,
  scope: Scope,
  types: readonly ScalarType[],
  from = 1,
): readonly string[] {
  return types.map((type, index) => scope.value(operand(instruction, from + index, scope), type));
}

export const INTEGERS: readonly ScalarType[] = ["u16", "s16", "u32", "s32", "u64", "s64"];
export const BITS: readonly ScalarType[] = ["b16", "b32", "b64"];
export const FLOATS: readonly ScalarType[] = ["f32", "f64"];
export const HALVES: readonly ScalarType[] = ["f16", "bf16", "f16x2", "bf16x2"];
export const ROUNDINGS = ["rn", "rz", "rm", "rp"] as const;
