// Pictures that are cut into tiles (LLaVA-1.6), padded, or laid on white: from the recipe to the chat.
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { addImageNewline, createProjector, createRandom } from "@basic-mllm/core";
import { openSafetensors } from "@basic-mllm/weights";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { LANGUAGE, png, writeMiniTask } from "./mini.js";
import { cli, type Printed } from "./run-cli.js";

describe("a recipe with imageAspectRatio anyres", () => {
  const anyres = ["--set", "model.imageAspectRatio=anyres"];
  let folder: string;
  let recipe: string;
  let run: string;
  let predicted: Printed;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "basic-mllm-anyres-"));
    vi.stubEnv("BASIC_MLLM_CACHE", join(folder, "cache"));
    recipe = await writeMiniTask(folder);
    // Three shapes: their numbers of tiles and of rows differ.
    await writeFile(join(folder, "pictures/green.png"), png([30, 200, 40], { width: 32 }));
    await writeFile(join(folder, "pictures/blue.png"), png([20, 40, 230], { width: 20, height: 48 }));
    run = join(folder, "run");
    // Before the run: what a process has taken once is there for the next.
    predicted = await cli(["train", recipe, ...anyres, "--dry", "--json"]);
    const { code, err } = await cli(["train", recipe, ...anyres, "--out", run, "--no-report"]);
    expect(code, err).toBe(0);
  }, 60_000);

  afterAll(async () => {
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true, force: true });
  });

  const saved = (file: string) => openSafetensors(join(run, "model", file));

  it("is checked with the rows that its pictures have", async () => {
    const { json, code } = await cli(["check", recipe, ...anyres, "--json"]);
    expect(code).toBe(0);
    // Red: 4 of the whole, and 2 lines of 2 with a newline. Blue: 4, and 4 lines of 2 with a newline.
    const { stages } = json<{ stages: { imageRows: number; rows: { min: number; max: number } }[] }>();
    expect(stages[0]?.imageRows).toBe(16);
    expect((stages[0]?.rows.max ?? 0) - (stages[0]?.rows.min ?? 0)).toBe(6);
  });

  it("predicts the memory of its stages", () => {
    const { memory } = predicted.json<{ memory: { stage: string; training: number }[] }>();
    expect(memory.map(({ stage, training }) => [stage, training > 0])).toEqual([
      ["align", true],
      ["finetune", true],
    ]);
  });

  it("trains image_newline with the projector and saves it where LLaVA has it", async () => {
    const fresh = addImageNewline(
      createProjector("identity", { features: LANGUAGE.hidden_size, width: LANGUAGE.hidden_size }),
      LANGUAGE.hidden_size,
      createRandom(0, "image_newline"),
    );
    const trained = saved("mm_projector.safetensors").floats("model.image_newline");
    expect(trained).not.toEqual(fresh.value.dataSync());
    expect(
      Math.max(...trained.map((value, i) => Math.abs(value - (fresh.value.dataSync()[i] ?? 0)))),
    ).toBeLessThan(0.2);
    expect(saved("model.safetensors").floats("image_newline")).toEqual(trained);
    const config = JSON.parse(await readFile(join(run, "model/config.json"), "utf8"));
    expect(config).toMatchObject({
      architectures: ["LlavaNextForConditionalGeneration"],
      model_type: "llava_next",
      image_grid_pinpoints: [
        [16, 32],
        [32, 16],
        [32, 32],
        [48, 16],
        [16, 48],
      ],
    });
  });

  it("becomes a llava_next of transformers, with the processor that cuts", async () => {
    const out = join(folder, "hf");
    const { code, err } = await cli(["convert", run, out]);
    expect(code, err).toBe(0);
    const read = async (name: string) =>
      JSON.parse(await readFile(join(out, name), "utf8")) as Record<string, unknown>;
    const config = await read("config.json");
    expect(config).toMatchObject({ model_type: "llava_next" });
    expect(await read("preprocessor_config.json")).toMatchObject({
      image_processor_type: "LlavaNextImageProcessor",
      processor_class: "LlavaNextProcessor",
      size: { height: 16, width: 16 },
      crop_size: { height: 16, width: 16 },
      do_center_crop: false,
      image_grid_pinpoints: config["image_grid_pinpoints"],
    });
    expect(await read("processor_config.json")).toMatchObject({ processor_class: "LlavaNextProcessor" });
    const whole = saved("model.safetensors").floats("image_newline");
    expect(openSafetensors(join(out, "model.safetensors")).floats("image_newline")).toEqual(whole);
  });

  it("cuts by its config where the encoder's own file says how pictures become its input", async () => {
    const [bare, encoder] = [join(folder, "bare"), join(folder, "encoder")];
    await cp(join(run, "model"), bare, { recursive: true });
    const file = JSON.parse(await readFile(join(bare, "preprocessor_config.json"), "utf8")) as object;
    await rm(join(bare, "preprocessor_config.json"));
    await mkdir(encoder);
    const { size } = file as { size: object };
    const square = { image_processor_type: "SiglipImageProcessor", size };
    await writeFile(join(encoder, "preprocessor_config.json"), JSON.stringify(square));
    const out = join(folder, "hf-encoder");
    const { code, err } = await cli(["convert", bare, out, "--vision", encoder]);
    expect(code, err).toBe(0);
    const written = JSON.parse(await readFile(join(out, "preprocessor_config.json"), "utf8")) as object;
    expect(written).toEqual({ ...file, processor_class: "LlavaNextProcessor" });
  });

  it("evaluates its saved model as its checkpoint", async () => {
    const copy = join(folder, "copy");
    await cp(run, copy, { recursive: true });
    await rm(join(copy, "checkpoints"), { recursive: true });
    const [kept, gone] = [await cli(["eval", run, "--json"]), await cli(["eval", copy, "--json"])];
    const metrics = [kept, gone].map(
      ({ json }) => json<{ evaluations: { metrics: Record<string, number> }[] }>().evaluations[0]?.metrics,
    );
    expect(metrics[1]?.["nll"]).toBeCloseTo(metrics[0]?.["nll"] ?? Number.NaN, 5);
    expect({ ...metrics[1], nll: 0 }).toEqual({ ...metrics[0], nll: 0 });
  });

  it("chats about a picture of another shape", async () => {
    const image = join(folder, "wide.png");
    await writeFile(image, png([220, 30, 30], { width: 80, height: 20 }));
    const asked = ["chat", run, "--image", image, "--question", "what color is this ?", "--max-tokens", "3"];
    const { code, err, json } = await cli([...asked, "--json"]);
    expect(code, err).toBe(0);
    expect(json()).toMatchObject({ ended: expect.any(String) });
    // 4 rows of the whole, 2 lines of 6 with a newline, and 10 tokens.
    expect(err).toContain(`${4 + 2 * 7 + 10} prompt tokens`);
  });

  it("trains the encoder on pixels of tiles", async () => {
    const { code, err } = await cli([
      ...["train", recipe, ...anyres, "--out", join(folder, "pixels"), "--no-report"],
      ...["--set", "features.standardise=false", "--set", 'stages.align.train=["projector","vision"]'],
      ...["--set", "data.onImageError=skip-and-count"],
    ]);
    expect(code, err).toBe(0);
  });

  it("begins with a projector of a stage without tiles, and says what that does not hold", async () => {
    const square = join(folder, "square");
    const first = await cli([
      "train",
      recipe,
      "--out",
      square,
      "--no-report",
      "--set",
      "model.imageAspectRatio=pad",
    ]);
    expect(first.code, first.err).toBe(0);
    const from = [
      "--set",
      "model.projectorInit=default",
      "--set",
      `model.projector={"name":"mlp2x_gelu","from":${JSON.stringify(square)}}`,
    ];
    const { code, out } = await cli(["train", recipe, ...anyres, ...from, "--dry"]);
    expect(code, out).toBe(0);
    expect(out).toContain("square holds no image_newline: it begins with random values");
  });

  it("trains with losses that compare rows with their features", async () => {
    const set = ["cos", "gram"].flatMap((kind) => ["--set", `stages.align.losses.viral-${kind}=1`]);
    const run = join(folder, "viral");
    const printed = await cli(["train", recipe, ...anyres, ...set, "--out", run, "--no-report", "--json"]);
    expect(printed.code, printed.err).toBe(0);
    const metrics = await readFile(join(run, "metrics.jsonl"), "utf8");
    for (const name of ["viral-cos", "viral-gram"]) expect(metrics).toMatch(new RegExp(`"${name}":0\\.\\d`));
  });

  it.each([
    [
      "sizes without tiles",
      ["model.imageAspectRatio=pad", "model.imageGridPinpoints=[[16,32]]"],
      "model.imageGridPinpoints are sizes of pictures that are cut into tiles, but model.imageAspectRatio is pad. ",
    ],
    [
      "sizes that are no whole tiles",
      ["model.imageAspectRatio=anyres", "model.imageGridPinpoints=[[16,40]]"],
      "model.imageGridPinpoints must be multiples of the encoder's 16 pixels, got [16, 40]. ",
    ],
    [
      "a picture of too many pixels",
      ["data.decode.pixelLimit=300"],
      "expected at most 300 pixels, got 32 × 16 = 512. Make the picture smaller, raise pixelLimit where that is meant, ",
    ],
  ])("refuses %s", async (_, settings, expected) => {
    const set = settings.flatMap((setting) => ["--set", setting]);
    const { code, out, err } = await cli(["train", recipe, ...set, "--dry"]);
    expect(code).not.toBe(0);
    expect(`${out}${err}`.replaceAll(/\s+/g, " ")).toContain(expected.trim());
  });

  it("leaves pictures of too many pixels out where the recipe says so", async () => {
    const set = ["--set", "data.decode.pixelLimit=300", "--set", "data.onImageError=skip-and-count"];
    const { code, out, err } = await cli(["check", recipe, ...set]);
    expect(code, err).toBe(0);
    expect(out).toContain("2 of 3 samples are left out: 2 pictures are broken");
  });
});
