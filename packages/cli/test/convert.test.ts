import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  clipConfig,
  createDecoder,
  createProjector,
  createVit,
  decoderConfig,
  siglipConfig,
  startBackend,
} from "@basic-mllm/core";
import { describeImageProcessor, squareProcessor } from "@basic-mllm/data";
import { type LlavaModel, loadGguf, loadLlava, openGguf, saveHuggingFace } from "@basic-mllm/weights";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { encoderFromFolder, languageFromFolder } from "../src/session/parts.js";
import { cli } from "./run-cli.js";

const token = (id: number, content: string) => ({ id, content, special: true, normalized: false });
const bytes = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
const tokenizer = {
  version: "1.0",
  added_tokens: [token(0, "<s>"), token(1, "</s>")],
  normalizer: null,
  pre_tokenizer: bytes,
  post_processor: null,
  decoder: bytes,
  model: { type: "BPE", vocab: { "<s>": 0, "</s>": 1, a: 2, b: 3, ab: 4 }, merges: [["a", "b"]] },
};
const settings = {
  bos_token: "<s>",
  eos_token: "</s>",
  add_bos_token: true,
  chat_template: "{{ messages }}",
};

let scratch: string;
/** A folder as a run saves it. */
let folder: string;
let model: LlavaModel;

const json = (path: string, value: object) => writeFile(path, JSON.stringify(value));
const read = async (path: string) => JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>;

beforeAll(async () => {
  await startBackend("cpu");
  scratch = await mkdtemp(join(tmpdir(), "basic-mllm-convert-"));
  folder = join(scratch, "tiny");
  const vision = siglipConfig({ imageSize: 16, patchSize: 8, width: 8, depth: 2, heads: 2, inner: 12 });
  const language = decoderConfig({
    vocabularySize: 5,
    width: 32,
    depth: 1,
    heads: 2,
    inner: 64,
    tiedHead: true,
  });
  const config = {
    vision,
    language,
    projector: { name: "mlp2x_gelu", options: {} },
    featureLayer: -2,
    featureSelection: "patch",
    imageTokenId: 5,
  } as const;
  model = {
    kind: "llava",
    vision: createVit(vision, { seed: 1 }),
    projector: createProjector("mlp2x_gelu", { features: 8, width: 32, seed: 2 }),
    language: createDecoder(language, { seed: 3 }),
    config,
  };
  await saveHuggingFace(folder, model);
  await json(join(folder, "tokenizer.json"), tokenizer);
  await json(join(folder, "tokenizer_config.json"), settings);
  await json(join(folder, "preprocessor_config.json"), describeImageProcessor(squareProcessor(16)));
});

afterAll(async () => {
  for (const { parameters } of [model.vision, model.projector, model.language]) parameters.dispose();
  await rm(scratch, { recursive: true });
});

