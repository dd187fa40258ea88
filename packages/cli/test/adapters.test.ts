import { existsSync } from "node:fs";
import { cp, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDecoder, createVit, type VlmRecipe } from "@basic-mllm/core";
import { openSafetensors, parseHuggingFaceConfig, saveHuggingFace } from "@basic-mllm/weights";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { loadRecipe } from "../src/session/load-recipe.js";
import { restoreRun } from "../src/session/open-run.js";
import { prepare } from "../src/session/train-run.js";
import { openVlm } from "../src/session/vlm.js";
import { createTerminal } from "../src/terminal.js";
import { javascriptCalls } from "./javascript-calls.js";
import { LANGUAGE, VISION, WORD_COUNT, writeMiniTask } from "./mini.js";
import { cli } from "./run-cli.js";

const LORA = { rank: 2, alpha: 4, dropout: 0.2, targets: ["q_proj", "*.mlp.*"] };

/** A model of random weights in a folder. */
async function writeModel(path: string, config: Readonly<Record<string, unknown>>, seed = 1): Promise<void> {
  const parsed = parseHuggingFaceConfig(config, "config");
  if (parsed.kind === "vision") {
    const vision = createVit(parsed.config, { seed });
    await saveHuggingFace(path, { kind: "vision", vision });
    vision.parameters.dispose();
  } else if (parsed.kind === "language") {
    const language = createDecoder(parsed.config, { seed });
    await saveHuggingFace(path, { kind: "language", language });
    language.parameters.dispose();
  }
}

/** LLaVA's finetune_lora in small: adapters and projector, each at its own rate. */
function stages(steps: number) {
  const stage = { batchSize: 3, logEvery: 1, checkpointEvery: 2 };
  return {
    align: { ...stage, train: ["projector"], learningRate: 1e-2, steps: 2 },
    finetune: {
      ...stage,
      train: ["projector", "lora"],
      template: "chat",
      learningRate: { projector: 1e-3, lora: 2e-2 },
      steps,
    },
  };
}

function model(tokenizer: string, changes: Readonly<Record<string, unknown>> = {}) {
  return {
    vision: { name: "siglip", options: { config: VISION } },
    visionLayer: -1,
    projector: { name: "mlp2x_gelu" },
    language: { name: "llama", options: { config: LANGUAGE } },
    tokenizer,
    ...changes,
  };
}

