import { stripVTControlCharacters } from "node:util";
import { BasicError, didYouMean } from "@basic-mllm/core";
import { type ArgsDef, type CommandDef, defineCommand, type ParsedArgs, parseArgs, renderUsage } from "citty";

import pc from "picocolors";

import type { Terminal } from "./terminal.js";

/** One verb of the command line. */
export interface CliCommand {
  readonly name: string;
  readonly description: string;
  /** @param rawArgs - Arguments after the verb: where it has verbs of its own, they choose. */
  usage(rawArgs: readonly string[]): Promise<string>;
  /** @param rawArgs - Arguments after the verb. @returns The exit code. */
  execute(rawArgs: readonly string[], terminal: Terminal): Promise<number>;
}

/** What {@link defineCliCommand} needs: citty's argument table, examples for `--help`, and the body. */
export interface CliCommandSpec<Args extends ArgsDef> {
  readonly name: string;
  readonly description: string;
  readonly args: Args;
  /** Shown at the end of `--help`: what people copy. */
  readonly examples: readonly string[];
  /** Shown before the examples: lists that are too long for an option's line. */
  readonly notes?: readonly string[];
  /** Whether the last positional argument may be repeated. */
  readonly takesMore?: boolean;
  /** @returns The exit code, 0 where nothing is returned. */
  readonly run: (call: {
    args: ParsedArgs<Args>;
    /** Values of options that may be repeated, by name. */
    repeated: (name: string) => readonly string[];
    /** What was given after the verb, for another process of the same command. */
    rawArgs: readonly string[];
    terminal: Terminal;
  }) => Promise<number | undefined>;
}

const SHARED = {
  json: { type: "boolean", description: "Print one JSON line at the end; text for people goes to stderr." },
  help: { type: "boolean", alias: "h", description: "Show this help." },
} satisfies ArgsDef;

/** Turns a specification into a verb with checked options and examples in its help. */
export function defineCliCommand<Args extends ArgsDef>(spec: CliCommandSpec<Args>): CliCommand {
  const args = { ...spec.args, ...SHARED };
  const meta = { name: `basic-mllm ${spec.name}`, description: spec.description };
  const command: CommandDef = defineCommand({ meta, args: args as ArgsDef });
  return {
    name: spec.name,
    description: spec.description,
    usage: async () => {
      const rendered = await renderUsage(command);
      // citty colours its help in a pipe, too.
      const usage = (pc.isColorSupported ? rendered : stripVTControlCharacters(rendered))
        .replace(/ +$/gm, "")
        .trimEnd();
      const notes = spec.notes === undefined ? "" : `${spec.notes.join("\n")}\n\n`;
      const examples = spec.examples.map((example) => `  ${example}`).join("\n");
      return `${usage}\n\n${notes}EXAMPLES\n\n${examples}\n`;
    },
    execute: async (rawArgs, terminal) => {
      checkOptions(spec.name, rawArgs, args);
      checkValues(spec.name, rawArgs, args);
      const parsed = parse(spec.name, rawArgs, args) as ParsedArgs<Args>;
      checkNotEmpty(spec.name, parsed, args);
      if (spec.takesMore !== true) checkPositionals(spec.name, parsed._, args);
      const repeated = (name: string): readonly string[] => valuesOf(name, rawArgs);
      return (await spec.run({ args: parsed, repeated, rawArgs, terminal })) ?? 0;
    },
  };
}

function parse(verb: string, rawArgs: readonly string[], args: ArgsDef): ParsedArgs<ArgsDef> {
  try {
    return parseArgs([...rawArgs], args);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new BasicError(
      "E_USAGE",
      `basic-mllm ${verb}: ${text.replace(/\.?$/, ".")} See \`basic-mllm ${verb} --help\`.`,
      {
        cause: error,
      },
    );
  }
}

/** An empty path would be the current folder: `--out=$DIR` where the variable is not set. */
function checkNotEmpty(verb: string, parsed: Readonly<Record<string, unknown>>, args: ArgsDef): void {
  const empty = Object.keys(args).find((name) => parsed[name] === "");
  if (empty === undefined) return;
  const shown = args[empty]?.type === "positional" ? empty.toUpperCase() : `--${empty}`;
  throw new BasicError("E_USAGE", `basic-mllm ${verb}: ${shown} is empty. Give it a value, or leave it out.`);
}

