import { BasicError } from "@basic-mllm/core";

/** A part of a parsed `tokenizer.json`. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** GPT-2's split of a text into words, as the Rust library has it. */
const GPT2_WORDS = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
/** What the Rust library's `\w` stands for; the joiners are the difference to Oniguruma's. */
const WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u200C\\u200D";
const ASCII_SIGNS = "\\x21-\\x2F\\x3A-\\x40\\x5B-\\x60\\x7B-\\x7E";
const PUNCTUATION = `[\\p{P}${ASCII_SIGNS}]`;

/** Puts a space in front where there is none. Takes a character along: V8 finds empty matches inside of pairs too. */
const FIRST_SPACE = { type: "Replace", pattern: { Regex: "\\A[^ ]" }, content: " $&" };

/**
 * The same tokenizer in parts that `@huggingface/tokenizers` computes as the Rust library does. Parts that it only
 * approximates (digits and words outside of ASCII, merged splits, trimmed U+FEFF) become regular expressions.
 *
 * @throws `BasicError` `E_TOKENIZER` naming the part, where there is no exact form.
 */
export function exactTokenizer(tokenizer: JsonObject): JsonObject {
  checkModel(objectOf(tokenizer["model"]));
  checkAddedTokens(tokenizer["added_tokens"]);
  return {
    ...tokenizer,
    normalizer: exactNormalizer(tokenizer["normalizer"]),
    pre_tokenizer: exactPreTokenizer(tokenizer["pre_tokenizer"]),
    // Special tokens around a text are the template's work.
    post_processor: null,
  };
}

function exactNormalizer(normalizer: unknown): JsonObject | null {
  if (normalizer === null || normalizer === undefined) return null;
  const part = objectOf(normalizer);
  switch (part["type"]) {
    case "Sequence":
      return { ...part, normalizers: listOf(part["normalizers"]).map(exactNormalizer) };
    case "Lowercase":
      // JavaScript writes a Σ at the end of a word as ς; Rust goes letter by letter.
      return sequence("normalizers", replace("Σ", "σ"), part);
    case "Replace":
      return { ...part, content: String(part["content"] ?? "").replaceAll("$", "$$$$") };
    case "Strip":
      return sequence(
        "normalizers",
        ...(part["strip_left"] === true ? [replace("\\A\\s+", "")] : []),
        ...(part["strip_right"] === true ? [replace("\\s+\\z", "")] : []),
      );
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD":
    case "StripAccents":
    case "Prepend":
      return part;
    default:
      throw unsupported("normalizer", part, "");
  }
}

function exactPreTokenizer(preTokenizer: unknown): JsonObject | null {
  if (preTokenizer === null || preTokenizer === undefined) return null;
  const part = objectOf(preTokenizer);
  switch (part["type"]) {
    case "Sequence":
      return { ...part, pretokenizers: listOf(part["pretokenizers"]).map(exactPreTokenizer) };
    case "ByteLevel":
      return exactByteLevel(part);
    case "Metaspace":
      return exactMetaspace(part);
    case "Split":
      return exactSplit(part);
    case "Digits":
      return isolated(part["individual_digits"] === true ? "\\p{N}" : "\\p{N}+");
    case "Punctuation":
      return split(PUNCTUATION, part["behavior"] ?? "Isolated");
    case "Whitespace":
      return kept(`[${WORD}]+|[^${WORD}\\s]+`);
    case "WhitespaceSplit":
      return split("\\s+", "Removed");
    case "BertPreTokenizer":
      return sequence("pretokenizers", split("\\s+", "Removed"), isolated(PUNCTUATION));
    case "CharDelimiterSplit":
      return split(escapeRegex(String(part["delimiter"])), "Removed");
    case "FixedLength":
      return isolated(`[\\s\\S]{1,${Number(part["length"])}}`);
    default:
      throw unsupported("pre_tokenizer", part, "");
  }
}

function exactByteLevel(part: JsonObject): JsonObject {
  const bytes = { ...part, add_prefix_space: false, use_regex: false };
  const words = part["use_regex"] === false ? [] : [isolated(GPT2_WORDS)];
  if (part["add_prefix_space"] !== true) return sequence("pretokenizers", ...words, bytes);
  return sequence("pretokenizers", FIRST_SPACE, ...words, bytes);
}

function exactMetaspace(part: JsonObject): JsonObject {
  const scheme = part["prepend_scheme"] ?? (part["add_prefix_space"] === false ? "never" : "always");
  const sign = String(part["replacement"] ?? "▁");
  const spaces = { type: "Metaspace", replacement: sign, prepend_scheme: scheme };
  if (part["split"] === false) return spaces;
  return sequence("pretokenizers", spaces, split(escapeRegex(sign), "MergedWithNext"));
}

function exactSplit(part: JsonObject): JsonObject {
  const pattern = patternOf(part["pattern"]);
  const behavior = String(part["behavior"] ?? "");
  if (part["invert"] !== true) return split(pattern, behavior);
  if (behavior.toLowerCase() === "removed") return kept(pattern);
  // Isolated parts are the same whichever of them is called the separator.
  if (behavior.toLowerCase() === "isolated") return isolated(pattern);
  throw unsupported("pre_tokenizer", part, ` with invert and behavior "${behavior}"`);
}