describe("a run with adapters", () => {
  let folder: string;
  let file: string;
  const out = () => join(folder, "run");
  const terminal = createTerminal({ json: true });

  /** A recipe of the mini task. */
  async function write(name: string, changes: Readonly<Record<string, unknown>>): Promise<string> {
    const path = await writeMiniTask(folder, { evaluation: { blind: false }, ...changes });
    const own = join(folder, `${name}.json`);
    await cp(path, own);
    return own;
  }

  async function open(path: string) {
    const recipe = (await loadRecipe(path)) as VlmRecipe;
    await prepare(recipe);
    return openVlm({ recipe, terminal, cache: join(folder, "cache") });
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "basic-mllm-adapters-"));
    vi.stubEnv("BASIC_MLLM_CACHE", join(folder, "cache"));
    const tokenizer = join(folder, "tokenizer");
    file = await write("lora", { model: model(tokenizer, { lora: LORA }), stages: stages(5) });
    const { code, err } = await cli(["train", file, "--out", out(), "--no-report"]);
    expect(code, err).toBe(0);
  }, 60_000);
  afterAll(async () => {
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true, force: true });
  });

  it("saves adapter, projector and merged model, and checkpoints of what trains alone", async () => {
    const config = JSON.parse(await readFile(join(out(), "model/adapter/adapter_config.json"), "utf8"));
    expect(config).toMatchObject({
      r: 2,
      lora_alpha: 4,
      lora_dropout: 0.2,
      base_model_name_or_path: "llama",
    });
    expect(config.target_modules).toEqual(["q_proj", "gate_proj", "up_proj", "down_proj"]);
    expect(openSafetensors(join(out(), "model/mm_projector.safetensors")).names).toEqual([
      "model.mm_projector.0.weight",
      "model.mm_projector.0.bias",
      "model.mm_projector.2.weight",
      "model.mm_projector.2.bias",
    ]);
    const state = openSafetensors(join(out(), "checkpoints/step-00000007/state.safetensors"));
    const groups = state.names.flatMap((name) => /^parameter\/([^/]+)/.exec(name)?.[1] ?? []);
    expect(new Set(groups)).toEqual(new Set(["projector", "lora"]));
    const position = JSON.parse(
      await readFile(join(out(), "checkpoints/step-00000007/position.json"), "utf8"),
    );
    expect(Object.keys(position.frozen)).toEqual(["vision", "language"]);
  });

  it("computes the same from its checkpoint and from its saved model", async () => {
    const session = await open(file);
    const weightsOf = () => {
      const name = "model.layers.0.self_attn.q_proj.weight";
      const base = session.language.parameters.get(name).value;
      const lora = session.objective.groups["lora"];
      const [a, b] = ["lora_A", "lora_B"].map((part) =>
        lora?.get(name.replace(".weight", `.${part}.weight`)).value.dataSync(),
      );
      const values = base.dataSync();
      const [outputs = 0, inputs = 0] = base.shape;
      return Float32Array.from({ length: outputs * inputs }, (_, i) => {
        const [o, at] = [Math.floor(i / inputs), i % inputs];
        const update = [0, 1].reduce(
          (sum, k) => sum + (b?.[o * 2 + k] ?? 0) * (a?.[k * inputs + at] ?? 0),
          0,
        );
        return (values[i] as number) + 2 * update;
      });
    };
    const { recipe, lora = null, statistics = null } = session;
    const { groups } = session.objective;
    const before = weightsOf();
    expect(await restoreRun(out(), { recipe, groups, lora, statistics })).toMatchObject({ globalStep: 7 });
    const trained = weightsOf();
    expect(trained).not.toEqual(before);
    const copy = join(folder, "copy");
    await cp(out(), copy, { recursive: true });
    await rm(join(copy, "checkpoints"), { recursive: true });
    expect(await restoreRun(copy, { recipe, groups, lora, statistics })).toEqual({
      from: "model",
      globalStep: null,
    });
    for (const [i, value] of weightsOf().entries()) expect(value).toBeCloseTo(trained[i] ?? 0, 5);
    session.dispose();
    const measured = [await cli(["eval", out(), "--json"]), await cli(["eval", copy, "--json"])].map((one) =>
      one.json<{ evaluations: readonly { metrics: Record<string, number> }[] }>(),
    );
    const [first, second] = measured.map(({ evaluations }) => evaluations[0]?.metrics ?? {});
    expect(second?.["vqa"]).toBe(first?.["vqa"]);
    // A merged weight is rounded once to float32.
    expect(second?.["nll"]).toBeCloseTo(first?.["nll"] ?? Number.NaN, 5);
  });

  describe.each(["f16", "q8_0"])("on a base in %s", (storage) => {
    const packedOut = () => join(folder, `run-${storage}`);
    const copyOut = () => join(folder, `copy-${storage}`);

    beforeAll(async () => {
      const parts = { vision: VISION, language: { ...LANGUAGE, vocab_size: WORD_COUNT } };
      for (const [part, config] of Object.entries(parts)) await writeModel(join(folder, part), config);
      const path = await write(`lora-${storage}`, {
        model: model(join(folder, "tokenizer"), {
          vision: { name: join(folder, "vision"), options: { storage } },
          language: { name: join(folder, "language"), options: { storage } },
          lora: LORA,
        }),
        features: { cache: false, standardise: false },
        stages: stages(5),
      });
      const { code, err } = await cli(["train", path, "--out", packedOut(), "--no-report"]);
      expect(code, err).toBe(0);
      await cp(packedOut(), copyOut(), { recursive: true });
      await rm(join(copyOut(), "checkpoints"), { recursive: true });
    }, 60_000);

    const evaluated = async (run: string) => {
      const printed = await cli(["eval", run, "--json"]);
      expect(printed.code, printed.err).toBe(0);
      return printed.json<{ weights: string; evaluations: readonly unknown[] }>();
    };

    it("opens its saved model without a checkpoint, and computes the same", async () => {
      const [whole, alone] = [await evaluated(packedOut()), await evaluated(copyOut())];
      expect([whole.weights, alone.weights]).toEqual(["checkpoints/step-00000007", "model"]);
      expect(alone.evaluations).toEqual(whole.evaluations);
    });

    it("refuses to train the base itself, before anything is written", async () => {
      const all = [
        'stages.finetune.train=["projector","language","lora"]',
        "stages.finetune.learningRate=0.01",
      ];
      const changed = [join(folder, `lora-${storage}.json`), ...all.flatMap((field) => ["--set", field])];
      const refusedOut = join(folder, `refused-${storage}`);
      for (const command of [
        ["check", ...changed],
        ["train", ...changed, "--dry"],
        ["train", ...changed, "--out", refusedOut],
      ]) {
        const { code, out: printed } = await cli(command);
        expect(code).not.toBe(0);
        expect(printed).toContain(`is stored as ${storage} and cannot train`);
        expect(printed).not.toContain("Stopping");
      }
      expect(existsSync(refusedOut)).toBe(false);
    });

    it("talks without a checkpoint", async () => {
      const image = join(folder, "pictures/red.png");
      const {
        code,
        err,
        out: printed,
      } = await cli(["chat", copyOut(), "--image", image, "--question", "what color is this ?"]);
      expect(code, printed + err).toBe(0);
    });

    it("says where its base is another, or its adapter is not there", async () => {
      const problemOf = async () => {
        const { code, err, out: printed } = await cli(["eval", copyOut()]);
        expect(code).toBe(1);
        return `${printed}${err}`.replaceAll(folder, "FOLDER");
      };
      await rename(join(copyOut(), "model/adapter"), join(copyOut(), "moved"));
      expect(await problemOf()).toContain("adapter_model.safetensors cannot be opened");
      await rename(join(copyOut(), "moved"), join(copyOut(), "model/adapter"));
      await writeModel(join(folder, "language"), { ...LANGUAGE, vocab_size: WORD_COUNT }, 9);
      const problem = await problemOf();
      expect(problem).toContain(`The ${storage} weights of "language" are not those that FOLDER/copy-`);
      expect(problem).toContain("put back the files that the run was trained with");
    });
  });

  it("gives its projector and adapter to another recipe as their start", async () => {
    const tokenizer = join(folder, "tokenizer");
    const started = await write("started", {
      model: model(tokenizer, {
        projector: { name: "mlp2x_gelu", from: out() },
        lora: { ...LORA, from: join(out(), "model/adapter") },
      }),
      stages: stages(1),
    });
    const session = await open(started);
    const state = openSafetensors(join(out(), "checkpoints/step-00000007/state.safetensors"));
    for (const group of ["projector", "lora"]) {
      for (const { name, value } of session.objective.groups[group] ?? []) {
        const trained = state.floats(`parameter/${group}/${name}`);
        for (const [i, one] of value.dataSync().entries()) expect(one, name).toBeCloseTo(trained[i] ?? 0, 4);
      }
    }
    session.dispose();
  });

  it("says why a start does not fit", async () => {
    const tokenizer = join(folder, "tokenizer");
    const problemOf = async (changes: Readonly<Record<string, unknown>>) => {
      const path = await write("wrong", { model: model(tokenizer, changes), stages: stages(1) });
      const { code, err, out: printed } = await cli(["train", path, "--dry"]);
      expect(code).not.toBe(0);
      return `${printed}${err}`.replaceAll(folder, "FOLDER");
    };
    const from = join(out(), "model/adapter");
    expect(await problemOf({ lora: { ...LORA, rank: 3, from } })).toContain(
      "model.lora.rank is 3, but the adapter in FOLDER/run/model/adapter has 2",
    );
    expect(await problemOf({ lora: { ...LORA, targets: ["q_proj"], from } })).toContain(
      "model.lora.targets is model.layers.0.self_attn.q_proj, model.layers.1.self_attn.q_proj, but the adapter",
    );
    expect(await problemOf({ lora: LORA, projector: { name: "mlp2x_gelu", from: folder } })).toContain(
      "model.projector.from is the folder FOLDER, which holds no mm_projector.safetensors",
    );
    expect(await problemOf({ lora: LORA, projector: { name: "mlp3x_gelu", from: out() } })).toContain(
      'holds no tensor "model.mm_projector.4.weight"',
    );
    expect(await problemOf({ lora: LORA, projector: { name: "linear", from: out() } })).toContain(
      "has no place for",
    );
    expect(await problemOf({ lora: { ...LORA, targets: ["qkv_proj"] } })).toContain(
      'the target "qkv_proj" is none of',
    );
    expect(await problemOf({})).toContain('A stage trains "lora", but the model has no adapters');
  });

  it("counts adapters, and not their base, in the memory that training takes", async () => {
    const { code, json, out: printed } = await cli(["train", file, "--dry", "--json"]);
    expect(code, printed).toBe(0);
    const { parts, memory } = json<{
      parts: { name: string; parameters: number; bytes: number }[];
      memory: { stage: string; parameters: number; state: number }[];
    }>();
    const sizes = Object.fromEntries(parts.map(({ name, parameters }) => [name, parameters]));
    // Two blocks: q 32 to 32, gate and up 32 to 48, down 48 to 32, of rank 2.
    expect(sizes["lora"]).toBe(2 * 2 * (64 + 3 * 80));
    const all = parts.reduce((sum, part) => sum + part.bytes, 0);
    expect(memory.map(({ parameters }) => parameters)).toEqual([all, all]);
    const trained = (sizes["projector"] ?? 0) + (sizes["lora"] ?? 0);
    expect(memory.map(({ state }) => state)).toEqual([12 * (sizes["projector"] ?? 0), 12 * trained]);
  });

  it("leaves no tensor-sized work to JavaScript, dropout included", () => {
    expect(javascriptCalls()).toEqual({});
  });

  it("refuses to go on where the base model has changed", async () => {
    const copy = join(folder, "changed");
    await cp(out(), copy, { recursive: true });
    const recipe = join(copy, "recipe.json");
    await writeFile(recipe, (await readFile(recipe, "utf8")).replace('"seed": 0', '"seed": 1'));
    const { code, err, out: printed } = await cli(["eval", copy]);
    expect(code).toBe(1);
    expect(`${printed}${err}`).toContain(
      'The frozen weights of "vision" are not those that checkpoints/step-00000007',
    );
    expect(existsSync(join(copy, "model"))).toBe(true);
  });
});
