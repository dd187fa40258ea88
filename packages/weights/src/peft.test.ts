import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import "@tensorflow/tfjs-backend-cpu";
import {
  attachLora,
  createLanguageObjective,
  type Decoder,
  type Lora,
  type PackedRows,
  setFallback,
  valueAndGradients,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { openSafetensors, writeSafetensors } from "./files.js";
import { loadHuggingFace, saveHuggingFace } from "./hugging-face.js";
import { loadPeft, savePeft } from "./peft.js";

const base = new URL("../../../golden/models/llama_gqa", import.meta.url).pathname;
const recorded = (name: string) => new URL(`__golden__/peft/${name}`, import.meta.url).pathname;
let scratch: string;

beforeAll(async () => {
  await tf.setBackend("cpu");
  setFallback("reference");
  scratch = await mkdtemp(join(tmpdir(), "basic-mllm-"));
});

afterAll(async () => {
  await rm(scratch, { recursive: true });
});

async function openBase(folder = base): Promise<Decoder> {
  const model = await loadHuggingFace(folder);
  if (model.kind !== "language") throw new Error("the golden is a language model");
  return model.language;
}

/** What PEFT computed. */
function expectedOf(name: string) {
  const file = openSafetensors(join(recorded(name), "expected.safetensors"));
  const tensors = new Map(
    file.names.map((key) => [key, key === "ids" ? file.integers(key) : file.floats(key)]),
  );
  file.close();
  return tensors;
}

function rowsOf(ids: ArrayLike<number>): PackedRows {
  const all = Int32Array.from(ids);
  return {
    ids: all,
    offsets: Int32Array.of(0, all.length),
    positions: Int32Array.from(all, (_, i) => i),
    images: [],
    countsAsText: all.map(() => 1),
    labels: Int32Array.from(all, (_, i) => all[i + 1] ?? -100),
  };
}

function logitsOf(model: Decoder, ids: ArrayLike<number>): ArrayLike<number> {
  return tf.tidy(() => model.logits(model.forward({ packed: rowsOf(ids), visual: null }).hidden).dataSync());
}

function distance(a: ArrayLike<number>, b: ArrayLike<number> | undefined): number {
  expect(a.length).toBe(b?.length);
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - (b?.[i] ?? 0))), 0);
}

describe.each(["plain", "rslora"])("the adapter %s of PEFT", (name) => {
  const expected = expectedOf(name);
  const ids = expected.get("ids") as Int32Array;
  let model: Decoder;
  let lora: Lora;

  beforeAll(async () => {
    model = await openBase();
    lora = loadPeft(recorded(name), model);
  });

  it("gives PEFT's logits, before and after merging", () => {
    expect(distance(logitsOf(model, ids), expected.get("logits"))).toBeLessThan(1e-5);
    lora.merge();
    expect(distance(logitsOf(model, ids), expected.get("merged"))).toBeLessThan(1e-5);
    lora.unmerge();
    expect(distance(logitsOf(model, ids), expected.get("logits"))).toBeLessThan(1e-5);
  });

  it("gives PEFT's loss and gradients, and none to the base", () => {
    model.parameters.setTrainable(false);
    const objective = createLanguageObjective(model, lora);
    const parameters = [...lora.parameters];
    const { value, gradients } = valueAndGradients(
      () => {
        const [part] = objective.parts({ packed: rowsOf(ids) }, { stage: "tune", step: 0, steps: 1 });
        return tf.div(part?.sum as tf.Scalar, ids.length - 1);
      },
      parameters.map((parameter) => parameter.value),
    );
    expect(distance(value.dataSync(), expected.get("loss"))).toBeLessThan(1e-5);
    for (const [i, { name: own }] of parameters.entries()) {
      const gradient = gradients[i] as tf.Tensor;
      expect(distance(gradient.dataSync(), expected.get(`grad.${own}`)), own).toBeLessThan(1e-5);
    }
    expect(Object.keys(objective.groups)).toEqual(["language", "lora"]);
  });

  it("comes back as it went out", async () => {
    const folder = join(scratch, name);
    await savePeft(folder, lora, model, { baseModel: "llama_gqa" });
    const theirs = openSafetensors(join(recorded(name), "adapter_model.safetensors"));
    const ours = openSafetensors(join(folder, "adapter_model.safetensors"));
    expect([...ours.names].sort()).toEqual([...theirs.names].sort());
    for (const key of ours.names) expect(ours.floats(key), key).toEqual(theirs.floats(key));
    const [before, after] = await Promise.all(
      [recorded(name), folder].map(async (where) =>
        JSON.parse(await readFile(join(where, "adapter_config.json"), "utf8")),
      ),
    );
    // PEFT lists whole names for "all-linear".
    const ends = (list: readonly string[]) => [...new Set(list.map((own) => own.split(".").at(-1)))].sort();
    expect(ends(after.target_modules)).toEqual(ends(before.target_modules));
    expect(before).toMatchObject({ ...after, target_modules: before.target_modules });
  });

  it("is saved inside of the model, which stays as it is", async () => {
    const folder = join(scratch, `${name}-merged`);
    await saveHuggingFace(folder, { kind: "language", language: model }, { lora });
    const merged = await openBase(folder);
    expect(distance(logitsOf(merged, ids), expected.get("merged"))).toBeLessThan(1e-5);
    expect(distance(logitsOf(model, ids), expected.get("logits"))).toBeLessThan(1e-5);
    merged.parameters.dispose();
  });
});

