// Tables of the documentation, made from the sources so that they cannot differ from them. Strings in, strings out.

/** A markdown table. */
export function table(header, rows) {
  const line = (cells) => `| ${cells.map((cell) => String(cell).replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(header), line(header.map(() => "---")), ...rows.map(line)].join("\n");
}

const code = (text) => `\`${text}\``;

/** Every field of a recipe, one table per part. `schema`: what recipeJsonSchema() returns. */
export function fieldTables(schema) {
  const [vlm, ...others] = schema.anyOf;
  const main = sections(vlm);
  const parts = main.map((section) => sectionText("###", section));
  for (const other of others) parts.push(taskText(other, main));
  return parts.join("\n\n");
}

/** What another task has instead of a multimodal recipe's fields. */
function taskText(schema, main) {
  const rowsOf = (list) => list.flatMap(({ rows }) => rows);
  const [before, after] = [rowsOf(main), rowsOf(sections(schema))];
  const known = new Set(before.map(String));
  const paths = new Set(after.map(([path]) => path));
  const top = (path) => path.replaceAll("`", "").split(".")[0];
  const kept = new Set([...paths].map(top));
  const gone = new Set(
    before
      .filter(([path]) => !paths.has(path))
      .map(([path]) => (kept.has(top(path)) ? path : code(top(path)))),
  );
  return [
    `### ${code(`task: ${schema.properties.task.const}`)}`,
    `The fields above without ${[...gone].join(", ")}, and with these. What only pictures with questions use stays at its default: ${code("evaluation")}, ${code("data.evaluation")}, ${code("data.folder")}, ${code("data.onImageError")}, ${code("template")}, ${code("rowBudget")}, and losses besides its own.`,
    table(
      FIELD_HEADER,
      after.filter((row) => !known.has(String(row))),
    ),
  ].join("\n\n");
}

const FIELD_HEADER = ["field", "value", "default", ""];

function sectionText(mark, { title, description, rows }) {
  return [`${mark} ${title}`, description, table(FIELD_HEADER, rows)]
    .filter((part) => part !== "")
    .join("\n\n");
}

/** The fields at the top, then one section for each that has fields of its own. */
function sections(root) {
  const top = [];
  const below = [];
  const seen = new Map();
  for (const [name, node] of Object.entries(root.properties)) {
    const inner = node.properties ?? node.additionalProperties?.properties;
    if (inner === undefined) {
      top.push(fieldRow(name, node, root.required?.includes(name)));
      continue;
    }
    const path = node.properties === undefined ? `${name}.<name>` : name;
    const rows = fieldRows(path, node.properties === undefined ? node.additionalProperties : node, seen);
    below.push({ title: code(path), description: node.description ?? "", rows });
  }
  return [{ title: "The recipe", description: "", rows: top }, ...below];
}

/** Rows of an object's fields, and of the fields inside of them. A form that came before is named, not repeated. */
function fieldRows(path, node, seen) {
  return Object.entries(node.properties).flatMap(([name, field]) => {
    const own = `${path}.${name}`;
    const record = field.additionalProperties;
    const options = record?.anyOf ?? field.anyOf ?? [];
    const inner = options.find((option) => option.properties !== undefined);
    const row = fieldRow(own, field, node.required?.includes(name));
    if (inner === undefined) return [row];
    const key = JSON.stringify(inner);
    const before = seen.get(key);
    if (before !== undefined) return [[row[0], `${row[1]}; as ${code(before)}`, row[2], row[3]]];
    const place = record === undefined ? own : `${own}.<name>`;
    seen.set(key, place);
    return [row, ...fieldRows(place, inner, seen)];
  });
}

function fieldRow(path, node, required) {
  const fallback =
    node.default === undefined ? (required ? "required" : "–") : code(JSON.stringify(node.default));
  return [code(path), typeOf(node), fallback, node.description ?? ""];
}

/** A type in words. */
function typeOf(node) {
  if (node.anyOf !== undefined) return node.anyOf.map(typeOf).join(" or ");
  if (node.const !== undefined) return code(node.const);
  if (node.enum !== undefined) return node.enum.map(code).join(", ");
  if (node.prefixItems !== undefined) return `[${node.prefixItems.map(typeOf).join(", ")}]`;
  if (node.type === "array") return `list of ${typeOf(node.items)}`;
  if (node.properties !== undefined) return code(`{ ${Object.keys(node.properties).join(", ")} }`);
  if (node.type === "object") {
    const inner = typeOf(node.additionalProperties ?? {});
    return inner === "anything" ? "options by name" : `by name: ${inner}`;
  }
  if (node.type === "integer" || node.type === "number") return numberType(node);
  return { string: "text", boolean: "true or false", null: "null" }[node.type] ?? "anything";
}

function numberType({ type, minimum, exclusiveMinimum, maximum, exclusiveMaximum }) {
  const word = type === "integer" ? "whole number" : "number";
  const safe = (bound) =>
    bound !== undefined && Math.abs(bound) < Number.MAX_SAFE_INTEGER ? bound : undefined;
  const bounds = [
    [">", safe(exclusiveMinimum)],
    ["≥", safe(minimum)],
    ["<", safe(exclusiveMaximum)],
    ["≤", safe(maximum)],
  ].flatMap(([sign, bound]) => (bound === undefined ? [] : [`${sign} ${bound}`]));
  return [word, bounds.join(" and ")].join(" ").trimEnd();
}

/** Every kernel contract; shapes are those of its first case. */
export function kernelTable(contracts) {
  const rows = contracts.map((contract) => {
    const [first] = contract.cases;
    const shapes = Object.fromEntries(contract.inputs.map((name) => [name, first.inputs[name].shape]));
    const inputs = contract.inputs.map((name) => `${name} ${shape(shapes[name])}`);
    const outputs = contract.infer(shapes, first.attrs).map(shape);
    const gradient = contract.gradient === null ? "–" : contract.differentiable.join(", ");
    return [
      code(contract.name),
      inputs.join(", "),
      outputs.join(", "),
      gradient,
      contract.cases.length,
      toleranceText(contract.tolerance),
    ];
  });
  const header = ["kernel", "inputs of the first case", "its outputs", "gradient to", "cases", "tolerance"];
  return table(header, rows);
}

/** Stock operations of tfjs that a backend has kernels for, by what they do. */
export function operationTable(families) {
  const rows = Object.entries(families).map(([family, names]) => [family, names.map(code).join(", ")]);
  return table(["operations", "tfjs kernels"], rows);
}

function toleranceText({ absolute, relative }) {
  if (absolute === 0 && relative === 0) return "exact";
  const number = (value) => (value === 0 ? "0" : value.toExponential());
  return `${number(absolute)} + ${number(relative)}·max`;
}

const shape = (sizes) => `[${sizes.join(", ")}]`;

const EXAMPLE = {
  id: "example",
  images: ["cat.png"],
  conversations: [
    { from: "human", value: "<image>\nwhat is this ?" },
    { from: "gpt", value: "a cat" },
  ],
  metadata: {},
};

/** Every template with what it makes of one sample. `segments`: conversationSegments of @basic-mllm/data. */
export function templateTable(templates, segments) {
  const rows = Object.values(templates).map((template) => {
    const all = segments(template, EXAMPLE);
    const text = (list) => code(list.map(segmentText).join("").replaceAll("\n", "⏎"));
    const weight = (segment) => segment.weight ?? 0;
    const first = all.findIndex((segment) => weight(segment) > 0);
    return [
      code(template.name),
      text(all.slice(0, first)),
      text(all.filter((segment) => weight(segment) > 0)),
    ];
  });
  return table(["template", "context", "trained"], rows);
}

function segmentText(segment) {
  if (segment.kind === "text") return segment.text;
  return { begin: "⟨bos⟩", image: "⟨image⟩", end: "⟨eos⟩" }[segment.kind];
}

/** Recipes that ship. */
export function recipeTable(recipes) {
  const rows = Object.values(recipes).map(({ name, task, description, stages }) => {
    const steps = Object.entries(stages).map(([stage, own]) => {
      const length = typeof own.steps === "number" ? `${own.steps} steps` : `${own.steps.epochs} epochs`;
      return `${stage}: ${length} of ${own.batchSize * own.accumulate}, trains ${own.train.join(" + ")}`;
    });
    const link = `[${code(name)}](../packages/recipes/src/__golden__/${name}.json)`;
    return [link, code(task), steps.join("; "), description];
  });
  return table(["recipe", "task", "stages", ""], rows);
}

/** What `ablate` knows. */
export function ablationTables(variants, presets) {
  const variantRows = variants.map(({ name, description }) => [code(name), description]);
  const presetRows = Object.entries(presets).map(([name, own]) => [
    code(name),
    own.map((variant) => variant.name).join(", "),
  ]);
  return [table(["`--losses`", ""], variantRows), table(["`--preset`", "variants"], presetRows)].join("\n\n");
}