/** citty ignores arguments beyond those of the table. */
function checkPositionals(verb: string, given: readonly string[], args: ArgsDef): void {
  const names = Object.keys(args).filter((name) => args[name]?.type === "positional");
  const extra = given.slice(names.length);
  if (extra.length === 0) return;
  const expected = names.map((name) => name.toUpperCase()).join(" ") || "no arguments";
  throw new BasicError(
    "E_USAGE",
    `basic-mllm ${verb}: expected ${expected}, got also ${extra.map((word) => `"${word}"`).join(", ")}. Remove it, or see \`basic-mllm ${verb} --help\`.`,
  );
}

/** citty ignores options it does not know; a typing error must not change a run silently. */
function checkOptions(verb: string, rawArgs: readonly string[], args: ArgsDef): void {
  const known = Object.keys(args).flatMap((name) => [name, ...aliasesOf(args[name])]);
  for (const raw of rawArgs) {
    if (raw === "--") return;
    const match = /^--?([a-zA-Z][\w-]*)/.exec(raw);
    const name = match?.[1];
    if (name === undefined || known.includes(name) || known.includes(name.replace(/^no-/, ""))) continue;
    const names = known.filter((candidate) => candidate.length > 1 && args[candidate]?.type !== "positional");
    const options = names.map((candidate) => `--${candidate}`);
    throw new BasicError(
      "E_USAGE",
      `basic-mllm ${verb}: there is no option "--${name}".${didYouMean(`--${name}`, options)} Options are ${options.join(", ")}. See \`basic-mllm ${verb} --help\`.`,
    );
  }
}

/** citty takes the next word for a value whatever it is: `--out --resume` would be a folder of that name. */
function checkValues(verb: string, rawArgs: readonly string[], args: ArgsDef): void {
  const names = Object.keys(args).filter((name) => args[name]?.type === "string");
  const options = new Set(
    names.flatMap((name) => [`--${name}`, ...aliasesOf(args[name]).map((a) => `-${a}`)]),
  );
  for (const [i, raw] of rawArgs.entries()) {
    if (raw === "--") return;
    const next = rawArgs[i + 1];
    if (!options.has(raw) || next === undefined || !/^--?[a-zA-Z]/.test(next)) continue;
    throw new BasicError(
      "E_USAGE",
      `basic-mllm ${verb}: ${raw} has no value, the next word is the option ${next}. Give it a value (${raw}=VALUE where that begins with -), or leave it out.`,
    );
  }
}

function aliasesOf(definition: ArgsDef[string] | undefined): readonly string[] {
  const alias = definition !== undefined && "alias" in definition ? definition.alias : undefined;
  return alias === undefined ? [] : [alias].flat();
}

function valuesOf(name: string, rawArgs: readonly string[]): readonly string[] {
  return rawArgs.flatMap((raw, i) => {
    if (raw.startsWith(`--${name}=`)) return [raw.slice(name.length + 3)];
    const next = rawArgs[i + 1];
    return raw === `--${name}` && next !== undefined ? [next] : [];
  });
}

/** A verb that has verbs of its own: `basic-mllm data build …`. */
export function defineCommandGroup(group: {
  readonly name: string;
  readonly description: string;
  readonly commands: readonly CliCommand[];
}): CliCommand {
  const find = (word: string | undefined): CliCommand | undefined =>
    group.commands.find(({ name }) => name === `${group.name} ${word}`);
  const words = group.commands.map(({ name }) => name.slice(group.name.length + 1));
  return {
    name: group.name,
    description: group.description,
    usage: async ([word, ...rest]) => {
      const chosen = find(word);
      if (chosen !== undefined) return chosen.usage(rest);
      const usages = await Promise.all(group.commands.map((command) => command.usage([])));
      return `${group.description}\n\n${usages.join("\n")}`;
    },
    execute: async ([word, ...rest], terminal) => {
      const chosen = find(word);
      if (chosen !== undefined) return chosen.execute(rest, terminal);
      throw new BasicError(
        "E_USAGE",
        `basic-mllm ${group.name}: expected ${words.join(" or ")}, got ${word === undefined ? "nothing" : `"${word}"`}. See \`basic-mllm ${group.name} --help\`.`,
      );
    },
  };
}

/**
 * An option that is a whole number.
 *
 * @throws `BasicError` `E_USAGE` where it is something else, or below `minimum`.
 */
export function wholeNumber(
  verb: string,
  name: string,
  text: string | undefined,
  minimum = 1,
): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() !== "" && Number.isInteger(value) && value >= minimum) return value;
  throw new BasicError(
    "E_USAGE",
    `basic-mllm ${verb}: --${name} must be a whole number of at least ${minimum}, got "${text}".`,
  );
}

/** Values of an option that may be repeated, or given once with commas. */
export function listOf(values: readonly string[]): readonly string[] {
  return values
    .flatMap((value) => value.split(","))
    .map((value) => value.trim())
    .filter((value) => value !== "");
}
