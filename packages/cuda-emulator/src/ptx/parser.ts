import { tokensOf } from "./lexer.js";
import { PtxError } from "./ptx-error.js";
import { Reader } from "./reader.js";
import { instructionOf } from "./statement.js";
import type { Module, Routine, Statement, Variable } from "./syntax.js";
import { type Linkage, registersOf, SPACES, variablesOf } from "./variables.js";

const LINKAGES = new Set([".visible", ".extern", ".weak", ".common"]);
const TUNING = new Set([".minnctapersm", ".maxnreg", ".maxnctapersm"]);
const MOST_THREADS = 1024;

/** Reads a PTX text as NVRTC writes it. @throws PtxError */
export function parse(ptx: string): Module {
  const reader = new Reader(tokensOf(ptx));
  const variables: Variable[] = [];
  const routines: Routine[] = [];
  while (!reader.done) {
    if (skipHeader(reader)) continue;
    const linkage = linkageOf(reader);
    const directive = reader.peek();
    if (directive === ".entry" || directive === ".func") routines.push(routineOf(reader));
    else if (SPACES.has(directive)) variables.push(...variablesOf(reader, linkage));
    else throw new PtxError(`unknown directive "${directive}"`, reader.line);
  }
  return { variables, routines };
}

/** Skips what says which PTX this is, and sections for debuggers. */
function skipHeader(reader: Reader): boolean {
  if (reader.take(".version") || reader.take(".target")) {
    reader.next();
    while (reader.take(",")) reader.next();
    return true;
  }
  if (!reader.take(".section")) return false;
  reader.next();
  reader.skipBraces();
  return true;
}

function linkageOf(reader: Reader): Linkage {
  let external = false;
  while (LINKAGES.has(reader.peek())) if (reader.next() === ".extern") external = true;
  return { external };
}

function routineOf(reader: Reader): Routine {
  const { line } = reader;
  const entry = reader.next() === ".entry";
  const results = reader.peek() === "(" ? parametersOf(reader) : [];
  const name = reader.next();
  const parameters = reader.peek() === "(" ? parametersOf(reader) : [];
  const maxThreads = tuningOf(reader);
  const body = reader.take(";") ? undefined : bodyOf(reader);
  return { line, name, entry, results, parameters, maxThreads, body };
}

function parametersOf(reader: Reader): readonly Variable[] {
  const parameters: Variable[] = [];
  reader.expect("(");
  while (!reader.take(")")) {
    parameters.push(...variablesOf(reader, { external: false, parameter: true }));
    reader.take(",");
  }
  return parameters;
}

/** Directives between the parameters and the body. */
function tuningOf(reader: Reader): number {
  let threads = MOST_THREADS;
  for (;;) {
    if (reader.take(".maxntid") || reader.take(".reqntid")) {
      threads = reader.number();
      while (reader.take(",")) threads *= reader.number();
    } else if (TUNING.has(reader.peek())) {
      reader.next();
      reader.number();
    } else if (!reader.take(".noreturn")) return threads;
  }
}

function bodyOf(reader: Reader): readonly Statement[] {
  const statements: Statement[] = [];
  reader.expect("{");
  for (let depth = 1; ; ) {
    const { line } = reader;
    if (reader.take("{")) {
      depth++;
      statements.push({ kind: "open", line });
    } else if (reader.take("}")) {
      depth--;
      if (depth === 0) return statements;
      statements.push({ kind: "close", line });
    } else statements.push(...statementsOf(reader));
  }
}

function statementsOf(reader: Reader): readonly Statement[] {
  const { line } = reader;
  const word = reader.peek();
  if (reader.peek(1) === ":") {
    reader.next();
    reader.next();
    return [{ kind: "label", line, name: word }];
  }
  if (word === ".reg") return [registersOf(reader)];
  if (word === ".pragma") {
    while (reader.next() !== ";");
    return [];
  }
  const linkage = linkageOf(reader);
  if (SPACES.has(reader.peek())) return variablesOf(reader, linkage);
  return [instructionOf(reader)];
}
