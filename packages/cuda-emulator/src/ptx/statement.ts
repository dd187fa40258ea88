import { PtxError } from "./ptx-error.js";
import type { Reader } from "./reader.js";
import type { Instruction, Operand } from "./syntax.js";

/** Reads one instruction up to its semicolon. */
export function instructionOf(reader: Reader): Instruction {
  const { line } = reader;
  const guard = reader.take("@") ? guardOf(reader) : undefined;
  const [opcode = "", ...modifiers] = reader.next().split(".");
  if (!/^[a-z]/.test(opcode)) throw new PtxError(`expected an instruction, found "${opcode}"`, line);
  const operands: Operand[] = [];
  while (!reader.take(";")) {
    operands.push(operandOf(reader));
    if (reader.peek() !== ";") reader.expect(",");
  }
  const instruction = { kind: "instruction", line, opcode, modifiers, operands } as const;
  return guard === undefined ? instruction : { ...instruction, guard };
}

function guardOf(reader: Reader): { register: string; negated: boolean } {
  const negated = reader.take("!");
  return { register: reader.next(), negated };
}

function operandOf(reader: Reader): Operand {
  if (reader.take("{")) return { kind: "vector", elements: elementsUntil(reader, "}") };
  if (reader.take("(")) return { kind: "list", elements: elementsUntil(reader, ")") };
  if (reader.take("[")) return addressOf(reader);
  if (reader.take("!")) return { kind: "not", name: reader.next() };
  const first = simpleOf(reader);
  return reader.take("|") ? { kind: "pair", first, second: simpleOf(reader) } : first;
}

function elementsUntil(reader: Reader, end: string): readonly Operand[] {
  const elements: Operand[] = [];
  while (!reader.take(end)) {
    elements.push(simpleOf(reader));
    reader.take(",");
  }
  return elements;
}

function addressOf(reader: Reader): Operand {
  const base = simpleOf(reader);
  let offset = 0n;
  if (reader.take("+")) offset = integerOf(reader);
  reader.expect("]");
  return { kind: "address", base, offset };
}

function integerOf(reader: Reader): bigint {
  const negative = reader.take("-");
  const { line } = reader;
  const text = reader.next().replace(/U$/, "");
  if (!/^(0x[0-9a-f]+|\d+)$/i.test(text)) throw new PtxError(`expected an offset, found "${text}"`, line);
  return negative ? -BigInt(text) : BigInt(text);
}

function simpleOf(reader: Reader): Operand {
  const { line } = reader;
  if (reader.take("-")) return { kind: "number", text: `-${reader.next()}` };
  const text = reader.next();
  if (/^\d/.test(text)) return { kind: "number", text };
  if (/^[A-Za-z_$%]/.test(text)) return { kind: "name", name: text };
  throw new PtxError(`expected an operand, found "${text}"`, line);
}
