import { PtxError } from "../ptx/ptx-error.js";
import type { Operand, Variable } from "../ptx/syntax.js";
import { bitsType, bytesOf, registerType, type ScalarType, valueType } from "../ptx/types.js";
import { floatLiteral, integerLiteral, isFloatLiteral } from "./literals.js";
import { SPECIAL_REGISTERS } from "./special-registers.js";

/** A register, by its name in C++. */
interface Register {
  readonly name: string;
  readonly type: ScalarType;
}

/** What is known about the program around an instruction. */
export interface Surroundings {
  /** Addresses of variables, as C++. */
  readonly symbols: ReadonlyMap<string, string>;
  /** Functions that can be called, by their PTX name. */
  readonly functions: ReadonlySet<string>;
}

/** A name that C++ accepts. */
export function identifier(name: string): string {
  return name.replace(/\W/g, "_");
}

/** The names of a routine while it is translated, and how operands are written in C++. */
export class Scope {
  readonly #surroundings: Surroundings;
  readonly #registers: Map<string, Register>[] = [new Map()];
  readonly #variables: Map<string, string>[] = [new Map()];
  readonly #declarations: string[] = [];
  #blocks = 0;
  /** Line of the instruction that is translated. */
  line = 0;
  /** Whether threads of a block wait for each other. */
  cooperative = false;
  /** Whether blocks may see what others wrote. */
  shares = false;
  /** Bytes of local memory. */
  localBytes = 0;

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
  }

  /** Declarations for the beginning of the routine. */
  get declarations(): readonly string[] {
    return this.#declarations;
  }

  open(): void {
    this.#registers.push(new Map());
    this.#variables.push(new Map());
    this.#blocks++;
  }

  close(): void {
    this.#registers.pop();
    this.#variables.pop();
  }

  declareRegisters(names: readonly string[], type: ScalarType): void {
    const prefix = this.#registers.length > 1 ? `b${this.#blocks}_` : "r_";
    for (const name of names) {
      const register = { name: prefix + identifier(name), type };
      this.#registers.at(-1)?.set(name, register);
      this.#declarations.push(`${registerType(type)} ${register.name} = 0;`);
    }
  }

  /** A variable of the thread: `.local` and the parameters of calls. */
  declareVariable({ name, type, count, align, space }: Variable): void {
    const bytes = bytesOf(type) * count;
    const variable = `v${this.#blocks}_${identifier(name)}`;
    if (space === "local") this.localBytes += bytes;
    this.#declarations.push(`alignas(${Math.max(align, 16)}) u8 ${variable}[${bytes}];`);
    this.bind(name, `(u64)${variable}`);
  }

  /** Gives a symbol of this block its address. */
  bind(name: string, address: string): void {
    this.#variables.at(-1)?.set(name, address);
  }

  /** Whether a function of that name can be called. */
  isFunction(name: string): boolean {
    return this.#surroundings.functions.has(name);
  }

  fail(what: string): never {
    throw new PtxError(what, this.line);
  }

  /** An operand's bits, as an unsigned C++ expression of the type's width. */
  bits(operand: Operand, type: ScalarType): string {
    if (operand.kind === "not") return `!${this.#register(operand.name).name}`;
    if (operand.kind === "number") {
      if (isFloatLiteral(operand.text)) return floatLiteral(operand.text, type);
      return `(${bitsType(type)})${integerLiteral(operand.text)}`;
    }
    if (operand.kind !== "name") return this.fail(`an operand of the kind "${operand.kind}" has no value`);
    const register = this.#find(this.#registers, operand.name);
    if (register !== undefined) return this.#bitsOf(register, type);
    const address = this.#symbol(operand.name);
    const special = address ?? SPECIAL_REGISTERS[operand.name];
    if (special === undefined) return this.fail(`unknown operand "${operand.name}"`);
    return `(${bitsType(type)})(${special})`;
  }

  /** An operand's value, as a C++ expression of {@link valueType}. */
  value(operand: Operand, type: ScalarType): string {
    if (type === "f32" || type === "f64") {
      const register = operand.kind === "name" ? this.#find(this.#registers, operand.name) : undefined;
      if (register?.type === type) return register.name;
      return `${type === "f32" ? "float_of" : "double_of"}(${this.bits(operand, type)})`;
    }
    return type === "pred" ? this.bits(operand, type) : `((${valueType(type)})${this.bits(operand, type)})`;
  }

  /** Writes a value of a type to a register. A narrow signed value is extended to the register's width. */
  assign(destination: Operand, type: ScalarType, value: string): string {
    if (destination.kind === "name" && destination.name === "_") return `(void)(${value});`;
    const { name, type: declared } = this.#destination(destination);
    if (declared === type) return `${name} = ${value};`;
    if (type === "f32" || type === "f64") return `${name} = (${bitsType(declared)})bits_of(${value});`;
    if (declared === "f32") return `${name} = float_of((u32)(${value}));`;
    if (declared === "f64") return `${name} = double_of((u64)(${value}));`;
    return `${name} = (${bitsType(declared)})(${valueType(type)})(${value});`;
  }

  /** The address of `[base + offset]`. */
  address(operand: Operand): string {
    if (operand.kind !== "address") return this.fail("expected an address");
    const base = this.bits(operand.base, "u64");
    return operand.offset === 0n ? base : `(${base} + (u64)(${operand.offset}ll))`;
  }

  /** Elements of a vector, or the operand alone. */
  elements(operand: Operand): readonly Operand[] {
    return operand.kind === "vector" ? operand.elements : [operand];
  }

  #symbol(name: string): string | undefined {
    return this.#find(this.#variables, name) ?? this.#surroundings.symbols.get(name);
  }

  #bitsOf({ name, type: declared }: Register, type: ScalarType): string {
    const bits = declared === "f32" || declared === "f64" ? `bits_of(${name})` : name;
    return bytesOf(declared) === bytesOf(type) ? bits : `(${bitsType(type)})${bits}`;
  }

  #destination(operand: Operand): Register {
    if (operand.kind !== "name") return this.fail("expected a register to write to");
    return this.#register(operand.name);
  }

  #register(name: string): Register {
    return this.#find(this.#registers, name) ?? this.fail(`unknown register "${name}"`);
  }

  #find<T>(levels: readonly Map<string, T>[], name: string): T | undefined {
    for (let level = levels.length - 1; level >= 0; level--) {
      const found = levels[level]?.get(name);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}
