import "@tensorflow/tfjs-backend-cpu";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  addImageNewline,
  type ComponentOptions,
  clipConfig,
  createProjector,
  createRandom,
  createVit,
  dinov2Config,
  type ParameterSet,
  setFallback,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import {
  assembleLlava,
  type LlavaModel,
  loadLlava,
  loadOriginalLlava,
  loadProjector,
  type NamedTensor,
  openSafetensors,
  saveForTransformers,
  saveHuggingFace,
  saveProjector,
  writeSafetensors,
} from "../src/index.js";
import { fixtures, golden } from "./golden.js";

let scratch: string;
let model: LlavaModel;
/** Folder of the encoder alone. */
let vision: string;

beforeAll(async () => {
  await tf.setBackend("cpu");
  setFallback("reference");
  scratch = await mkdtemp(join(tmpdir(), "llava-layouts-"));
  model = await loadLlava(join(golden, "llava", "checkpoint"));
  vision = join(scratch, "vision");
  await saveHuggingFace(vision, { kind: "vision", vision: model.vision });
});

afterAll(async () => {
  await rm(scratch, { recursive: true });
});

async function expectSame(read: ParameterSet, wanted: ParameterSet): Promise<void> {
  for (const parameter of wanted) {
    expect(await read.get(parameter.name).floats(), parameter.name).toEqual(await parameter.floats());
  }
}

async function expectSameModel(read: LlavaModel): Promise<void> {
  await expectSame(read.vision.parameters, model.vision.parameters);
  await expectSame(read.projector.parameters, model.projector.parameters);
  await expectSame(read.language.parameters, model.language.parameters);
  for (const { parameters } of [read.vision, read.projector, read.language]) parameters.dispose();
}

/** The model under the names of LLaVA's own code. */
async function originalTensors(withTower: boolean): Promise<readonly NamedTensor[]> {
  const index = (name: string): string =>
    name.replace(/^linear_(\d)/, (_, layer) => String(2 * (Number(layer) - 1)));
  const sets = [
    [model.language.parameters, (name: string) => name],
    [model.projector.parameters, (name: string) => `model.mm_projector.${index(name)}`],
    ...(withTower
      ? [[model.vision.parameters, (name: string) => `model.vision_tower.vision_tower.${name}`] as const]
      : []),
  ] as const;
  const tensors: NamedTensor[] = [];
  for (const [parameters, rename] of sets) {
    for (const parameter of parameters) {
      const { name, shape } = parameter;
      tensors.push({ name: rename(name), shape, values: await parameter.floats() });
    }
  }
  return tensors;
}

/** The config.json of LLaVA's own code. */
async function originalConfig(change: Readonly<Record<string, unknown>> = {}): Promise<object> {
  const path = join(golden, "llava", "checkpoint", "config.json");
  const { text_config: text } = JSON.parse(await readFile(path, "utf8")) as { text_config: object };
  return {
    ...text,
    model_type: "llava_llama",
    architectures: ["LlavaLlamaForCausalLM"],
    image_aspect_ratio: "pad",
    freeze_mm_mlp_adapter: false,
    mm_hidden_size: 32,
    mm_projector_type: "mlp2x_gelu",
    mm_use_im_patch_token: false,
    mm_use_im_start_end: false,
    mm_vision_select_feature: "patch",
    mm_vision_select_layer: -2,
    mm_vision_tower: "openai/clip-vit-large-patch14-336",
    tune_mm_mlp_adapter: false,
    use_mm_proj: true,
    ...change,
  };
}

async function original(
  name: string,
  { change = {}, withTower = false }: { change?: Record<string, unknown>; withTower?: boolean } = {},
): Promise<string> {
  const folder = join(scratch, name);
  await writeSafetensors(join(folder, "model.safetensors"), await originalTensors(withTower));
  await writeFile(join(folder, "config.json"), JSON.stringify(await originalConfig(change)));
  return folder;
}

