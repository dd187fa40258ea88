import { z } from "zod";

/** Longest given value in a message; the place says where to see the rest. */
const LONGEST = 60;

/** Problems that zod found, one after the other: what was expected, what was given, and where. */
export function explainIssues(error: z.ZodError, input: unknown): string {
  return error.issues
    .toSorted((a, b) => a.path.length - b.path.length)
    .map((issue) => {
      const ofKey = issue.code === "unrecognized_keys" || issue.code === "invalid_key";
      const given = ofKey ? "" : givenText(valueAt(input, issue.path));
      const place = issue.path.length === 0 ? "" : `\n  → at ${z.core.toDotPath(issue.path)}`;
      return `✖ ${issue.message}${given}${place}`;
    })
    .join("\n");
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

/** Nothing where there is no value: the problem says then what is missing. */
function givenText(value: unknown): string {
  if (value === undefined) return "";
  const text = (typeof value === "number" ? undefined : JSON.stringify(value)) ?? String(value);
  return `, got ${text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text}`;
}
