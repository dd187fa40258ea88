import { BasicError } from "./errors.js";
import { didYouMean } from "./nearest.js";
import { parseRecipe, type Recipe } from "./recipe.js";

/** One field in which two recipes differ. `undefined`: absent there. */
export interface RecipeDifference {
  /** For example `stages.align.steps`. */
  readonly path: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** Compares two recipes field by field, in the order of the first one's fields. */
export function diffRecipes(before: unknown, after: unknown): readonly RecipeDifference[] {
  const [left, right] = [flatten(before), flatten(after)];
  const paths = new Set([...left.keys(), ...right.keys()]);
  return [...paths]
    .filter((path) => JSON.stringify(left.get(path)) !== JSON.stringify(right.get(path)))
    .map((path) => ({ path, before: left.get(path), after: right.get(path) }));
}

/** One line per difference: `stages.align.steps: 100 → 200`. */
export function formatDifferences(differences: readonly RecipeDifference[]): string {
  const show = (value: unknown) => (value === undefined ? "(absent)" : JSON.stringify(value));
  return differences
    .map(({ path, before, after }) => `  ${path}: ${show(before)} → ${show(after)}`)
    .join("\n");
}

/** Leaves by dotted path. Lists and empty objects are leaves. */
function flatten(value: unknown, path = "", into = new Map<string, unknown>()): Map<string, unknown> {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  const entries = isObject ? Object.entries(value).filter(([, field]) => field !== undefined) : [];
  if (entries.length === 0) {
    into.set(path, value);
    return into;
  }
  for (const [key, field] of entries) flatten(field, path === "" ? key : `${path}.${key}`, into);
  return into;
}

/**
 * Changes single fields of a recipe, as `--set` does: `stages.align.steps=100`.
 *
 * Values are JSON where they parse as JSON, else text.
 *
 * @param assignments - In order; a later one wins.
 * @throws {@link BasicError} `E_RECIPE_INVALID` for an unknown field or a value out of range.
 */
export function applyOverrides(recipe: Recipe, assignments: readonly string[]): Recipe {
  const copy = structuredClone(recipe) as Record<string, unknown>;
  for (const assignment of assignments) assign(copy, assignment);
  return parseRecipe(copy);
}

function assign(target: Record<string, unknown>, assignment: string): void {
  const equals = assignment.indexOf("=");
  const keys = assignment.slice(0, equals).trim().split(".");
  if (equals < 1 || keys.some((key) => key === "" || key === "__proto__")) {
    throw new BasicError(
      "E_RECIPE_INVALID",
      `"${assignment}" does not change a field. Write it as path=value, for example stages.align.steps=100.`,
    );
  }
  const last = keys.pop() as string;
  let place = target;
  checkStage(target, [...keys, last], assignment);
  for (const key of keys) {
    const next = Object.hasOwn(place, key) ? place[key] : undefined;
    if (typeof next === "object" && next !== null) {
      place = next as Record<string, unknown>;
    } else {
      place[key] = {};
      place = place[key] as Record<string, unknown>;
    }
  }
  place[last] = parseValue(assignment.slice(equals + 1).trim());
}

/** A field of a stage that is not there is a typing error; a whole new stage is not. */
function checkStage(target: Record<string, unknown>, keys: readonly string[], assignment: string): void {
  const [top, name = ""] = keys;
  const { stages } = target;
  if (top !== "stages" || keys.length < 3 || typeof stages !== "object" || stages === null) return;
  if (Object.hasOwn(stages, name)) return;
  const known = Object.keys(stages);
  throw new BasicError(
    "E_RECIPE_INVALID",
    `"${assignment}": there is no stage "${name}".${didYouMean(name, known)} Known: ${known.join(", ")}.`,
  );
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    if (!/^[[{]/.test(text)) return text;
    throw new BasicError(
      "E_RECIPE_INVALID",
      `${text} is not JSON. Lists and objects need it, with text in double quotes and the whole in single ones for the shell: ` +
        `--set 'stages.align.train=["projector"]'.`,
      { cause },
    );
  }
}
