import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { quickstart, SMOLLM2_FILE } from "@basic-mllm/recipes";

import { afterEach, describe, expect, it, vi } from "vitest";

import { cli } from "../test/run-cli.js";
import { loadRecipe } from "./session/load-recipe.js";

const folders: string[] = [];

afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "basic-mllm-main-"));
  folders.push(folder);
  return folder;
}

async function failure(...argv: readonly string[]): Promise<readonly [code: number, text: string]> {
  const { code, out } = await cli(argv);
  return [code, out.trimEnd()];
}

describe("wrong usage exits with 2 and says what is possible", () => {
  it("for an unknown command", async () => {
    expect(await failure("trian")).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm: there is no command "trian". Did you mean "train"? Commands are ls, train, eval, chat, ablate, report, convert, check, cp, data, doctor. [E_USAGE]",
      ]
    `);
  });

  it("for an unknown option", async () => {
    expect(await failure("eval", "runs/x", "--verbose")).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm eval: there is no option "--verbose". Options are --set-name, --limit, --threads, --json, --help. See \`basic-mllm eval --help\`. [E_USAGE]",
      ]
    `);
    expect(await failure("train", "quickstart", "--step", "5")).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm train: there is no option "--step". Did you mean "--steps"? Options are --backend, --devices, --seed, --steps, --out, --resume, --previous, --set, --threads, --workers, --memory-limit, --device-memory, --blind, --dry, --report, --json, --help. See \`basic-mllm train --help\`. [E_USAGE]",
      ]
    `);
  });

  it("for a missing argument", async () => {
    expect(await failure("train")).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm train: Missing required positional argument: RECIPE. See \`basic-mllm train --help\`. [E_USAGE]",
      ]
    `);
    expect(await failure("chat", "runs/x")).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm chat: expected a run (a folder with recipe.json), a language model (a folder with config.json) or a GGUF file, got runs/x. Give one of these, for example runs/quickstart-0. [E_USAGE]",
      ]
    `);
  });

  it("for an unknown recipe", async () => {
    expect(await failure("train", "quikstart")).toMatchInlineSnapshot(`
      [
        2,
        "error There is no recipe "quikstart". Did you mean "quickstart"? Known: quickstart, smoke, smollm2, tiny-encoder, tiny-lm; or give a file that ends in .ts, .mts, .js, .mjs, .yaml, .yml, .json. [E_RECIPE_UNKNOWN]",
      ]
    `);
  });

  it("for an unknown field of a recipe and a value out of range", async () => {
    expect(await failure("train", "quickstart", "--set", "stages.align.step=5")).toMatchInlineSnapshot(`
      [
        2,
        "error Recipe "quickstart" is not valid.
      ✖ Unrecognized key: "step"
        → at stages.align
        "step": Did you mean "steps"? [E_RECIPE_INVALID]",
      ]
    `);
    expect(await failure("train", "quickstart", "--set", "stages.align.batchSize=0")).toMatchInlineSnapshot(`
      [
        2,
        "error Recipe "quickstart" is not valid.
      ✖ Too small: expected number to be >0, got 0
        → at stages.align.batchSize [E_RECIPE_INVALID]",
      ]
    `);
    expect(await failure("train", "quickstart", "--set", "seed")).toMatchInlineSnapshot(`
      [
        2,
        "error "seed" does not change a field. Write it as path=value, for example stages.align.steps=100. [E_RECIPE_INVALID]",
      ]
    `);
  });

  it("for a stage that is not there, a list that is no JSON, and a learning rate that is no number", async () => {
    const train = (set: string) => failure("train", "quickstart", "--set", set);
    expect(await train("stages.aling.steps=5")).toMatchInlineSnapshot(`
      [
        2,
        "error "stages.aling.steps=5": there is no stage "aling". Did you mean "align"? Known: align, finetune. [E_RECIPE_INVALID]",
      ]
    `);
    expect(await train("stages.align.train=[projektor]")).toMatchInlineSnapshot(`
      [
        2,
        "error [projektor] is not JSON. Lists and objects need it, with text in double quotes and the whole in single ones for the shell: --set 'stages.align.train=["projector"]'. [E_RECIPE_INVALID]",
      ]
    `);
    expect(await train("stages.align.learningRate=abc")).toMatchInlineSnapshot(`
      [
        2,
        "error Recipe "quickstart" is not valid.
      ✖ Invalid input: expected number or record, got "abc"
        → at stages.align.learningRate [E_RECIPE_INVALID]",
      ]
    `);
  });

  it("for arguments too many, a file as run folder, and a folder in use", async () => {
    expect(await failure("train", "smoke", "quickstart")).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm train: expected RECIPE, got also "quickstart". Remove it, or see \`basic-mllm train --help\`. [E_USAGE]",
      ]
    `);
    const folder = await temporaryFolder();
    const file = join(folder, "recipe.json");
    await writeFile(file, "{}");
    const [code, text] = await failure("train", "smoke", "--out", file);
    expect([code, text.replaceAll(folder, "FOLDER")]).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm train: --out must be a folder, got the file FOLDER/recipe.json. Give another path. [E_USAGE]",
      ]
    `);
    const [again, used] = await failure("train", "smoke", "--out", folder);
    expect([again, used.replaceAll(folder, "FOLDER")]).toMatchInlineSnapshot(`
      [
        2,
        "error There is a run in FOLDER already. Continue it with --resume, choose another folder with --out, or remove it. [E_USAGE]",
      ]
    `);
  });

  it("for a TypeScript recipe where our packages are not installed", async () => {
    const file = join(await temporaryFolder(), "mine.mjs");
    await writeFile(file, "throw new Error(\"Cannot find module '@basic-mllm/core'\");");
    expect((await failure("check", file))[1]).toContain("npm install @basic-mllm/core");
  });

  it("for a path that the file system refuses", async () => {
    const file = join(await temporaryFolder(), "file");
    await writeFile(file, "");
    const { code, out } = await cli(["cp", "smoke", join(file, "r.ts")]);
    expect([code, out]).toEqual([1, expect.stringMatching(/^error The file system refused: E.*Check that/)]);
  });

  it("for two backends", async () => {
    expect(await failure("train", "quickstart", "--backend", "cpu,webgpu")).toMatchInlineSnapshot(`
      [
        2,
        "error Recipe "quickstart" is not valid.
      ✖ use one backend name such as cpu or tfjs:wasm, got "cpu,webgpu"
        → at backend [E_RECIPE_INVALID]",
      ]
    `);
  });

  it("for a number that is none", async () => {
    expect(await failure("train", "quickstart", "--threads", "0")).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm train: --threads must be a whole number of at least 1, got "0". [E_USAGE]",
      ]
    `);
    expect(await failure("eval", "runs/x", "--limit", "few")).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm eval: --limit must be a whole number of at least 1, got "few". [E_USAGE]",
      ]
    `);
    expect(await failure("chat", "runs/x", "--image", "a.png", "--temperature", "-1")).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm chat: --temperature must be a number of at least 0, got "-1". [E_USAGE]",
      ]
    `);
  });

  it("for --previous without --resume", async () => {
    expect(await failure("train", "quickstart", "--previous")).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm train: --previous chooses the checkpoint to resume from, and --resume is not given. Write --resume --previous. [E_USAGE]",
      ]
    `);
  });

  it("for a folder without a run", async () => {
    expect(await failure("eval", "runs/none")).toMatchInlineSnapshot(`
      [
        2,
        "error There is no run in runs/none: expected runs/none/recipe.json. Give the folder that \`basic-mllm train\` wrote, for example runs/quickstart-0. [E_USAGE]",
      ]
    `);
    expect(await failure("report", "runs/none")).toMatchInlineSnapshot(`
      [
        2,
        "error runs/none has nothing to report: expected runs/none/report.json or evaluation.json, which \`basic-mllm train\` writes at its end. Give the folder of a finished run, or finish this one with --resume. [E_USAGE]",
      ]
    `);
  });

  it("for an ablation of nothing, of something unknown, and of a recipe without visual losses", async () => {
    expect(await failure("ablate", "quickstart")).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm ablate: give either --losses or --preset. Losses: none, das, das-weak, sds, both, both-finetune-only, das-nce, emu-l2, vw-kl, viral-cos, viral-gram, smooth-l1. Presets: paper:losses, paper:layer-weights, paper:patch-weights. [E_USAGE]",
      ]
    `);
    expect(await failure("ablate", "tiny-lm", "--losses", "none")).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm ablate: recipe "tiny-lm" (task language) has no visual losses to compare. Give a multimodal recipe. [E_USAGE]",
      ]
    `);
    expect(await failure("ablate", "quickstart", "--losses", "none,das-nec")).toMatchInlineSnapshot(`
      [
        2,
        "error There is no loss variant "das-nec". Did you mean "das-nce"? Known: none, das, das-weak, sds, both, both-finetune-only, das-nce, emu-l2, vw-kl, viral-cos, viral-gram, smooth-l1. [E_NAME_UNKNOWN]",
      ]
    `);
    expect(await failure("ablate", "quickstart", "--preset", "paper:loses")).toMatchInlineSnapshot(`
      [
        2,
        "error There is no preset "paper:loses". Did you mean "paper:losses"? Known: paper:losses, paper:layer-weights, paper:patch-weights. [E_NAME_UNKNOWN]",
      ]
    `);
  });

  it("for data without a verb, with another builder, or with an option out of range", async () => {
    expect(await failure("data")).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm data: expected build or validate or preview, got nothing. See \`basic-mllm data --help\`. [E_USAGE]",
      ]
    `);
    expect(await failure("data", "build", "scene", "--out", "x")).toMatchInlineSnapshot(`
      [
        2,
        "error There is no data builder "scene", and no recipe. Did you mean "scenes"? Known: scenes, quickstart, smoke, smollm2, tiny-encoder, tiny-lm. [E_NAME_UNKNOWN]",
      ]
    `);
    expect(await failure("data", "build", "scenes")).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm data build: --out is needed, the folder to write. For example: basic-mllm data build scenes --out my-scenes. [E_USAGE]",
      ]
    `);
    expect(await failure("data", "build", "tiny-lm")).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm data build: the data of recipe "tiny-lm" are not built as files: it names the builder "scenes-corpus". Train it as it is. [E_USAGE]",
      ]
    `);
    expect(
      await failure("data", "build", "scenes", "--out", "x", "--variant", "cube"),
    ).toMatchInlineSnapshot(`
      [
        2,
        "error Options of the builder "scenes" are not valid.
      ✖ Invalid option: expected one of "solo"|"grid", got "cube"
        → at variant
      Known: variant, train1, train2, test, seed, testStyle, validationStyle, excludeValidationStyle, heldOut. [E_RECIPE_INVALID]",
      ]
    `);
  });
});

