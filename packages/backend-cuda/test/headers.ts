import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { parsePrototype, sizeOfType } from "../src/foreign/prototype.js";

/** Declarations of ours, and the header that they come from. */
export interface Declarations {
  readonly header: string;
  /** Folders of headers. */
  readonly include: string | readonly string[];
  /** By the name that programs use, which the header may define as one with a version. */
  readonly prototypes: Readonly<Record<string, string>>;
  /** By what stands for them in C: a name, or `sizeof(type)`. */
  readonly constants: Readonly<Record<string, number>>;
}

/**
 * Lets the compiler compare declarations with a header: the symbol behind each name, its type, the width of every
 * parameter, and the values of constants.
 *
 * @returns What differs, one line each.
 */
export function differencesFromHeader({
  header,
  include,
  prototypes,
  constants,
}: Declarations): readonly string[] {
  const checks = Object.entries(prototypes).flatMap(([name, declaration]) => [
    ...checksOf(name, declaration),
    ...widthsOf(declaration),
  ]);
  const values = Object.entries(constants).map(
    ([name, value]) => `static_assert((long long)${name} == ${value}, "value of ${name}");`,
  );
  const program = [`#include "${header}"`, PRELUDE, ...checks, ...values, ""].join("\n");
  const folder = mkdtempSync(join(tmpdir(), "header-"));
  try {
    const file = join(folder, "check.cpp");
    writeFileSync(file, program);
    const options = [
      "-std=c++17",
      "-fsyntax-only",
      "-w",
      "-fmax-errors=0",
      ...[include].flat().map((folder) => `-I${folder}`),
    ];
    return complaints([...options, file]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const PRELUDE = `
#include <type_traits>
#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
constexpr bool same(const char *a, const char *b) { return *a == *b && (*a == 0 || same(a + 1, b + 1)); }
`;

function checksOf(name: string, declaration: string): readonly string[] {
  const { symbol } = parsePrototype(declaration);
  const type = declaration.replace(new RegExp(`\\b${symbol}\\(`), "(");
  return [
    `static_assert(same(TEXT(${name}), "${symbol}"), "symbol of ${name}");`,
    `static_assert(std::is_same_v<decltype(${symbol}), ${type}>, "type of ${symbol}");`,
  ];
}

function widthsOf(declaration: string): readonly string[] {
  const { symbol, parameters, result } = parsePrototype(declaration);
  return [result, ...parameters].map(
    (each) => `static_assert(sizeof(${each}) == ${sizeOfType(each)}, "size of ${each} in ${symbol}");`,
  );
}

/** The failed assertions, and names that the header lacks. */
function complaints(args: readonly string[]): readonly string[] {
  try {
    execFileSync("g++", args, { stdio: ["ignore", "ignore", "pipe"] });
    return [];
  } catch (error) {
    const text = String((error as { stderr?: Buffer }).stderr ?? error);
    return text
      .split("\n")
      .filter((line) => /error:/.test(line))
      .map((line) => line.replace(/^.*?error: /, ""));
  }
}