describe("savePeft", () => {
  it("names products in full where an end of a name would choose others too", async () => {
    const model = await openBase();
    const lora = attachLora(model, { rank: 2, alpha: 4, targets: ["q_proj", "layers.1.mlp.up_proj"] });
    const folder = join(scratch, "partly");
    await savePeft(folder, lora, model);
    const config = JSON.parse(await readFile(join(folder, "adapter_config.json"), "utf8"));
    expect(config.target_modules).toEqual(["q_proj", "model.layers.1.mlp.up_proj"]);
  });
});

describe("loadPeft", () => {
  /** A copy of the plain adapter with some fields of its config changed. */
  async function changed(fields: Readonly<Record<string, unknown>>): Promise<string> {
    const folder = await mkdtemp(join(scratch, "changed-"));
    await cp(recorded("plain"), folder, { recursive: true });
    const path = join(folder, "adapter_config.json");
    const config = JSON.parse(await readFile(path, "utf8"));
    await writeFile(path, JSON.stringify({ ...config, ...fields }));
    return folder;
  }

  async function problemOf(folder: string): Promise<string> {
    const model = await openBase();
    try {
      loadPeft(folder, model);
    } catch (error) {
      return (error as Error).message.replaceAll(folder, "folder");
    }
    throw new Error("nothing was thrown");
  }

  it.each([
    [{ peft_type: "IA3" }, '`peft_type` must be "LORA", got "IA3"'],
    [{ bias: "all" }, '`bias` must be "none", got "all"'],
    [{ use_dora: true }, "the field `use_dora` (true) is not supported"],
    [{ rank_pattern: { q_proj: 2 } }, 'the field `rank_pattern` ({"q_proj":2}) is not supported'],
    [{ modules_to_save: ["lm_head"] }, 'the field `modules_to_save` (["lm_head"]) is not supported'],
    [{ init_lora_weights: "pissa" }, '`init_lora_weights` must be true, false, "gaussian"'],
    [{ r: null }, "`r` must be a number, got null"],
    [{ r: 0 }, "LoRA: `rank` must be a whole number from 1, got 0"],
    [{ r: 8 }, "has shape [4, 32], but the model and `r` 8 of adapter_config.json ask for [8, 32]"],
  ])("says what it cannot follow: %j", async (fields, text) => {
    expect(await problemOf(await changed(fields))).toContain(text);
  });

  it("takes what EVA says of the first values for what it is: a start", async () => {
    const fields = { init_lora_weights: "eva", eva_config: { rho: 1, tau: 0.99 } };
    const model = await openBase();
    expect(loadPeft(await changed(fields), model).options.rank).toBe(4);
  });

  it("says which tensor is missing, or has no place", async () => {
    const folder = await changed({});
    const path = join(folder, "adapter_model.safetensors");
    const a = "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight";
    await writeSafetensors(path, [{ name: a, shape: [4, 64], values: new Float32Array(256) }]);
    expect(await problemOf(folder)).toMatchInlineSnapshot(
      `"folder/adapter_model.safetensors holds no tensor "base_model.model.model.layers.0.mlp.down_proj.lora_B.weight", but its partner is there. Save the adapter again. [E_WEIGHTS_MISSING]"`,
    );
    const unknown = "base_model.model.model.layers.9.mlp.down_proj.lora_A.weight";
    await writeSafetensors(path, [{ name: unknown, shape: [4, 64], values: new Float32Array(256) }]);
    expect(await problemOf(folder)).toMatchInlineSnapshot(
      `"folder/adapter_model.safetensors: the model has no product for the tensor "base_model.model.model.layers.9.mlp.down_proj.lora_A.weight"; its first one would be "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight". Load the model that the adapter was trained on. [E_WEIGHTS_FORMAT]"`,
    );
    await writeSafetensors(path, []);
    expect(await problemOf(folder)).toMatchInlineSnapshot(
      `"folder/adapter_model.safetensors holds no tensor of an adapter. Save the adapter again with save_pretrained. [E_WEIGHTS_MISSING]"`,
    );
  });

  it("reads the names of an adapter that sits inside of a LLaVA", async () => {
    const folder = await changed({});
    const path = join(folder, "adapter_model.safetensors");
    const file = openSafetensors(path);
    const tensors = file.names.map((own) => ({
      name: own.replace("base_model.model.model.", "base_model.model.model.language_model."),
      shape: file.entry(own).shape,
      values: file.floats(own),
    }));
    file.close();
    await writeSafetensors(path, tensors);
    const model = await openBase();
    loadPeft(folder, model);
    const expected = expectedOf("plain");
    const ids = expected.get("ids") as Int32Array;
    expect(distance(logitsOf(model, ids), expected.get("logits"))).toBeLessThan(1e-5);
  });
});
