import { isFloatLiteral } from "./emit/literals.js";
import { identifier } from "./emit/scope.js";
import { PtxError } from "./ptx/ptx-error.js";
import type { Operand, Statement, Variable } from "./ptx/syntax.js";
import { bitsType, bytesOf } from "./ptx/types.js";

/** Where variables of a program are. */

const aligned = (offset: number, to: number): number => Math.ceil(offset / to) * to;
const sizeOf = ({ type, count }: Variable): number => bytesOf(type) * count;
const isTable = ({ space }: Variable): boolean => space === "global" || space === "const";

/** A parameter in the block that a launch passes. */
export interface Field {
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
}

/** Parameters one after the other, each aligned. */
export function parameterLayout(parameters: readonly Variable[]): {
  readonly fields: readonly Field[];
  readonly bytes: number;
} {
  let bytes = 0;
  const fields = parameters.map((parameter) => {
    const offset = aligned(bytes, parameter.align);
    bytes = offset + sizeOf(parameter);
    return { name: parameter.name, offset, bytes: sizeOf(parameter) };
  });
  return { fields, bytes };
}

/** Shared memory of a kernel. */
export interface SharedLayout {
  /** Offsets of variables. */
  readonly symbols: ReadonlyMap<string, string>;
  readonly bytes: number;
  /** Where `extern` arrays begin, which all share one place. */
  readonly dynamicOffset: number;
  readonly dynamic: boolean;
}

/** Lays out the shared variables that a body declares, and those of the module that it uses. */
export function sharedLayout(module: readonly Variable[], body: readonly Statement[]): SharedLayout {
  const used = namesIn(body);
  const own = body.filter((statement) => statement.kind === "variable");
  const variables = [...module.filter(({ name }) => used.has(name)), ...own].filter(
    ({ space }) => space === "shared",
  );
  const symbols = new Map<string, string>();
  let bytes = 0;
  for (const variable of variables.filter(({ count }) => count > 0)) {
    const offset = aligned(bytes, variable.align);
    symbols.set(variable.name, `${offset}u`);
    bytes = offset + sizeOf(variable);
  }
  const open = variables.filter(({ count }) => count === 0);
  const dynamicOffset = aligned(bytes, Math.max(16, ...open.map(({ align }) => align)));
  for (const { name } of open) symbols.set(name, `${dynamicOffset}u`);
  return { symbols, bytes, dynamicOffset, dynamic: open.length > 0 };
}

function namesIn(body: readonly Statement[]): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (operand: Operand): void => {
    if (operand.kind === "name") names.add(operand.name);
    else if (operand.kind === "address") visit(operand.base);
  };
  for (const statement of body) {
    if (statement.kind === "instruction") for (const operand of statement.operands) visit(operand);
  }
  return names;
}

/** Addresses of tables, as C++. */
export function addressSymbols(variables: readonly Variable[]): ReadonlyMap<string, string> {
  return new Map(variables.filter(isTable).map(({ name }) => [name, `(u64)g_${identifier(name)}`]));
}

/** Tables as C++ arrays, and the list of them for the driver. */
export function globalDefinitions(variables: readonly Variable[]): {
  readonly definitions: readonly string[];
  readonly table: readonly string[];
} {
  const tables = variables.filter(isTable);
  const definitions = tables.map((variable) => {
    const { name, type, count, align, values, line, external } = variable;
    if (external) throw new PtxError(`"${name}" is defined in another text`, line);
    const initial =
      values.length === 0 ? "" : ` = { ${values.map((text) => valueText(text, variable)).join(", ")} }`;
    return `alignas(${Math.max(align, 16)}) static ${bitsType(type)} g_${identifier(name)}[${count}]${initial};`;
  });
  const table = tables.map(
    (variable) => `{ "${variable.name}", g_${identifier(variable.name)}, ${sizeOf(variable)} }`,
  );
  return { definitions, table };
}

function valueText(text: string, { name, type, line }: Variable): string {
  if (isFloatLiteral(text)) return `0x${text.slice(2)}${text[1]?.toLowerCase() === "d" ? "ull" : "u"}`;
  if (!/^-?(0[xX][0-9A-Fa-f]+|\d+)U?$/.test(text)) {
    throw new PtxError(`the value "${text}" of "${name}" is not supported`, line);
  }
  return `(${bitsType(type)})${text.replace(/U$/, "")}${text.startsWith("-") ? "ll" : "ull"}`;
}