describe("--json", () => {
  it("gives an error as the last line of stdout, and text for people on stderr", async () => {
    const { code, out, err } = await cli(["train", "quikstart", "--json"]);
    expect(code).toBe(2);
    expect(JSON.parse(out)).toEqual({
      error: { code: "E_RECIPE_UNKNOWN", message: expect.stringContaining('Did you mean "quickstart"?') },
    });
    expect(err).toContain("error There is no recipe");
  });
});

describe("the verbs that only look", () => {
  it("ls lists recipes, parts and backends with the reason why one does not run", async () => {
    vi.stubEnv("CUDA_VISIBLE_DEVICES", "");
    vi.stubEnv("BASIC_MLLM_TENSORFLOW", "/none");
    const { code, json, err } = await cli(["ls", "--json"]);
    vi.unstubAllEnvs();
    expect([code, err]).toEqual([0, expect.stringContaining("quickstart")]);
    expect(json()).toMatchObject({
      recipes: expect.arrayContaining([expect.objectContaining({ name: "quickstart", runs: true })]),
      losses: expect.arrayContaining(["language", "direction", "distribution", "das-nce"]),
      backends: [
        { name: "cpu", works: true },
        { name: "webgpu", works: true, description: expect.not.stringMatching(/^WGSL/) },
        { name: "cuda", works: false, reason: expect.stringMatching(/no (NVIDIA driver|CUDA device)/) },
        { name: "tensorflow", works: false, reason: expect.stringContaining("tfjs-node is not installed") },
      ],
    });
  });

  it("ls says which file a recipe lacks and how to get it, and opens none", async () => {
    const [folder, here] = [await temporaryFolder(), process.cwd()];
    const listed = async () => {
      const { json, err } = await cli(["ls", "--json"]);
      const { recipes } = json<{ recipes: readonly { name: string; runs: boolean; reason?: string }[] }>();
      const row = err.split("\n").find((line) => line.includes("SmolLM2-135M with"));
      return { recipe: recipes.find(({ name }) => name === "smollm2"), row, err };
    };
    process.chdir(folder);
    try {
      const without = await listed();
      const reason = /^There is no GGUF file .*SmolLM2.*Run `node scripts\/fetch-gguf\.mjs` in a clone/;
      expect(without.recipe).toMatchObject({ runs: false, reason: expect.stringMatching(reason) });
      expect(without.row).toMatch(/^ {2}smollm2 +cpu +no: file missing +SmolLM2/);
      expect(without.err).toContain(`  smollm2: ${without.recipe?.reason}`);
      await mkdir(join(folder, ".cache/gguf"), { recursive: true });
      await writeFile(join(folder, ".cache/gguf", SMOLLM2_FILE), "no model");
      const { recipe, row } = await listed();
      expect([recipe?.runs, recipe?.reason]).toEqual([true, undefined]);
      expect(row).toMatch(/^ {2}smollm2 +cpu +yes +SmolLM2/);
    } finally {
      process.chdir(here);
    }
  });

  it("doctor checks the machine", async () => {
    vi.stubEnv("BASIC_MLLM_CACHE", "/none/of/these/exists");
    vi.stubEnv("CUDA_VISIBLE_DEVICES", "");
    const { json, err } = await cli(["doctor", "--json"]);
    vi.unstubAllEnvs();
    const { checks } = json<{ checks: { name: string; ok: boolean; value: string }[] }>();
    const values = Object.fromEntries(checks.map(({ name, value }) => [name, value]));
    expect(values).toMatchObject({
      processor: expect.stringMatching(/, \d+ threads$/),
      memory: expect.stringMatching(/^\d.* [GT]B, .+ free$/),
      "disk here": expect.stringMatching(/^.+: \d.* free$/),
      cache: expect.stringMatching(/^\/none\/of\/these\/exists: \d.* free$/),
    });
    expect(err).toMatch(/backend cuda +does not run here\. There is no (NVIDIA driver|CUDA device)/);
    expect(checks.map(({ name }) => name)).toEqual(expect.arrayContaining(["Node", "memory", "backend cpu"]));
    expect(checks.find(({ name }) => name === "backend cpu")).toMatchObject({
      ok: true,
      value: expect.stringMatching(/^(native|WebAssembly) kernels, \w+, \d+ threads?/),
    });
  });

  it("check prints the schema of recipes for editors", async () => {
    const { out } = await cli(["check", "quickstart", "--schema"]);
    expect(JSON.parse(out)).toHaveProperty("anyOf");
  });

  it("cp writes the same recipe under the file's name, and does not overwrite it", async () => {
    const file = join(await temporaryFolder(), "mine.ts");
    expect((await cli(["cp", "quickstart", file])).code).toBe(0);
    const text = await readFile(file, "utf8");
    // Outside of a project our packages are not found.
    await writeFile(`${file}.mjs`, text.replace(/^import .*$/m, "const defineRecipe = (recipe) => recipe;"));
    expect(await loadRecipe(`${file}.mjs`)).toEqual({ ...quickstart, name: "mine" });
    const again = await cli(["cp", "quickstart", file]);
    expect([again.code, again.out]).toEqual([2, expect.stringContaining("overwrite it with --force")]);
  });

  it("cp names the copy as recipes may be called, and writes modules only", async () => {
    const folder = await temporaryFolder();
    expect((await cli(["cp", "smoke", join(folder, "My_Recipe.mjs")])).code).toBe(0);
    expect(await readFile(join(folder, "My_Recipe.mjs"), "utf8")).toContain('name: "my-recipe"');
    const other = await cli(["cp", "smoke", join(folder, "mine.yaml")]);
    expect([other.code, other.out.trimEnd().replace(folder, "FOLDER")]).toEqual([
      2,
      'error basic-mllm cp: FILE must end in .ts, .mts, .js, .mjs, since a module is written, got "FOLDER/mine.yaml". For JSON: basic-mllm check smoke --expand > my-recipe.json. [E_USAGE]',
    ]);
  });

  it("refuses an option without a value, which would be the current folder or a folder called as an option", async () => {
    const empty = "error basic-mllm train: --out is empty. Give it a value, or leave it out. [E_USAGE]";
    expect(await failure("train", "smoke", "--out")).toEqual([2, empty]);
    expect(await failure("train", "smoke", "--out=")).toEqual([2, empty]);
    expect(await failure("train", "smoke", "--out", "--resume")).toEqual([
      2,
      "error basic-mllm train: --out has no value, the next word is the option --resume. Give it a value (--out=VALUE where that begins with -), or leave it out. [E_USAGE]",
    ]);
  });
});