describe("convert", () => {
  it("writes a folder for transformers, with an image token that table and tokenizer have", async () => {
    const out = join(scratch, "hf");
    const printed = await cli(["convert", folder, out, "--json"]);
    expect(printed.code, printed.err).toBe(0);
    expect(printed.json()).toMatchObject({ to: "hf", dtype: "f32" });
    expect(printed.err).toMatch(/config\.json {2}\d\.\d kB\n/);
    expect((await readdir(out)).sort()).toEqual([
      "chat_template.jinja",
      "config.json",
      "generation_config.json",
      "model.safetensors",
      "preprocessor_config.json",
      "processor_config.json",
      "tokenizer.json",
      "tokenizer_config.json",
    ]);
    expect(await read(join(out, "config.json"))).toMatchObject({
      image_token_index: 5,
      text_config: { vocab_size: 6 },
    });
    const { added_tokens } = await read(join(out, "tokenizer.json"));
    expect(added_tokens).toContainEqual(
      expect.objectContaining({ id: 5, content: "<image>", special: true }),
    );
    expect(await read(join(out, "preprocessor_config.json"))).toMatchObject({
      image_processor_type: "SiglipImageProcessor",
    });
    const back = await loadLlava(out);
    expect(await back.projector.parameters.get("linear_1.weight").floats()).toEqual(
      await model.projector.parameters.get("linear_1.weight").floats(),
    );
    for (const { parameters } of [back.vision, back.projector, back.language]) parameters.dispose();
  });

  it.each(["f32", "q8_0"])("writes two files for llama.cpp as %s", async (dtype) => {
    const out = join(scratch, `gguf-${dtype}`);
    const printed = await cli(["convert", folder, out, "--to", "gguf", "--dtype", dtype]);
    expect(printed.code, printed.err).toBe(0);
    const seen = dtype === "f32" ? "f32" : "f16";
    expect((await readdir(out)).sort()).toEqual([`mmproj-tiny-${seen}.gguf`, `tiny-${dtype}.gguf`]);
    const { language, tokenizer: own } = await loadGguf(join(out, `tiny-${dtype}.gguf`));
    expect(own?.config).toMatchObject({
      bos_token: "<s>",
      add_bos_token: true,
      chat_template: "{{ messages }}",
    });
    expect(language.config).toMatchObject({ width: 32, vocabularySize: 5 });
    language.parameters.dispose();
    const file = await openGguf(join(out, `mmproj-tiny-${seen}.gguf`));
    expect(file.metadata.get("clip.vision.image_size")).toBe(16);
    file.close();
  });

  it("says what llama.cpp makes of CLIP, and nothing of SigLIP", async () => {
    const clip = join(scratch, "clip");
    const config = clipConfig({ imageSize: 16, patchSize: 8, width: 8, depth: 2, heads: 2, inner: 12 });
    const vision = createVit(config, { seed: 4 });
    await cp(folder, clip, { recursive: true });
    await saveHuggingFace(clip, { ...model, vision, config: { ...model.config, vision: config } });
    vision.parameters.dispose();
    const caveat = "llama.cpp (seen in llama-cpp-python 0.3.36) puts CLIP's class token behind the patches";
    const convert = (from: string, to: string) =>
      cli(["convert", from, join(scratch, `caveat-${to}`), "--to", to, "--force"]);
    expect((await convert(clip, "gguf")).out).toContain(caveat);
    expect((await convert(folder, "gguf")).out).not.toContain("class token");
    expect((await convert(clip, "hf")).out).not.toContain("class token");
  });

  it("says that llama.cpp does not follow the windows of a phi3", async () => {
    const phi3 = join(scratch, "phi3");
    await cp(folder, phi3, { recursive: true });
    const before = model.config.language;
    const language = decoderConfig({ ...before, fusedProducts: true, windows: [before.positions - 1] });
    const windowed = createDecoder(language, { seed: 3 });
    await saveHuggingFace(phi3, { ...model, language: windowed, config: { ...model.config, language } });
    windowed.parameters.dispose();
    const { code, out } = await cli(["convert", phi3, join(scratch, "phi3-gguf"), "--to", "gguf"]);
    expect(code, out).toBe(0);
    expect(out).toContain(`does not follow the window of a phi3, ${before.positions - 1} tokens: `);
  });

  it("names files after a folder, dots and all", async () => {
    const dotted = join(scratch, "tiny-1.5");
    await cp(folder, dotted, { recursive: true });
    const out = join(scratch, "gguf-dotted");
    expect((await cli(["convert", dotted, out, "--to", "gguf"])).code).toBe(0);
    expect((await readdir(out)).sort()).toEqual(["mmproj-tiny-1.5-f16.gguf", "tiny-1.5-f16.gguf"]);
  });

  it("writes our own folder, and takes a GGUF file back", async () => {
    const own = join(scratch, "own");
    expect((await cli(["convert", folder, own, "--to", "basic", "--dtype", "bf16"])).code).toBe(0);
    expect(await readdir(own)).toContain("mm_projector.safetensors");
    const gguf = join(scratch, "gguf-f32", "tiny-f32.gguf");
    const out = join(scratch, "language");
    expect((await cli(["convert", gguf, out])).code).toBe(0);
    expect(await read(join(out, "config.json"))).toMatchObject({ model_type: "llama", vocab_size: 5 });
  });

  it("takes the tokenizer that is named instead of a GGUF file's own", async () => {
    const named = join(scratch, "named-tokenizer");
    await mkdir(named);
    await json(join(named, "tokenizer.json"), tokenizer);
    await json(join(named, "tokenizer_config.json"), { ...settings, model_max_length: 77 });
    const gguf = join(scratch, "gguf-f32", "tiny-f32.gguf");
    const out = join(scratch, "language-named");
    expect((await cli(["convert", gguf, out, "--tokenizer", named])).code).toBe(0);
    expect(await read(join(out, "tokenizer_config.json"))).toMatchObject({ model_max_length: 77 });
  });

  it("puts a projector between its models", async () => {
    const [vision, language] = [join(scratch, "vision-only"), join(scratch, "language-only")];
    await saveHuggingFace(vision, { kind: "vision", vision: model.vision });
    await saveHuggingFace(language, { kind: "language", language: model.language });
    const projector = join(scratch, "own", "mm_projector.safetensors");
    const out = join(scratch, "assembled");
    const between = ["--vision", vision, "--language", language];
    const printed = await cli(["convert", projector, out, "--to", "basic", ...between]);
    expect(printed.code, printed.err).toBe(0);
    const back = await loadLlava(out);
    expect(back.config.projector.name).toBe("mlp2x_gelu");
    for (const { parameters } of [back.vision, back.projector, back.language]) parameters.dispose();
  });
});