describe("loadOriginalLlava", () => {
  it("takes the encoder from its own folder", async () => {
    const { model: read, config } = await loadOriginalLlava(await original("plain"), vision);
    expect(config.imageAspectRatio).toBe("pad");
    expect(read.config.imageTokenId).toBe(160);
    await expectSameModel(read);
  });

  it("takes the encoder from the checkpoint where that trained it", async () => {
    const other = createVit(model.vision.config, { seed: 9 });
    const elsewhere = join(scratch, "other-vision");
    await saveHuggingFace(elsewhere, { kind: "vision", vision: other });
    other.parameters.dispose();
    const { model: read } = await loadOriginalLlava(await original("tower", { withTower: true }), elsewhere);
    await expectSameModel(read);
  });

  it("reads files of torch.save, whole and in shards, as their safetensors", async () => {
    // Made by fixtures/llava.py of the same numbers.
    for (const name of ["llava_whole", "llava_shards"]) {
      const folder = join(fixtures, name);
      const { model: read } = await loadOriginalLlava(folder, join(fixtures, "llava_vision"));
      const expected = openSafetensors(join(fixtures, "llava_whole.safetensors"));
      for (const { name: parameter } of read.language.parameters) {
        expect(await read.language.parameters.get(parameter).floats()).toEqual(expected.floats(parameter));
      }
      expect(await read.projector.parameters.get("linear_2.weight").floats()).toEqual(
        expected.floats("model.mm_projector.2.weight"),
      );
      expected.close();
      for (const { parameters } of [read.vision, read.projector, read.language]) parameters.dispose();
    }
  });

  it.each<readonly [string, Record<string, unknown>]>([
    ["start and end tokens", { mm_use_im_start_end: true }],
    ["tiles", { mm_patch_merge_type: "spatial_unpad" }],
    ["anyres", { image_aspect_ratio: "anyres" }],
    ["another projector", { mm_projector_type: "cabstract" }],
    ["a resampler", { mm_resampler_type: "perceiver" }],
    ["another language model", { model_type: "llava_mpt" }],
    ["a field that may change the maths", { mm_surprise: 7 }],
  ])("refuses %s", async (name, change) => {
    const folder = await original(name.replaceAll(" ", "-"), { change });
    const message = await loadOriginalLlava(folder, vision).catch((error: Error) => error.message);
    expect(String(message).replaceAll(`${scratch}/`, "")).toMatchSnapshot();
  });

  it("refuses a folder of transformers", async () => {
    const folder = join(golden, "llava", "checkpoint");
    await expect(loadOriginalLlava(folder, vision)).rejects.toThrowError(/has no `mm_vision_tower`/);
  });

  it("lists what a folder without weights holds", async () => {
    const folder = join(scratch, "no-weights");
    await mkdir(folder);
    await writeFile(join(folder, "config.json"), JSON.stringify(await originalConfig()));
    const message = await loadOriginalLlava(folder, vision).catch((error: Error) => error.message);
    expect(String(message).replaceAll(`${scratch}/`, "")).toMatchInlineSnapshot(
      `"no-weights holds neither model.safetensors nor model.safetensors.index.json. Found: config.json. pytorch_model.bin or pytorch_model.bin.index.json would do as well. Download one of them. [E_WEIGHTS_MISSING]"`,
    );
  });

  it("names what is missing", async () => {
    const folder = join(scratch, "missing");
    const tensors = (await originalTensors(false)).filter(({ name }) => !name.includes("mm_projector.2"));
    await writeSafetensors(join(folder, "model.safetensors"), tensors);
    await writeFile(join(folder, "config.json"), JSON.stringify(await originalConfig()));
    await expect(loadOriginalLlava(folder, vision)).rejects.toThrowError(/mm_projector\.2\.(weight|bias)/);
  });
});

