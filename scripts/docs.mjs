// npm run docs:tables: writes what the documentation takes from the sources: tables of recipes, kernels, templates and
// results, the examples, and docs/recipe.schema.json. `--check` fails where a file is stale.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { growthTables } from "./docs-growth.mjs";
import {
  generationTable,
  javascriptTable,
  kernelPeerTable,
  overheadTable,
  peerChart,
  peerTable,
  rooflineTable,
} from "./docs-peers.mjs";
import { diagnosticsTable, differenceTable, parseRows, resultTables, timingTable } from "./docs-results.mjs";
import {
  ablationTables,
  fieldTables,
  kernelTable,
  operationTable,
  recipeTable,
  templateTable,
} from "./docs-tables.mjs";
import { kernelTargets, stepTargets } from "./docs-targets.mjs";
import { webgpuTable } from "./docs-webgpu.mjs";
import { root } from "./steps.mjs";

/** Files with generated blocks: `<!-- generated: name -->` to `<!-- /generated -->`. */
const PAGES = [
  "README.md",
  "docs/recipes.md",
  "docs/fine-tuning.md",
  "docs/kernels.md",
  "docs/results.md",
  "docs/benchmarks.md",
  "benchmarks/README.md",
  "docs/writing-a-loss.md",
  "docs/writing-a-projector.md",
  "docs/writing-an-encoder.md",
  "docs/your-own.md",
];

/** Files of docs/examples/parts that the pages on own parts show whole. */
const PART_FILES = [
  "my-losses.mjs",
  "my-losses.test.mjs",
  "my-projectors.mjs",
  "my-projectors.test.mjs",
  "my-encoders.mjs",
  "my-languages.mjs",
  "my-languages.test.mjs",
  "my-parts.yaml",
  "my-recipe.yaml",
  "vitest.config.mjs",
];

/** All documents as they should be, by path. `sources`: exports of core, data, recipes and the CUDA backend. */
export function renderDocuments({ core, data, recipes, cuda }) {
  const results = parseRows(resultTexts());
  const example = (name, language) => fenced(read(`docs/examples/${name}`), language);
  const schema = core.recipeJsonSchema();
  const blocks = {
    results: () => resultTables(results),
    "differences to plain training": () => differenceTable(results),
    "visual embeddings": () => diagnosticsTable(results),
    "kernel results": () =>
      timingTable(results.filter(({ kind, mode }) => kind === "timing" && mode !== "train")),
    "peer results": () => peerTable(results),
    "step targets": () => stepTargets(results),
    "kernel targets": () => kernelTargets(results),
    "kernels beside libraries": () => kernelPeerTable(results),
    "generation beside llama.cpp": () => generationTable(results),
    "products beside JavaScript engines": () => javascriptTable(results),
    "cost growth": () => growthTables(results),
    "WebGPU beside stock operations": () => webgpuTable(results),
    roofline: () => rooflineTable(results),
    "cost of BASIC": () => overheadTable(results),
    library: () => example("library.mjs", "js"),
    "recipe.ts": () => example("recipe.ts", "ts"),
    "recipe.yaml": () => example("recipe.yaml", "yaml"),
    "lora.yaml": () => example("lora.yaml", "yaml"),
    "lora.mjs": () => example("lora.mjs", "js"),
    ...Object.fromEntries(
      PART_FILES.map((name) => [
        name,
        () => example(`parts/${name}`, name.endsWith(".yaml") ? "yaml" : "js"),
      ]),
    ),
    recipes: () => recipeTable(recipes.recipes),
    ablation: () => ablationTables(recipes.lossVariants, recipes.presets),
    fields: () => fieldTables(schema),
    templates: () => templateTable(data.TEMPLATES, data.conversationSegments),
    kernels: () => kernelTable(core.allContracts),
    "operations on CUDA": () => operationTable(cuda.stockKernels),
  };
  const pages = PAGES.map((path) => [path, fill(read(path), blocks, path)]);
  const title = { $id: "recipe.schema.json", title: "basic-mllm recipe", ...schema };
  return new Map([
    ...pages,
    ["docs/images/peers.svg", peerChart(results)],
    ["docs/recipe.schema.json", `${JSON.stringify(title, null, 2)}\n`],
  ]);
}

function read(path) {
  return readFileSync(join(root, path), "utf8");
}

function resultTexts() {
  const folder = "benchmarks/results";
  if (!existsSync(join(root, folder))) return [];
  const files = readdirSync(join(root, folder)).filter((name) => name.endsWith(".jsonl"));
  return files.sort().map((name) => read(`${folder}/${name}`));
}

function fenced(text, language) {
  return `\`\`\`${language}\n${text.trimEnd()}\n\`\`\``;
}

/** Puts each block between its markers. */
function fill(text, blocks, path) {
  return text.replace(
    /(<!-- (?:generated: )?([^/>]+?) -->\n)[\s\S]*?(<!-- \/(?:generated|results) -->)/g,
    (_, open, name, close) => {
      const block = blocks[name];
      if (block === undefined) throw new Error(`${path}: there is no generated block "${name}"`);
      return `${open}\n${block()}\n\n${close}`;
    },
  );
}

/** Paths of the documents that differ from what they should be; they are written unless `check`. */
export function updateDocuments(sources, { check }) {
  const stale = [...renderDocuments(sources)].filter(([path, text]) => readIfThere(path) !== text);
  if (!check) for (const [path, text] of stale) writeFileSync(join(root, path), text);
  return stale.map(([path]) => path);
}

function readIfThere(path) {
  try {
    return read(path);
  } catch {
    return "";
  }
}

async function main() {
  const { withSource } = await import("./sources.mjs");
  const load = (name) => withSource(join(root, "packages", name, "src/index.ts"), (exported) => exported);
  const sources = {
    core: await load("core"),
    data: await load("data"),
    recipes: await load("recipes"),
    cuda: await load("backend-cuda"),
  };
  const check = process.argv.includes("--check");
  const stale = updateDocuments(sources, { check });
  if (stale.length === 0) return;
  if (!check) process.stdout.write(`Wrote ${stale.join(", ")}\n`);
  else {
    process.stderr.write(`Stale: ${stale.join(", ")}. Run \`npm run docs:tables\` and commit the result.\n`);
    process.exitCode = 1;
  }
}

if (process.argv[1] === import.meta.filename) await main();
