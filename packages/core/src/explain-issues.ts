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
      return `✖ ${messageOf(issue)}${given}${place}`;
    })
    .join("\n");
}

/** A union's own message says nothing: what each of its forms expects does. */
function messageOf(issue: z.core.$ZodIssue): string {
  if (issue.code !== "invalid_union") return issue.message;
  const forms = issue.errors.flatMap(([first]) =>
    first?.code === "invalid_type" && first.path.length === 0 ? [first.expected] : [],
  );
  if (forms.length === 0) return issue.message;
  return `Invalid input: expected ${[...new Set(forms)].join(" or ")}`;
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