describe("assembleLlava", () => {
  it("puts encoder, projector and language model together", async () => {
    const language = join(scratch, "language");
    await saveHuggingFace(language, { kind: "language", language: model.language });
    const projector = join(scratch, "mm_projector.safetensors");
    await saveProjector(projector, model.projector);
    await expectSameModel(await assembleLlava({ projector, vision, language }));
  });

  it.each<readonly [string, ComponentOptions]>([
    ["mlp2x_gelu", { outputNorm: { rms: 0.25 } }],
    ["linear", { bias: false }],
    ["resampler", { queries: 4, depth: 1 }],
  ])("keeps the options of a projector of ours, %s with %j", async (name, options) => {
    const language = join(scratch, "language");
    await saveHuggingFace(language, { kind: "language", language: model.language });
    const path = join(scratch, "own_projector.safetensors");
    const place = { features: model.vision.width, width: model.language.width };
    const trained = createProjector(name, { ...place, ...options, seed: 5 });
    await saveProjector(path, trained);
    const made = await assembleLlava({ projector: path, vision, language });
    expect([made.projector.name, made.projector.options]).toEqual([name, trained.options]);
    const rows = tf.randomNormal<tf.Rank.R2>([4, place.features], 0, 1, "float32", 3);
    const features = { rows, offsets: Int32Array.of(0, 4), grids: [[2, 2] as const] };
    const [ours, theirs] = [trained, made.projector].map((one) => [...one.project(features).rows.dataSync()]);
    expect(theirs).toEqual(ours);
    for (const { parameters } of [trained, made.projector, made.vision, made.language]) parameters.dispose();
  });

  it("refuses a description that is damaged", async () => {
    const language = join(scratch, "language");
    const path = join(scratch, "damaged_projector.safetensors");
    const assemble = async (text: string) => {
      await writeSafetensors(path, [], { metadata: { basic_projector: text } });
      const message = await assembleLlava({ projector: path, vision, language }).catch(
        (error: Error) => error.message,
      );
      return String(message).replaceAll(`${scratch}/`, "");
    };
    expect(await assemble("{")).toMatchInlineSnapshot(
      `"damaged_projector.safetensors: \`basic_projector\` of its metadata is not JSON: the file is damaged. Copy it again, or save the projector again. [E_WEIGHTS_FORMAT]"`,
    );
    expect(await assemble('{"name":"linear","options":{"width":3}}')).toMatchInlineSnapshot(
      `"damaged_projector.safetensors: basic_projector: \`options\` must be options of the projector alone, without features, width, patches, vocabularySize, vocabulary, seed, values, got {"width":3}. [E_CONFIG]"`,
    );
    expect(await assemble('{"name":"linear","surprise":1}')).toMatchInlineSnapshot(
      `"damaged_projector.safetensors: basic_projector: the field \`surprise\` (1) is not known and may change what the model computes. Remove it from the file if it does not matter. [E_CONFIG]"`,
    );
    expect(await assemble('{"name":"nonsense"}')).toMatchInlineSnapshot(
      `"createProjector: there is no projector "nonsense". Known: identity, linear, mlp2x_gelu, mlpNx_gelu, gelu-mlp, fused-gelu-mlp, pixel-shuffle, ldp, ldpv2, c-abstractor, resampler, vocabulary. [E_NAME_UNKNOWN]"`,
    );
  });

  it("refuses a projector of other widths, and a file without one", async () => {
    const language = join(scratch, "language");
    const assemble = (projector: string) =>
      assembleLlava({ projector, vision, language }).catch((error: Error) => error.message);
    const bin = join(fixtures, "mm_projector.bin");
    expect(String(await assemble(bin)).replaceAll(fixtures, "")).toMatchInlineSnapshot(
      `
      "/mm_projector.bin does not hold the model of its config.json.
      4 of 98 tensors are of another shape:
        model.mm_projector.0.weight has shape [4, 3] in mm_projector.bin, but config.json asks for [48, 32]: \`text_config.hidden_size\` is 48, \`vision_config.hidden_size × basic_projector.options.factor²\` is 32
        model.mm_projector.0.bias has shape [4] in mm_projector.bin, but config.json asks for [48]: \`text_config.hidden_size\` is 48
        model.mm_projector.2.weight has shape [4, 4] in mm_projector.bin, but config.json asks for [48, 48]: \`text_config.hidden_size\` is 48, \`text_config.hidden_size\` is 48
        model.mm_projector.2.bias has shape [4] in mm_projector.bin, but config.json asks for [48]: \`text_config.hidden_size\` is 48
      Found: 4 tensors in mm_projector.bin, 94 tensors in model.safetensors (model.mm_projector.0.weight, model.mm_projector.0.bias, model.mm_projector.2.weight, ...).
      Is config.json of another model, or a file of another checkpoint? Download the folder again, or correct the field. [E_WEIGHTS_FORMAT]"
    `,
    );
    const layouts = join(fixtures, "layouts.bin");
    expect(String(await assemble(layouts)).replaceAll(fixtures, "")).toMatchInlineSnapshot(
      `"/layouts.bin holds no projector: expected tensors such as model.mm_projector.0.weight, got plain, transposed, column, shared. Name LLaVA's mm_projector.bin. [E_WEIGHTS_FORMAT]"`,
    );
  });
});

