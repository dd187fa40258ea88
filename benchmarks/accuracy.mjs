// Accuracy rows from what real runs wrote: an ablation's table.json, or run folders that differ in their seeds.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));

/** One row per variant, on the table's first evaluation set. */
export function rowsOfTable(path) {
  const { recipe, seeds, sets, variants } = readJson(path);
  const [set] = sets;
  return variants
    .filter(({ metrics }) => metrics[set] !== undefined)
    .map(({ name, metrics }) => {
      const numbers = Object.entries(metrics[set]).map(([metric, { mean, spread }]) => [
        metric,
        { mean, spread },
      ]);
      return { kind: "accuracy", recipe, set, variant: name, seeds, metrics: Object.fromEntries(numbers) };
    });
}

/** The runs' mean on their first evaluation set, and that of their baseline without pictures. */
export function rowsOfRuns(folders) {
  const runs = folders.map((folder) => ({
    recipe: readJson(join(folder, "recipe.json")),
    result: readJson(join(folder, "evaluation.json")),
  }));
  const { recipe, result } = runs[0];
  const names = new Set(runs.map((run) => run.recipe.name));
  if (names.size > 1) throw new Error(`These runs have different recipes: ${[...names].join(", ")}.`);
  const common = {
    kind: "accuracy",
    recipe: recipe.name,
    set: result.evaluations[0].split,
    seeds: runs.map((run) => run.recipe.seed),
  };
  const blind = runs.map((run) => run.result.blind).filter((metrics) => metrics !== null);
  return [
    { ...common, variant: lossesOf(recipe), metrics: means(runs.map((run) => run.result.metrics)) },
    ...(blind.length === runs.length ? [{ ...common, variant: "no pictures", metrics: means(blind) }] : []),
  ];
}

/** `0.05 direction + 0.01 distribution`, from the last stage. */
function lossesOf({ stages }) {
  const losses = Object.entries(Object.values(stages).at(-1).losses).filter(([name]) => name !== "language");
  return losses.map(([name, { weight }]) => `${weight} ${name}`).join(" + ") || "none";
}

/** Mean and standard deviation of each metric over runs. */
function means(runs) {
  return Object.fromEntries(
    Object.keys(runs[0]).map((metric) => {
      const values = runs.map((run) => run[metric]);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
      return [metric, { mean, spread: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 }];
    }),
  );
}
