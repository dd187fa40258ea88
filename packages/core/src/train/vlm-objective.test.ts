import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it, vi } from "vitest";

import { valueAndGradients } from "../autodiff.js";
import { registerStockGradients } from "../gradients.js";
import { setFallback } from "../kernels/run.js";
import { createDasNceLoss } from "../losses/das-nce.js";
import { createDirectionLoss } from "../losses/direction.js";
import { createDistributionLoss } from "../losses/distribution.js";
import { createEmuL2Loss } from "../losses/emu-l2.js";
import { createSmoothL1Loss } from "../losses/smooth-l1.js";
import { createViralCosLoss } from "../losses/viral-cos.js";
import type { VisualLoss, VisualView } from "../losses/visual-loss.js";
import { addImageNewline, NEWLINE_ROW } from "../models/image-newline.js";
import type { HostVisualRows, PackedRows, VisionEncoder, VisualRows } from "../models/interfaces.js";
import { decoderConfig } from "../models/language/config.js";
import { createDecoder, type Decoder } from "../models/language/decoder.js";
import { createProjector } from "../models/projector/projector.js";
import { ParameterSet } from "../parameters.js";
import { createRandom } from "../random.js";
import type { LossPart } from "./objective.js";
import type { VlmBatch } from "./vlm-batch.js";
import type { VlmObjectiveOptions } from "./vlm-forward.js";
import { createVlmObjective } from "./vlm-objective.js";

const FEATURES = 5;
const WIDTH = 8;
const PATCHES = 4;
const position = { stage: "align", step: 0, steps: 10 };

beforeAll(async () => {
  await tf.setBackend("cpu");
  registerStockGradients();
  setFallback("reference");
});

function decoder(): Decoder {
  const sizes = { vocabularySize: 11, width: WIDTH, depth: 4, heads: 2, inner: 12 };
  return createDecoder(decoderConfig({ ...sizes, initialStd: 0.5 }), { seed: 3 });
}

function parts(more: Partial<VlmObjectiveOptions> = {}): VlmObjectiveOptions {
  return {
    encoder: null,
    projector: createProjector("mlp2x_gelu", { features: FEATURES, width: WIDTH, seed: 1 }),
    language: decoder(),
    losses: [weighted(createDirectionLoss(), 1), weighted(createDistributionLoss(), 0.01)],
    ...more,
  };
}

function weighted(loss: VisualLoss, weight: number | null) {
  return { loss, weightAt: () => weight };
}

/** A text token, then an image, then text: the last three tokens are supervised. */
const PICTURE = [1, null, 2, 3, 4, 5] as const;
const TEXT = [1, 6, 7, 8] as const;

/** Packs samples; null stands for an image. Labels: the last three tokens of each sample. */
function pack(samples: readonly (readonly (number | null)[])[]): PackedRows {
  let visual = 0;
  const rows = samples.map((tokens) =>
    tokens.flatMap((token) =>
      token === null ? Array.from({ length: PATCHES }, () => -1 - visual++) : [token],
    ),
  );
  const offsets = [0];
  for (const { length } of rows) offsets.push((offsets.at(-1) as number) + length);
  const images = samples.flatMap((tokens, sample) => {
    const before = tokens.indexOf(null);
    return before < 0 ? [] : [{ sample, start: (offsets[sample] as number) + before, length: PATCHES }];
  });
  const ids = rows.flat();
  const isTrained = (row: number, { length }: readonly number[]): boolean =>
    row >= length - 4 && row < length - 1;
  return {
    ids: Int32Array.from(ids),
    offsets: Int32Array.from(offsets),
    positions: Int32Array.from(rows.flatMap((own) => [...own.keys()])),
    images,
    countsAsText: Int32Array.from(ids, (id) => (id >= 0 ? 1 : 0)),
    labels: Int32Array.from(
      rows.flatMap((own) => own.map((_, r) => (isTrained(r, own) ? (own[r + 1] as number) : -100))),
    ),
  };
}

/** Features of image `index` do not depend on what else is in the batch. */
function features(...indices: readonly number[]): HostVisualRows {
  const values = indices.flatMap((index) => [
    ...createRandom(index, "features").fillNormal(new Float32Array(PATCHES * FEATURES), 1),
  ]);
  return {
    values: Float32Array.from(values),
    width: FEATURES,
    offsets: Int32Array.from({ length: indices.length + 1 }, (_, i) => i * PATCHES),
    grids: indices.map(() => [2, 2] as const),
  };
}