describe("loadProjector", () => {
  it("reads LLaVA's mm_projector.bin", async () => {
    const projector = createProjector("mlp2x_gelu", { features: 3, width: 4 });
    loadProjector(join(fixtures, "mm_projector.bin"), projector);
    expect([...(await projector.parameters.get("linear_1.bias").floats())]).toEqual([0.5, -1, 2, 0]);
    projector.parameters.dispose();
  });
});

const files = {
  tokenizer: {
    "tokenizer.json": { model: {} },
    "tokenizer_config.json": { eos_token: "</s>", chat_template: "old" },
  },
  special: { bos: 1, eos: 2, pad: null },
  processor: { image_processor_type: "CLIPImageProcessor" },
  chatTemplate: "{{ messages }}",
};

describe("saveForTransformers", () => {
  it.each(["checkpoint", "checkpoint_v5", "checkpoint_memory_names", "checkpoint_siglip_qwen2"])(
    "writes the classic layout of %s",
    async (name) => {
      const read = await loadLlava(join(golden, "llava", name));
      const folder = join(scratch, `from-${name}`);
      const imageToken = { id: read.config.imageTokenId, content: "<image>" };
      await saveForTransformers(folder, read, { ...files, imageToken });
      const again = await loadLlava(folder);
      await expectSame(again.language.parameters, read.language.parameters);
      await expectSame(again.projector.parameters, read.projector.parameters);
      await expectSame(again.vision.parameters, read.vision.parameters);
      expect(again.config).toEqual(read.config);
      const saved = openSafetensors(join(folder, "model.safetensors"));
      const prefixes = new Set(saved.names.map((tensor) => tensor.split(".")[0]));
      expect([...prefixes].sort()).toEqual(["language_model", "multi_modal_projector", "vision_tower"]);
      saved.close();
      for (const { parameters } of [read.vision, read.projector, read.language]) parameters.dispose();
      for (const { parameters } of [again.vision, again.projector, again.language]) parameters.dispose();
    },
  );

  it("grows table and head to the image token by the mean of their rows", async () => {
    const folder = join(scratch, "grown");
    await saveForTransformers(folder, model, { ...files, imageToken: { id: 161, content: "<image>" } });
    const saved = openSafetensors(join(folder, "model.safetensors"));
    for (const name of ["language_model.model.embed_tokens.weight", "language_model.lm_head.weight"]) {
      expect(saved.entry(name).shape).toEqual([162, 48]);
      const values = saved.floats(name);
      const mean = (column: number) => {
        let sum = 0;
        for (let row = 0; row < 160; row++) sum += values[row * 48 + column] ?? 0;
        return sum / 160;
      };
      for (const row of [160, 161]) {
        for (const column of [0, 47]) expect(values[row * 48 + column]).toBeCloseTo(mean(column), 6);
      }
    }
    saved.close();
    const json = async (name: string) => JSON.parse(await readFile(join(folder, name), "utf8")) as unknown;
    expect(await json("config.json")).toMatchObject({
      image_token_index: 161,
      text_config: { vocab_size: 162 },
    });
    expect(await json("processor_config.json")).toMatchInlineSnapshot(`
      {
        "image_token": "<image>",
        "num_additional_image_tokens": 1,
        "patch_size": 7,
        "processor_class": "LlavaProcessor",
        "vision_feature_select_strategy": "default",
      }
    `);
    expect(await json("generation_config.json")).toMatchInlineSnapshot(`
      {
        "bos_token_id": 1,
        "do_sample": false,
        "eos_token_id": 2,
        "pad_token_id": 2,
      }
    `);
    expect(await json("tokenizer_config.json")).toMatchInlineSnapshot(`
      {
        "eos_token": "</s>",
        "image_token": "<image>",
        "processor_class": "LlavaProcessor",
        "tokenizer_class": "PreTrainedTokenizerFast",
      }
    `);
    expect(await readFile(join(folder, "chat_template.jinja"), "utf8")).toBe("{{ messages }}");
  });

  describe("of pictures in tiles", () => {
    const gridPinpoints = [[56, 28]] as const;
    const cuts = (pinpoints: readonly (readonly number[])[]): Readonly<Record<string, unknown>> => {
      return { image_processor_type: "LlavaNextImageProcessor", image_grid_pinpoints: pinpoints };
    };
    const processor = cuts([[56, 28]]);
    const options = { ...files, processor, imageToken: { id: 150, content: "<image>" } };
    let tiled: LlavaModel;

    beforeAll(() => {
      const projector = createProjector("mlp2x_gelu", { features: 32, width: 48, seed: 4 });
      addImageNewline(projector, 48, createRandom(5));
      tiled = { ...model, projector, config: { ...model.config, gridPinpoints } };
    });

    afterAll(() => tiled.projector.parameters.dispose());

    const refusal = (other: Partial<LlavaModel>, given: Partial<typeof options> = {}) =>
      saveForTransformers(join(scratch, "no"), { ...tiled, ...other }, { ...options, ...given }).catch(
        (error: Error) => error.message,
      );

    it("writes llava_next, with the processor that counts its rows", async () => {
      const folder = join(scratch, "tiles");
      await saveForTransformers(folder, tiled, options);
      const json = async (name: string) => JSON.parse(await readFile(join(folder, name), "utf8")) as unknown;
      expect(await json("config.json")).toMatchObject({
        architectures: ["LlavaNextForConditionalGeneration"],
        model_type: "llava_next",
        image_grid_pinpoints: [[56, 28]],
      });
      expect(await json("preprocessor_config.json")).toEqual({
        ...processor,
        processor_class: "LlavaNextProcessor",
      });
      expect(await json("processor_config.json")).toMatchInlineSnapshot(`
        {
          "image_token": "<image>",
          "num_additional_image_tokens": 1,
          "patch_size": 7,
          "processor_class": "LlavaNextProcessor",
          "vision_feature_select_strategy": "default",
        }
      `);
      expect(await json("tokenizer_config.json")).toMatchObject({ processor_class: "LlavaNextProcessor" });
      const again = await loadLlava(folder);
      expect(again.config).toEqual(tiled.config);
      await expectSame(again.projector.parameters, tiled.projector.parameters);
      for (const { parameters } of [again.vision, again.projector, again.language]) parameters.dispose();
    });

    it("refuses parts that do not cut alike", async () => {
      const vision = createVit(model.vision.config, { select: "cls_patch" });
      const messages = [
        await refusal({ projector: model.projector }),
        await refusal({ config: model.config }),
        await refusal({ vision }),
        await refusal({}, { processor: cuts([[28, 56]]) }),
        await refusal({}, { processor: files.processor }),
      ];
      vision.parameters.dispose();
      expect(messages).toMatchInlineSnapshot(`
        [
          "transformers' LLaVA cannot hold this model: the projector must be one with \`image_newline\`, got none. Train with model.imageAspectRatio anyres, or call addImageNewline, or convert with --to basic. [E_CONFIG]",
          "transformers' LLaVA cannot hold this model: a picture must be one image, got tiles (anyres). Train with model.imageAspectRatio pad or square, or convert with --to basic. [E_CONFIG]",
          "transformers' LLaVA cannot hold this model: the features of tiles must be those of patches, got patches and class token. Train with the projector mlp2x_gelu and an encoder of CLIP or SigLIP, or convert with --to basic. [E_CONFIG]",
          "The model cuts pictures to the sizes [[56,28]], but its preprocessor_config.json says image_grid_pinpoints [[28,56]]: transformers would count other rows than it makes. Use the file that belongs to the model. [E_CONFIG]",
          "The model cuts pictures to the sizes [[56,28]], but its preprocessor_config.json says image_grid_pinpoints (nothing): transformers would count other rows than it makes. Use the file that belongs to the model. [E_CONFIG]",
        ]
      `);
      expect(existsSync(join(scratch, "no"))).toBe(false);
    });
  });

  it("refuses fewer rows than the table has, and writes nothing", async () => {
    const folder = join(scratch, "fewer");
    const messages: unknown[] = [];
    for (const vocabularySize of [159, 160.5, Number.NaN]) {
      const save = saveHuggingFace(folder, model, { vocabularySize });
      messages.push(await save.catch((error: Error) => error.message));
    }
    expect(messages).toMatchInlineSnapshot(`
      [
        "saveHuggingFace: \`vocabularySize\` must be a whole number from 160, the rows of the table, got 159. Leave it out, or take tokens away with resizeVocabulary before. [E_CONFIG]",
        "saveHuggingFace: \`vocabularySize\` must be a whole number from 160, the rows of the table, got 160.5. Leave it out, or take tokens away with resizeVocabulary before. [E_CONFIG]",
        "saveHuggingFace: \`vocabularySize\` must be a whole number from 160, the rows of the table, got NaN. Leave it out, or take tokens away with resizeVocabulary before. [E_CONFIG]",
      ]
    `);
    expect(existsSync(folder)).toBe(false);
  });

  it("refuses what transformers' LLaVA does not have", async () => {
    const wide = { features: 32, width: 48 };
    const sizes = { imageSize: 28, patchSize: 7, width: 32, depth: 3, heads: 4, inner: 64 };
    const others: readonly Partial<LlavaModel>[] = [
      { projector: createProjector("linear", wide) },
      { projector: createProjector("mlp2x_gelu", { ...wide, outputNorm: { rms: 1 } }) },
      { projector: createProjector("pixel-shuffle", wide) },
      { vision: createVit(dinov2Config(sizes)) },
      { vision: createVit(clipConfig({ ...sizes, preNorm: false })) },
    ];
    const messages: unknown[] = [];
    for (const other of others) {
      const imageToken = { id: 150, content: "<image>" };
      const save = saveForTransformers(join(scratch, "no"), { ...model, ...other }, { ...files, imageToken });
      messages.push(await save.catch((error: Error) => error.message));
      for (const part of Object.values(other))
        if (typeof part === "object" && "parameters" in part) part.parameters.dispose();
    }
    expect(messages).toMatchInlineSnapshot(`
      [
        "transformers' LLaVA cannot hold this model: the projector must be mlp2x_gelu, got linear. Train with the projector mlp2x_gelu and an encoder of CLIP or SigLIP, or convert with --to basic. [E_CONFIG]",
        "transformers' LLaVA cannot hold this model: the projector must be without a norm at its end, got one with \`outputNorm\`. Train with the projector mlp2x_gelu and an encoder of CLIP or SigLIP, or convert with --to basic. [E_CONFIG]",
        "transformers' LLaVA cannot hold this model: the projector must be mlp2x_gelu, got a pixel shuffle. Train with the projector mlp2x_gelu and an encoder of CLIP or SigLIP, or convert with --to basic. [E_CONFIG]",
        "transformers' LLaVA cannot hold this model: the encoder must be CLIP's or SigLIP's, got DINOv2's. Train with the projector mlp2x_gelu and an encoder of CLIP or SigLIP, or convert with --to basic. [E_CONFIG]",
        "transformers' LLaVA cannot hold this model: the encoder must be CLIP's or SigLIP's, got of another shape. Train with the projector mlp2x_gelu and an encoder of CLIP or SigLIP, or convert with --to basic. [E_CONFIG]",
      ]
    `);
  });
});
