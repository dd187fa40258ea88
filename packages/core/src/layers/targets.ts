import { BasicError } from "../errors.js";
import { matchesGlob } from "../glob.js";
import { didYouMean } from "../nearest.js";

/** Every product of a model but the vocabulary's. */
export const ALL_LINEAR = "all-linear";

/**
 * Names of the products that target patterns choose, in the model's order.
 *
 * A pattern with `*` or `?` matches a whole name (`*` any letters, dots too); one without matches a name or its end:
 * `q_proj` is the query product of every block, `layers.0.self_attn.q_proj` that of the first.
 *
 * @param names - Of all products: `model.layers.0.self_attn.q_proj`, ...
 * @throws {@link BasicError} `E_CONFIG` where a pattern chooses nothing.
 */
export function chooseTargets(
  names: readonly string[],
  patterns: readonly string[] | typeof ALL_LINEAR,
): readonly string[] {
  if (patterns === ALL_LINEAR) return names;
  const chosen = new Set<string>();
  for (const pattern of patterns) {
    const matching = pattern === ALL_LINEAR ? names : names.filter((name) => isChosen(name, pattern));
    if (matching.length === 0) throw nothingChosen(pattern, names);
    for (const name of matching) chosen.add(name);
  }
  if (chosen.size === 0) throw nothingChosen("(none given)", names);
  return names.filter((name) => chosen.has(name));
}

function isChosen(name: string, pattern: string): boolean {
  if (/[*?]/.test(pattern)) return matchesGlob(name, pattern);
  return name === pattern || name.endsWith(`.${pattern}`);
}

function nothingChosen(pattern: string, names: readonly string[]): BasicError {
  const kinds = [...new Set(names.map((name) => name.slice(name.lastIndexOf(".") + 1)))];
  return new BasicError(
    "E_CONFIG",
    `LoRA: the target "${pattern}" is none of the model's ${names.length} products.${didYouMean(pattern, kinds)} ` +
      `They are named ${kinds.join(", ")}; the first one in full is ${names[0] ?? "(there is none)"}. ` +
      `Name some of them, write a pattern such as "*.mlp.*", or "${ALL_LINEAR}".`,
  );
}
