import { labelOf } from "./emit/control.js";
import { unsupported } from "./emit/emitter.js";
import { EMITTERS } from "./emit/families.js";
import { identifier, Scope, type Surroundings } from "./emit/scope.js";
import { addressSymbols, globalDefinitions, parameterLayout, sharedLayout } from "./layout.js";
import { parse } from "./ptx/parser.js";
import { PtxError } from "./ptx/ptx-error.js";
import type { Instruction, Module, Routine, Statement } from "./ptx/syntax.js";

/**
 * Translates PTX, as NVRTC writes it, to C++ for the runtime in `native/`: one function a kernel, registers as its variables,
 * branches as `goto`.
 *
 * @throws PtxError for text that cannot be read and for instructions that the emulator does not know.
 */
export function translate(ptx: string): string {
  const module = parse(ptx);
  const functions = module.routines.filter(({ entry, body }) => !entry && body !== undefined);
  const kernels = module.routines.filter(({ entry }) => entry);
  const names = new Set(functions.map(({ name }) => name));
  const globals = globalDefinitions(module.variables);
  return [
    '#include "ptx/ptx.h"',
    "using namespace ptx;",
    ...globals.definitions,
    ...functions.map((routine) => `${signatureOf(routine)};`),
    ...functions.map((routine) => functionText(routine, module, names)),
    ...kernels.map((routine) => kernelText(routine, module, names)),
    `extern "C" const Kernel emulator_kernels[] = {\n${kernels.map(({ name }) => `  kernel_${identifier(name)},\n`).join("")}};`,
    `extern "C" const u32 emulator_kernel_count = ${kernels.length};`,
    `extern "C" const Global emulator_globals[] = {\n${globals.table.map((row) => `  ${row},\n`).join("")}  {}\n};`,
    `extern "C" const u32 emulator_global_count = ${globals.table.length};`,
    "",
  ].join("\n");
}

/** A function takes the addresses of its results and parameters. */
function signatureOf({ name, results, parameters }: Routine): string {
  const addresses = [...results, ...parameters].map((each) => `u64 p_${identifier(each.name)}`);
  return `static void f_${identifier(name)}(${["Thread* t", ...addresses].join(", ")})`;
}

function functionText(routine: Routine, module: Module, functions: ReadonlySet<string>): string {
  const shared = sharedLayout(module.variables, routine.body ?? []);
  if (shared.bytes > 0 || shared.dynamic) {
    throw new PtxError(`shared memory in the function "${routine.name}" is not supported`, routine.line);
  }
  const scope = new Scope({ symbols: addressSymbols(module.variables), functions });
  for (const { name } of [...routine.results, ...routine.parameters])
    scope.bind(name, `p_${identifier(name)}`);
  const body = bodyText(routine, scope);
  return `${signatureOf(routine)} {\n${body}}`;
}

function kernelText(routine: Routine, module: Module, functions: ReadonlySet<string>): string {
  const parameters = parameterLayout(routine.parameters);
  const shared = sharedLayout(module.variables, routine.body ?? []);
  const symbols = new Map([...addressSymbols(module.variables), ...shared.symbols]);
  const surroundings: Surroundings = { symbols, functions };
  const scope = new Scope(surroundings);
  for (const { name, offset } of parameters.fields) scope.bind(name, `(u64)(t->parameters + ${offset})`);
  const body = bodyText(routine, scope);
  const name = identifier(routine.name);
  const list = (numbers: readonly number[]) => `{ ${[...numbers, 0].join(", ")} }`;
  const offsets = list(parameters.fields.map(({ offset }) => offset));
  const sizes = list(parameters.fields.map(({ bytes }) => bytes));
  const fields = {
    name: `"${routine.name}"`,
    run: `run_${name}`,
    parameter_count: parameters.fields.length,
    parameter_offsets: `offsets_${name}`,
    parameter_sizes: `sizes_${name}`,
    parameter_bytes: parameters.bytes,
    static_shared: shared.bytes,
    dynamic_offset: shared.dynamicOffset,
    max_threads: routine.maxThreads,
    local_bytes: scope.localBytes,
    cooperative: scope.cooperative,
    shares: scope.shares,
  };
  const initializers = Object.entries(fields).map(([key, value]) => `.${key} = ${value}`);
  return [
    `static void run_${name}(Thread* t) {\n${body}}`,
    `static const u32 offsets_${name}[] = ${offsets}, sizes_${name}[] = ${sizes};`,
    `static constexpr Kernel kernel_${name} = { ${initializers.join(", ")} };`,
  ].join("\n");
}

function bodyText(routine: Routine, scope: Scope): string {
  const lines = (routine.body ?? []).map((statement) => statementText(statement, scope)).filter(Boolean);
  return [...scope.declarations, ...lines, ";"].map((line) => `  ${line}\n`).join("");
}

function statementText(statement: Statement, scope: Scope): string {
  scope.line = statement.line;
  switch (statement.kind) {
    case "label":
      return `${labelOf(statement.name)}:;`;
    case "registers":
      scope.declareRegisters(statement.names, statement.type);
      return "";
    case "variable":
      if (statement.space === "local" || statement.space === "param") scope.declareVariable(statement);
      return "";
    case "open":
      scope.open();
      return "";
    case "close":
      scope.close();
      return "";
    default:
      return instructionText(statement, scope);
  }
}

function instructionText(instruction: Instruction, scope: Scope): string {
  const { opcode, guard } = instruction;
  const emitter = Object.hasOwn(EMITTERS, opcode) ? EMITTERS[opcode] : undefined;
  const text = (emitter ?? unsupported)(instruction, scope);
  if (guard === undefined) return text;
  const condition = scope.bits({ kind: guard.negated ? "not" : "name", name: guard.register }, "pred");
  return `if (${condition}) { ${text} }`;
}
