// Accuracy rows from what real runs wrote: an ablation's table.json, or run folders that differ in their seeds.
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));

/** One row per variant, on the table's first evaluation set, with what its runs say of themselves. */
export function rowsOfTable(path) {
  const { recipe, sets, variants, runs } = readJson(path);
  const [set] = sets;
  return variants
    .filter(({ metrics }) => metrics[set] !== undefined)
    .map(({ name, metrics, diagnostics }) => {
      const own = runs.filter((run) => run.variant === name && run.metrics[set] !== undefined);
      const pair = metrics[set].vqa?.difference ?? null;
      return {
        kind: "accuracy",
        recipe,
        set,
        variant: name,
        seeds: own.map(({ seed }) => seed),
        metrics: mapValues(metrics[set], ({ mean, spread }) => ({ mean, spread })),
        difference: pair && { mean: pair.mean, p: pair.p, df: pair.df },
        diagnostics: mapValues(diagnostics, ({ mean, spread }) => ({ mean, spread })),
        ...commitOf(own.map(({ out }) => join(dirname(path), basename(out)))),
      };
    });
}

const mapValues = (record, change) =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));

/** The commit that all of these runs were made at, where they know it. */
function commitOf(folders) {
  const files = folders.map((folder) => join(folder, "model", "provenance.json"));
  const commits = new Set(files.map((file) => (existsSync(file) ? readJson(file).commit : undefined)));
  const [commit] = commits;
  return commits.size === 1 && typeof commit === "string" ? { commit: commit.slice(0, 7) } : {};
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
    ...commitOf(folders),
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
