import { PtxError } from "./ptx-error.js";

/** A piece of PTX text. */
export interface Token {
  readonly kind: "word" | "number" | "text" | "mark";
  readonly text: string;
  readonly line: number;
}

/** Directives that fill their line and say nothing about what is computed. */
const LINE_DIRECTIVES = new Set([".loc", ".file", ".address_size"]);

const TOKEN =
  /(?<space>\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/)|(?<number>0[fF][0-9A-Fa-f]{8}|0[dD][0-9A-Fa-f]{16}|0[xX][0-9A-Fa-f]+U?|\d+(?:\.\d+)?U?)|(?<word>[A-Za-z_$%.][\w$%.]*(?:::[\w.]+)*)|(?<text>"[^"]*")|(?<mark>[{}[\](),;:@!|+\-=<>])/y;

const KINDS = ["number", "word", "text", "mark"] as const;

/** Splits PTX into words, numbers and marks. Comments and debug lines are left out. */
export function tokensOf(ptx: string): readonly Token[] {
  const tokens: Token[] = [];
  let line = 1;
  let skipped = 0;
  for (const { groups, text } of piecesOf(ptx)) {
    const kind = KINDS.find((each) => groups[each] !== undefined);
    if (kind === "word" && LINE_DIRECTIVES.has(text)) skipped = line;
    if (kind !== undefined && skipped !== line) tokens.push({ kind, text, line });
    line += text.split("\n").length - 1;
  }
  return tokens;
}

function* piecesOf(ptx: string): Generator<{ groups: Readonly<Record<string, string>>; text: string }> {
  for (let at = 0; at < ptx.length; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(ptx);
    if (match?.groups === undefined) {
      const line = ptx.slice(0, at).split("\n").length;
      throw new PtxError(`unexpected text "${ptx.slice(at, at + 20)}"`, line);
    }
    yield { groups: match.groups, text: match[0] };
  }
}