function batch(samples: readonly (readonly (number | null)[])[], ...images: readonly number[]): VlmBatch {
  return {
    packed: pack(samples),
    visual: images.length === 0 ? null : features(...images),
    sampleIds: samples.map((_, i) => `sample-${i}`),
  };
}

const mixed = () => batch([PICTURE, TEXT, PICTURE], 0, 1);

async function sums(of: readonly LossPart[]): Promise<Record<string, number>> {
  const values = await Promise.all(of.map(async ({ name, sum }) => [name, (await sum.data())[0]] as const));
  return Object.fromEntries(values) as Record<string, number>;
}

async function largest(tensor: tf.Tensor | undefined): Promise<number> {
  return tensor === undefined ? Number.NaN : Math.max(...(await tensor.data()).map(Math.abs));
}

function partNamed(all: readonly LossPart[], name: string): tf.Scalar {
  return all.find((part) => part.name === name)?.sum as tf.Scalar;
}

describe("createVlmObjective", () => {
  it("counts supervised tokens and samples with an image", () => {
    expect(createVlmObjective(parts()).count(mixed())).toEqual({ tokens: 9, samples: 2 });
  });

  it("gives the language loss per token and each visual loss per sample, with its weight", () => {
    const found = createVlmObjective(parts()).parts(mixed(), position);
    expect(found.map(({ name, per, weight }) => [name, per, weight])).toEqual([
      ["language", "tokens", 1],
      ["direction", "samples", 1],
      ["distribution", "samples", 0.01],
    ]);
  });

  it("gives sums that do not depend on how a batch is split", async () => {
    const objective = createVlmObjective(parts());
    const whole = await sums(objective.parts(mixed(), position));
    const first = await sums(objective.parts(batch([PICTURE, TEXT], 0), position));
    const second = await sums(objective.parts(batch([PICTURE], 1), position));
    for (const name of ["language", "direction", "distribution"]) {
      expect(whole[name]).toBeGreaterThan(0);
      expect(whole[name]).toBeCloseTo((first[name] ?? 0) + (second[name] ?? 0), 4);
    }
  });

  it("gives visual losses of 0 for a batch of text alone", async () => {
    const found = await sums(createVlmObjective(parts()).parts(batch([TEXT]), position));
    expect(found).toMatchObject({ direction: 0, distribution: 0 });
    expect(found["language"]).toBeGreaterThan(0);
  });

  it("trains only the projector with the visual losses, unless the stop of the gradient is lifted", async () => {
    const cases = [
      { own: true, supervision: {} },
      { own: true, supervision: { stopGradient: false } },
      { own: false, supervision: {} },
      { own: false, supervision: { stopGradient: false } },
    ];
    for (const { own, supervision } of cases) {
      const losses = [weighted(createDirectionLoss({ stopGradient: own }), 1)];
      const options = parts({ losses, supervision });
      const objective = createVlmObjective(options);
      const block = options.language.parameters.get("model.layers.0.self_attn.v_proj.weight");
      const map = options.projector.parameters.get("linear_1.weight");
      const { gradients } = valueAndGradients(
        () => partNamed(objective.parts(mixed(), position), "direction"),
        [map.value, block.value],
      );
      expect(await largest(gradients[0])).toBeGreaterThan(0);
      const reached = (await largest(gradients[1])) > 0;
      expect(reached).toBe(!own);
    }
  });

  it("gives the gradient of the refined embeddings to the losses that ask for it alone", () => {
    const made = (stopGradient: boolean) => [
      createDirectionLoss({ stopGradient }),
      createDistributionLoss({ stopGradient }),
      createDasNceLoss({ stopGradient }),
      createSmoothL1Loss({ stopGradient }),
    ];
    expect(made(true).map(({ needs }) => needs.refinedGradient)).toEqual([false, false, false, false]);
    expect(made(false).map(({ needs }) => needs.refinedGradient)).toEqual([true, true, true, true]);
    // A loss of somebody else that leaves the detaching to the objective.
    const trusting: VisualLoss = {
      name: "trusting",
      needs: { refined: true },
      compute: ({ refined }) => ({ sum: tf.sum(tf.square(refined as tf.Tensor2D)) as tf.Scalar }),
    };
    const options = parts({
      losses: [weighted(trusting, 1), weighted(createSmoothL1Loss({ stopGradient: false }), 1)],
    });
    const objective = createVlmObjective(options);
    const block = options.language.parameters.get("model.layers.0.self_attn.v_proj.weight").value;
    const reaches = (name: string): boolean => {
      const { gradients } = valueAndGradients(
        () => partNamed(objective.parts(mixed(), position), name),
        [block],
      );
      return gradients.some((gradient) => gradient.dataSync().some((value) => value !== 0));
    };
    expect([reaches("trusting"), reaches("smooth-l1")]).toEqual([false, true]);
  });

  it("names parts as the recipe does", () => {
    const twice = [
      { name: "direction", loss: createDirectionLoss(), weightAt: () => 1 },
      { name: "my-direction", loss: createDirectionLoss({ normalise: "uniform" }), weightAt: () => 1 },
    ];
    const found = createVlmObjective(parts({ losses: twice })).parts(mixed(), position);
    expect(found.map(({ name }) => name)).toEqual(["language", "direction", "my-direction"]);
  });

  it("computes a loss of weight 0 without a gradient, and does not compute one that the stage leaves out", async () => {
    let computed = 0;
    const counted = (): VisualLoss => {
      const loss = createDirectionLoss();
      return {
        ...loss,
        compute: (view) => {
          computed++;
          return loss.compute(view);
        },
      };
    };
    const options = parts({
      losses: [weighted(counted(), 0), weighted({ ...counted(), name: "absent" }, null)],
    });
    const objective = createVlmObjective(options);
    const map = options.projector.parameters.get("linear_1.weight");
    const names: string[] = [];
    const { value, gradients } = valueAndGradients(() => {
      const found = objective.parts(mixed(), position);
      names.push(...found.map(({ name }) => name));
      return partNamed(found, "direction");
    }, [map.value]);
    expect(names).toEqual(["language", "direction"]);
    expect(computed).toBe(1);
    expect((await value.data())[0]).toBeGreaterThan(0);
    expect(await largest(gradients[0])).toBe(0);
  });

  it("gives losses what they need: hidden rows, a block, features; and trains their own weights", async () => {
    const losses = [
      weighted(createEmuL2Loss({ width: WIDTH }), 1),
      weighted(createViralCosLoss({ width: WIDTH, featureWidth: FEATURES }), 1),
    ];
    const objective = createVlmObjective(parts({ losses }));
    expect([...(objective.groups["losses"] ?? [])].map(({ name }) => name)).toContain("viral-cos.1.bias");
    const own = [...(objective.groups["losses"] ?? [])].map((parameter) => parameter.value);
    const { gradients } = valueAndGradients(() => {
      const found = objective.parts(mixed(), position);
      return tf.add(partNamed(found, "emu-l2"), partNamed(found, "viral-cos"));
    }, own);
    for (const gradient of gradients) expect(await largest(gradient)).toBeGreaterThan(0);
  });

  it("runs a frozen encoder outside of the tape and a trainable one on it", () => {
    const recorded: boolean[] = [];
    const encoder = fakeEncoder(() => recorded.push(tf.engine().state.gradientDepth > 0));
    const objective = createVlmObjective(parts({ encoder }));
    const pixels = { pixels: new Float32Array(2 * 2 * 2 * 3), shape: [2, 2, 2, 3] as const };
    const withPixels = { ...mixed(), visual: pixels };
    for (const trainable of [false, true]) {
      encoder.parameters.setTrainable(trainable);
      valueAndGradients(() => partNamed(objective.parts(withPixels, position), "language"), []);
    }
    expect(recorded).toEqual([false, true]);
  });

  it("leaks no tensors, with and without gradients", () => {
    const options = parts();
    const objective = createVlmObjective(options);
    const one = mixed();
    const parameters = [...options.projector.parameters].map(({ value }) => value);
    const before = tf.memory().numTensors;
    tf.dispose(tf.tidy(() => objective.parts(one, position).map(({ sum }) => sum)));
    expect(tf.memory().numTensors).toBe(before);
    const { value, gradients } = valueAndGradients(
      () => tf.addN(objective.parts(one, position).map(({ sum }) => sum)) as tf.Scalar,
      parameters,
    );
    tf.dispose([value, ...gradients]);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("errors of createVlmObjective", () => {
  it("names the image whose rows do not fit its places", () => {
    const objective = createVlmObjective(parts());
    const wrong = { ...features(0), values: new Float32Array(9 * FEATURES), offsets: Int32Array.of(0, 9) };
    const bad = { ...batch([PICTURE], 0), visual: { ...wrong, grids: [[3, 3] as const] } };
    expect(() => objective.parts(bad, position)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Image 0 (sample "sample-0") has 4 places in the packed batch, but the projector gave 9 visual rows. Pack with \`gridAfter\` of the same projector and image size. [E_IMAGE_TOKENS]]`,
    );
  });

  it("says when images and places differ in number", () => {
    const objective = createVlmObjective(parts());
    expect(() => objective.parts(batch([PICTURE]), position)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: The packed batch has places for 1 images, but 0 were given. Pass one image per <image> mark, in order of appearance, and \`visual: null\` for text alone. [E_IMAGE_TOKENS]]`,
    );
  });

  it("asks for an encoder when a batch carries pixels", () => {
    const pixels = { pixels: new Float32Array(12), shape: [1, 2, 2, 3] as const };
    const bad = { ...batch([PICTURE]), visual: pixels };
    expect(() => createVlmObjective(parts()).parts(bad, position)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: The batch carries pixels, but this objective has no vision encoder. Pass \`encoder\`, or batches with features. [E_CONFIG]]`,
    );
  });

  it("puts the rows of tiles in order, with image_newline in the projector's group", async () => {
    const options = parts();
    addImageNewline(options.projector, WIDTH, createRandom(2));
    const objective = createVlmObjective(options);
    // Four projected rows; the third is padding that a newline replaces.
    const arrangement = { order: Int32Array.of(0, 1, NEWLINE_ROW, 3), offsets: Int32Array.of(0, 4) };
    const cut = { ...batch([PICTURE], 0), arrangement };
    const newline = objective.groups["projector"]?.get("image_newline");
    const total = () => tf.addN(objective.parts(cut, position).map(({ sum }) => sum)) as tf.Scalar;
    const { gradients } = valueAndGradients(total, [newline?.value as tf.Tensor]);
    expect(Math.max(...tf.abs(gradients[0] as tf.Tensor).dataSync())).toBeGreaterThan(0);
    const [own, plain] = [
      await sums(objective.parts(cut, position)),
      await sums(objective.parts(batch([PICTURE], 0), position)),
    ];
    expect(own["language"]).not.toBeCloseTo(plain["language"] ?? 0, 4);
  });

  describe("a loss that compares rows with features, where pictures are cut into tiles", () => {
    const arrangement = { order: Int32Array.of(0, 1, NEWLINE_ROW, 3), offsets: Int32Array.of(0, 4) };
    const cut = { ...batch([PICTURE], 0), arrangement };

    it("sees the rows that come from a feature, and these features", () => {
      const views: VisualView[] = [];
      const watching: VisualLoss = {
        name: "watching",
        needs: { features: true, block: () => 2, hidden: true, patchWeights: true },
        compute: (view) => {
          views.push(view);
          return { sum: tf.scalar(0) };
        },
      };
      const options = parts({ losses: [weighted(watching, 1)] });
      addImageNewline(options.projector, WIDTH, createRandom(2));
      createVlmObjective(options).parts(cut, position);
      const [view] = views;
      expect(view?.images).toEqual([{ sample: 0, start: 0, length: 3 }]);
      const { values, offsets, grids } = features(0);
      const rows = [0, 1, 3].map((row) => [...values.subarray(row * FEATURES, (row + 1) * FEATURES)]);
      expect(view?.features?.arraySync()).toEqual(rows);
      const shapes = [view?.initial, view?.block, view?.hidden, view?.patchWeights].map((one) => one?.shape);
      expect(shapes).toEqual([[3, WIDTH], [3, WIDTH], [3, WIDTH], [3]]);
      const encoded = { rows: tf.tensor2d(values, [PATCHES, FEATURES]), offsets, grids };
      const projected = tf.tidy(() => options.projector.project(encoded).rows.arraySync());
      expect(view?.initial.arraySync()).toEqual([0, 1, 3].map((row) => projected[row]));
    });

    it("trains what is before the block", () => {
      const losses = [weighted(createViralCosLoss({ width: WIDTH, featureWidth: FEATURES }), 1)];
      const options = parts({ losses });
      addImageNewline(options.projector, WIDTH, createRandom(2));
      const objective = createVlmObjective(options);
      const [first] = [...options.projector.parameters];
      const viral = () => objective.parts(cut, position).find(({ name }) => name === "viral-cos")?.sum;
      const { value, gradients } = valueAndGradients(() => viral() as tf.Scalar, [first?.value as tf.Tensor]);
      expect(value.dataSync()[0]).toBeGreaterThan(0);
      expect(Math.max(...tf.abs(gradients[0] as tf.Tensor).dataSync())).toBeGreaterThan(0);
    });

    it("says that a projector which merges rows leaves none to compare with", () => {
      const losses = [weighted(createViralCosLoss({ width: WIDTH, featureWidth: FEATURES }), 1)];
      const options = parts({ losses });
      addImageNewline(options.projector, WIDTH, createRandom(2));
      const merging = {
        parameters: options.projector.parameters,
        project: (rows: VisualRows) => options.projector.project(rows),
        gridAfter: () => ({ grid: null, rows: 1 }),
      };
      const objective = createVlmObjective({ ...options, projector: merging });
      expect(() => objective.parts(cut, position)).toThrowErrorMatchingInlineSnapshot(
        `[BasicError: viral-cos: the encoder gave 4 feature rows for an image, but the projector makes 1 of them. Use a projector that keeps the rows (linear, mlp2x_gelu), or leave this loss out. [E_SHAPE]]`,
      );
    });
  });

  it("refuses a supervised depth beyond the language model", () => {
    expect(() => createVlmObjective(parts({ supervision: { depth: 5 } }))).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: supervision.depth is 5, but the language model has 4 blocks. Use 1 to 4, or null for half of them. [E_CONFIG]]`,
    );
  });
});

describe("diagnose", () => {
  const words = { samples: [new Set(["cat"]), new Set<string>(), new Set(["dog"])] };

  it("measures everything that method.md asks for", async () => {
    const objective = createVlmObjective(parts({ decode: () => "cat" }));
    const before = tf.memory().numTensors;
    const found = await objective.diagnose?.({ ...mixed(), words }, position);
    expect(tf.memory().numTensors).toBe(before);
    expect(Object.keys(found ?? {}).sort()).toEqual([
      "cosine",
      "distinctMatches",
      "effectiveRank",
      "meaningfulShare",
      "normInitial",
      "normRefined",
      "normVocabulary",
      "patchWeightSum",
      "ratioDirection",
      "ratioDistribution",
    ]);
    expect(Object.values(found ?? {}).every(Number.isFinite)).toBe(true);
    expect(found?.["meaningfulShare"]).toBe(0.5);
    expect(found?.["patchWeightSum"]).toBeGreaterThan(0);
    expect(found?.["patchWeightSum"]).toBeLessThanOrEqual(1);
  });

  it("gives λ times the loss over the language loss", async () => {
    const objective = createVlmObjective(parts());
    const found = await objective.diagnose?.(mixed(), position);
    const of = await sums(objective.parts(mixed(), position));
    const language = (of["language"] ?? 0) / 9;
    expect(found?.["ratioDirection"]).toBeCloseTo((of["direction"] ?? 0) / 2 / language, 4);
    expect(found?.["ratioDistribution"]).toBeCloseTo((0.01 * (of["distribution"] ?? 0)) / 2 / language, 5);
  });

  it("says nothing about text alone, and works without any visual loss", async () => {
    const objective = createVlmObjective(parts({ losses: [] }));
    expect(await objective.diagnose?.(batch([TEXT]), position)).toEqual({});
    expect(await objective.diagnose?.(mixed(), position)).toHaveProperty("cosine");
  });

  it("can be walked through on the device: the same kernels, and nothing is left behind", async () => {
    const objective = createVlmObjective(parts());
    const run = vi.spyOn(tf.engine(), "runKernel");
    const names = () => [...new Set(run.mock.calls.splice(0).map(([name]) => name))].sort();
    await objective.diagnose?.(mixed(), position);
    const diagnosed = names();
    const before = tf.memory().numTensors;
    objective.walkDiagnostics?.(mixed(), position);
    expect(tf.memory().numTensors).toBe(before);
    expect(names()).toEqual(diagnosed);
    objective.walkDiagnostics?.(batch([TEXT]), position);
    expect(names()).toEqual([]);
    run.mockRestore();
  });
});

function fakeEncoder(onEncode: () => void): VisionEncoder {
  const parameters = new ParameterSet();
  const source = createProjector("linear", { features: 3, width: 3 });
  for (const parameter of source.parameters) parameters.add(parameter);
  return {
    width: FEATURES,
    imageSize: 2,
    parameters,
    encode: () => {
      onEncode();
      const { values, offsets, grids } = features(0, 1);
      return { rows: tf.tensor2d(values, [values.length / FEATURES, FEATURES]), offsets, grids };
    },
  };
}
