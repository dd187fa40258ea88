import { PtxError } from "./ptx-error.js";
import type { Reader } from "./reader.js";
import type { Registers, Space, Variable } from "./syntax.js";
import { bytesOf, isType, type ScalarType } from "./types.js";

/** Directives that begin a variable. */
export const SPACES: ReadonlySet<string> = new Set([".global", ".shared", ".const", ".local", ".param"]);

/** How a variable is declared. */
export interface Linkage {
  readonly external: boolean;
  /** One of a list in parentheses: ended by a comma or a parenthesis, without values. */
  readonly parameter?: boolean;
}

/** Reads `.space .align n .type name[count] = {…}, name;`. */
export function variablesOf(reader: Reader, { external, parameter = false }: Linkage): readonly Variable[] {
  const { line } = reader;
  const space = spaceOf(reader);
  const { type, align } = attributesOf(reader);
  const variables: Variable[] = [];
  do {
    const name = reader.next();
    const count = countOf(reader);
    const values = reader.take("=") ? valuesOf(reader) : [];
    variables.push({ kind: "variable", line, space, type, name, align, count, external, values });
  } while (!parameter && reader.take(","));
  if (!parameter) reader.expect(";");
  return variables;
}

function spaceOf(reader: Reader): Space {
  const directive = reader.next();
  if (directive === ".reg") throw new PtxError("parameters in registers are not supported", reader.line);
  if (!SPACES.has(directive)) throw new PtxError(`unknown space "${directive}"`, reader.line);
  return directive.slice(1) as Space;
}

/** `.align 4`, `.ptr .global .align 16` and the type, in any order. */
function attributesOf(reader: Reader): { type: ScalarType; align: number } {
  let type: ScalarType | undefined;
  let align: number | undefined;
  let pointer = false;
  while (reader.peek().startsWith(".")) {
    const word = reader.next().slice(1);
    if (word === "align") {
      const value = reader.number();
      // After .ptr it is the alignment of what the pointer points to.
      if (!pointer) align = value;
    } else if (word === "ptr") pointer = true;
    else if (isType(word)) type = word;
    else if (!(pointer && SPACES.has(`.${word}`)))
      throw new PtxError(`unknown attribute ".${word}"`, reader.line);
  }
  if (type === undefined) throw new PtxError("a variable has no type", reader.line);
  return { type, align: align ?? bytesOf(type) };
}

function countOf(reader: Reader): number {
  let count = 1;
  while (reader.take("[")) {
    count *= reader.peek() === "]" ? 0 : reader.number();
    reader.expect("]");
  }
  return count;
}

function valuesOf(reader: Reader): readonly string[] {
  const values: string[] = [];
  let depth = 0;
  do {
    if (reader.take("{")) depth++;
    else if (reader.take("}")) depth--;
    else if (!reader.take(",")) values.push((reader.take("-") ? "-" : "") + reader.next());
  } while (depth > 0);
  return values;
}

/** Reads `.reg .b32 %r<12>, %x;`. */
export function registersOf(reader: Reader): Registers {
  const { line } = reader;
  reader.expect(".reg");
  const type = reader.next().slice(1);
  if (!isType(type)) throw new PtxError(`unknown type of registers ".${type}"`, line);
  const names: string[] = [];
  do {
    const name = reader.next();
    if (reader.take("<")) {
      const count = reader.number();
      for (let index = 0; index < count; index++) names.push(`${name}${index}`);
      reader.expect(">");
    } else names.push(name);
  } while (reader.take(","));
  reader.expect(";");
  return { kind: "registers", line, type, names };
}