describe("a recipe takes parts of a LLaVA", () => {
  it("by its folder", async () => {
    const [vision, language] = [
      await encoderFromFolder(folder, { layer: -2 }),
      await languageFromFolder(folder),
    ];
    expect([vision.width, language.width]).toEqual([8, 32]);
    for (const { parameters } of [vision, language]) parameters.dispose();
    await expect(encoderFromFolder(folder, { layer: -1 })).rejects.toThrowError(
      /features are of layer -2, but model.visionLayer is -1/,
    );
  });
});

describe("convert refuses", () => {
  const failure = async (...argv: readonly string[]) => {
    const { code, out } = await cli(["convert", ...argv]);
    return [code, out.trimEnd().replaceAll(`${scratch}/`, "").replaceAll(process.cwd(), "CWD")];
  };
  const out = () => join(scratch, "none");

  it("targets, types and folders that are not there", async () => {
    expect(await failure(folder, out(), "--to", "ggml")).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm convert: --to must be hf, gguf, basic, got "ggml". Did you mean "gguf"? [E_USAGE]",
      ]
    `);
    expect(await failure(folder, out(), "--dtype", "q8_0")).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm convert: --dtype must be f32, f16, bf16 for --to hf, got "q8_0". [E_USAGE]",
      ]
    `);
    expect(await failure(join(scratch, "nothing"), out())).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm convert: there is no nothing. Give a run, the folder of a model, a projector's file or a GGUF file; relative paths count from CWD. [E_USAGE]",
      ]
    `);
    expect(await failure(folder, folder)).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm convert: tiny is not empty. Choose another folder, or write into it with --force. [E_USAGE]",
      ]
    `);
    expect(await failure(folder, join(folder, "config.json"))).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm convert: OUT must be a folder, got the file tiny/config.json. [E_USAGE]",
      ]
    `);
  });

  it("what needs another folder", async () => {
    expect(await failure(join(scratch, "own", "mm_projector.safetensors"), out())).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm convert: own/mm_projector.safetensors is taken for the file of a projector, which needs --vision and --language: the folders of the encoder and of the language model that it was trained between. [E_USAGE]",
      ]
    `);
    const original = join(scratch, "original");
    await mkdir(original);
    await json(join(original, "config.json"), { model_type: "llava_llama", mm_vision_tower: "openai/clip" });
    expect(await failure(original, out())).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm convert: original is an original LLaVA checkpoint, which names its encoder and does not say its sizes. Give --vision, the folder of the encoder (config.json, preprocessor_config.json and weights). [E_USAGE]",
      ]
    `);
    expect(await failure(join(scratch, "vision-only"), out())).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm convert: vision-only holds a vision encoder alone, which has nothing to convert. Give a LLaVA or a language model. [E_USAGE]",
      ]
    `);
  });

  it("a tokenizer's folder that has none", async () => {
    const nowhere = join(scratch, "nowhere");
    expect(await failure(folder, out(), "--to", "basic", "--tokenizer", nowhere)).toMatchInlineSnapshot(`
      [
        1,
        "error tokenizer: expected the file nowhere/tokenizer.json, and it cannot be read. Give the folder of a model with a fast tokenizer. [E_TOKENIZER]",
      ]
    `);
  });

  it("a model without a tokenizer or a processor, and writes nothing", async () => {
    const bare = join(scratch, "bare");
    await saveHuggingFace(bare, model);
    expect(await failure(bare, out(), "--to", "gguf")).toMatchInlineSnapshot(`
      [
        1,
        "error basic-mllm convert: the model has no tokenizer.json, which other programs need. Give --tokenizer, a folder with the one that it was trained with. [E_TOKENIZER]",
      ]
    `);
    expect(await failure(bare, out(), "--tokenizer", folder)).toMatchInlineSnapshot(`
      [
        1,
        "error basic-mllm convert: nothing says how pictures become the encoder's input: there is no preprocessor_config.json beside the model. Put the encoder's there, or give --vision, a folder that has it. [E_CONFIG]",
      ]
    `);
    await expect(readdir(out())).rejects.toThrowError(/ENOENT/);
  });
});