/** Splits at a pattern. What the separator does is spelled into the expression: the library knows two ways only. */
function split(pattern: string, behavior: unknown): JsonObject {
  const separator = `(?:${pattern})`;
  const other = `(?:(?!${separator})[\\s\\S])`;
  switch (String(behavior).toLowerCase()) {
    case "isolated":
      return isolated(pattern);
    case "removed":
      return { ...isolated(withoutCaptures(pattern)), behavior: "Removed" };
    case "mergedwithprevious":
      return kept(`${other}*${separator}|${other}+`);
    case "mergedwithnext":
      return kept(`${separator}${other}*|${other}+`);
    case "contiguous":
      return kept(`${separator}+|${other}+`);
    default:
      throw unsupported("pre_tokenizer", { type: "Split" }, ` with behavior ${JSON.stringify(behavior)}`);
  }
}

/** Groups that capture would come back as pieces of the text. */
function withoutCaptures(pattern: string): string {
  return pattern.replace(/\\[\s\S]|\[(?:\\[\s\S]|[^\]\\])*\]|\((?!\?)/g, (part) =>
    part === "(" ? "(?:" : part,
  );
}

function isolated(pattern: string): JsonObject {
  return { type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false };
}

/** Keeps what matches, drops the rest. */
function kept(pattern: string): JsonObject {
  return { type: "Split", pattern: { Regex: pattern }, behavior: "Removed", invert: true };
}

function replace(pattern: string, content: string): JsonObject {
  return { type: "Replace", pattern: { Regex: pattern }, content };
}

function sequence(key: "normalizers" | "pretokenizers", ...parts: readonly JsonObject[]): JsonObject {
  return { type: "Sequence", [key]: parts };
}

function patternOf(pattern: unknown): string {
  const { Regex: regex, String: text } = objectOf(pattern) as { Regex?: unknown; String?: unknown };
  if (typeof regex === "string") return regex;
  if (typeof text === "string") return escapeRegex(text);
  throw unsupported("pre_tokenizer", { type: "Split" }, " without a pattern");
}

function escapeRegex(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
}

function checkModel(model: JsonObject): void {
  const { type, dropout, continuing_subword_prefix: prefix, byte_fallback: bytes } = model;
  if (type === "BPE" && typeof dropout === "number" && dropout > 0) {
    throw unsupported("model", model, ` with dropout ${dropout}, which cuts a text differently each time`);
  }
  if (type === "BPE" && typeof prefix === "string" && prefix !== "") {
    throw unsupported("model", model, ` with continuing_subword_prefix "${prefix}"`);
  }
  if (type === "Unigram" && bytes === true) throw unsupported("model", model, " with byte_fallback");
}

function checkAddedTokens(tokens: unknown): void {
  const whole = listOf(tokens ?? [])
    .map(objectOf)
    .find((token) => token["single_word"] === true);
  if (whole === undefined) return;
  throw unsupported("added token", { type: String(whole["content"]) }, " with single_word");
}

function unsupported(where: string, part: JsonObject, detail: string): BasicError {
  return new BasicError(
    "E_TOKENIZER",
    `tokenizer: the ${where} ${JSON.stringify(part["type"] ?? null)}${detail} has no form here that gives the tokens ` +
      "of the Python library, so it is refused. Use a tokenizer of the families in docs/templates.md " +
      "(BPE of Llama, Gemma, Qwen, SmolLM or Phi; Unigram without a character map), or encode the texts in Python.",
  );
}

function objectOf(value: unknown): JsonObject {
  return typeof value === "object" && value !== null ? (value as JsonObject) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Where a tokenizer puts a space in front by itself: nowhere, before a text, or after each special token as well. */
export type PrefixRule = "none" | "text" | "section";

/** What {@link exactTokenizer} gave, once as it is and once without a space of its own in front. */
export function prefixRule(tokenizer: JsonObject): PrefixRule {
  const parts = [...partsOf(tokenizer["normalizer"]), ...partsOf(tokenizer["pre_tokenizer"])];
  const rules = parts.map((part): PrefixRule => {
    if (part["type"] === "Prepend" || addsFirstSpace(part)) return "section";
    if (part["type"] !== "Metaspace" || part["prepend_scheme"] === "never") return "none";
    return part["prepend_scheme"] === "first" ? "text" : "section";
  });
  return rules.includes("section") ? "section" : rules.includes("text") ? "text" : "none";
}

/** The normalizer and pre-tokenizer for text that goes on in the middle of a text: no space is put in front. */
export function withoutPrefix(part: unknown): JsonObject | null {
  if (part === null || part === undefined) return null;
  const own = objectOf(part);
  if (own["type"] === "Metaspace") return { ...own, prepend_scheme: "never" };
  for (const key of ["normalizers", "pretokenizers"]) {
    if (own["type"] !== "Sequence" || !Array.isArray(own[key])) continue;
    const inner = listOf(own[key]).map(withoutPrefix);
    return { ...own, [key]: inner.filter((entry) => entry !== null) };
  }
  return own["type"] === "Prepend" || addsFirstSpace(own) ? null : own;
}

/** The part that stands for `add_prefix_space` of ByteLevel. */
function addsFirstSpace(part: JsonObject): boolean {
  return part["type"] === "Replace" && objectOf(part["pattern"])["Regex"] === FIRST_SPACE.pattern.Regex;
}

function partsOf(part: unknown): readonly JsonObject[] {
  const own = objectOf(part);
  const inner = own["normalizers"] ?? own["pretokenizers"];
  return Array.isArray(inner) ? inner.flatMap(partsOf) : [own];
}
