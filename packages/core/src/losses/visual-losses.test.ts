import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { valueAndGradients } from "../autodiff.js";
import { registerStockGradients } from "../gradients.js";
import { setFallback } from "../kernels/run.js";
import { createRandom } from "../random.js";
import { lossOptions, visualLosses } from "./built-in.js";
import type { VisualLoss, VisualSpan, VisualView } from "./visual-loss.js";

const WIDTH = 4;
const FEATURES = 3;
const VOCABULARY = 7;
const DEPTH = 4;

/** Sample 0 has two images, sample 1 is text only, sample 2 has one. */
const images: readonly VisualSpan[] = [
  { sample: 0, start: 0, length: 3 },
  { sample: 0, start: 3, length: 2 },
  { sample: 2, start: 5, length: 4 },
];

const names = Object.keys(visualLosses);

beforeAll(async () => {
  await tf.setBackend("cpu");
  registerStockGradients();
  setFallback("reference");
});

function make(name: string, options: Record<string, unknown> = {}): VisualLoss {
  const context = { width: WIDTH, depth: DEPTH, features: FEATURES, random: createRandom(1), options };
  return (visualLosses[name] as (typeof visualLosses)[string])(context);
}

/** Values of one view; losses read the fields that they need. */
function inputs(rows: number, seed = 0) {
  const random = createRandom(seed, "view");
  const normal = (height: number, width: number): tf.Tensor2D =>
    tf.tensor2d(random.fillNormal(new Float32Array(height * width), 1), [height, width]);
  return {
    initial: normal(rows, WIDTH),
    refined: normal(rows, WIDTH),
    hidden: normal(rows, WIDTH),
    block: normal(rows, WIDTH),
    features: normal(rows, FEATURES),
    vocabulary: normal(VOCABULARY, WIDTH),
    head: { weight: normal(VOCABULARY, WIDTH), trainable: false, softcap: 0 },
    patchWeights: tf.tensor1d(random.fillUniform(new Float32Array(rows), 0, 0.2)),
  };
}

function view(more: Partial<VisualView> = {}): VisualView {
  return { ...inputs(9), images, ...more };
}

/** Rows of every field of a view. */
function cut(whole: VisualView, start: number, length: number, spans: readonly VisualSpan[]): VisualView {
  const part = (x: tf.Tensor2D | undefined): tf.Tensor2D =>
    tf.slice(x as tf.Tensor2D, [start, 0], [length, -1]);
  return {
    ...whole,
    images: spans.map((span) => ({ ...span, start: span.start - start })),
    initial: part(whole.initial),
    refined: part(whole.refined),
    hidden: part(whole.hidden),
    block: part(whole.block),
    features: part(whole.features),
    patchWeights: tf.slice(whole.patchWeights as tf.Tensor1D, [start], [length]),
  };
}

async function lossOf(loss: VisualLoss, of: VisualView): Promise<number> {
  return (await loss.compute(of).sum.data())[0] as number;
}

describe.each(names)("%s", (name) => {
  it("is 0 and not NaN without images", async () => {
    const nothing = { ...inputs(0), images: [] };
    expect(await lossOf(make(name), nothing)).toBe(0);
  });

  it("is the sum over samples, whatever the split into micro-batches", async () => {
    const loss = name === "das-nce" ? make(name, { negatives: "sample" }) : make(name);
    const whole = view();
    const first = cut(whole, 0, 5, images.slice(0, 2));
    const second = cut(whole, 5, 4, [{ sample: 0, start: 5, length: 4 }]);
    const parts = (await lossOf(loss, first)) + (await lossOf(loss, second));
    expect(await lossOf(loss, whole)).toBeCloseTo(parts, 4);
  });

  it("has the gradient that finite differences show", async () => {
    const loss = make(name);
    const base = view();
    const fields = (["initial", "hidden", "block"] as const).filter((field) => dependsOn(loss, field));
    expect(fields.length).toBeGreaterThan(0);
    for (const field of fields) await checkGradient(loss, base, field);
  });

  it("is finite, with a finite gradient, where rows are zero", async () => {
    const loss = make(name);
    const zero = tf.zeros([9, WIDTH]) as tf.Tensor2D;
    const zeros = view({
      initial: zero,
      refined: zero,
      hidden: zero,
      block: zero,
      features: tf.zeros([9, FEATURES]),
    });
    const leaves = [zeros.initial, ...[...(loss.parameters ?? [])].map(({ value }) => value)];
    const { value, gradients } = valueAndGradients(() => loss.compute(zeros).sum, leaves);
    for (const tensor of [value, ...gradients]) {
      expect([...(await tensor.data())].every(Number.isFinite)).toBe(true);
    }
  });

  it("sends no gradient to its targets and patch weights", async () => {
    const loss = make(name);
    const base = view();
    const targets = [base.refined, base.features, base.vocabulary, base.patchWeights] as tf.Tensor[];
    const { gradients } = valueAndGradients(() => loss.compute(base).sum, targets);
    for (const gradient of gradients) expect([...(await gradient.data())].every((g) => g === 0)).toBe(true);
  });

  it("leaks no tensors", () => {
    const loss = make(name);
    const base = view();
    const before = tf.memory().numTensors;
    const { sum, perRow } = loss.compute(base);
    tf.dispose([sum, ...(perRow === undefined ? [] : [perRow])]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("refuses spans that do not cover the rows", () => {
    expect(() => make(name).compute(view({ images: images.slice(1) }))).toThrow(/visual rows.*\[E_SHAPE\]/);
  });

  it("refuses options that it does not know", () => {
    expect(() => make(name, { normalize: "sum" })).toThrow(/normalize.*\[E_RECIPE_INVALID\]/s);
  });
});

function dependsOn(loss: VisualLoss, field: "initial" | "hidden" | "block"): boolean {
  if (field === "hidden") return loss.needs.hidden === true;
  if (field === "block") return loss.needs.block !== undefined;
  return loss.needs.refined === true;
}

/** Central differences in float32: good to about one per cent. */
async function checkGradient(
  loss: VisualLoss,
  base: VisualView,
  field: "initial" | "hidden" | "block",
): Promise<void> {
  const x = base[field] as tf.Tensor2D;
  const { gradients } = valueAndGradients(() => loss.compute(base).sum, [x]);
  const gradient = await (gradients[0] as tf.Tensor).data();
  const values = await x.data<"float32">();
  const step = 1e-2;
  for (let i = 0; i < values.length; i += 5) {
    const at = async (change: number): Promise<number> => {
      const moved = values.slice();
      moved[i] = (moved[i] as number) + change;
      return lossOf(loss, { ...base, [field]: tf.tensor2d(moved, x.shape) });
    };
    const slope = ((await at(step)) - (await at(-step))) / (2 * step);
    expect(Math.abs(slope - (gradient[i] as number))).toBeLessThan(2e-3 + 0.02 * Math.abs(slope));
  }
}

describe("lossOptions", () => {
  const supervision = { normalise: "mean", stopGradient: false, vocabulary: "head" } as const;

  it("takes from `supervision` what the loss knows, overruled by its own options", () => {
    expect(lossOptions("direction", supervision, {})).toEqual({ normalise: "mean", stopGradient: false });
    expect(lossOptions("distribution", supervision, { vocabulary: "input" })).toEqual({
      normalise: "mean",
      stopGradient: false,
      vocabulary: "input",
    });
  });

  it("leaves das-nce its own scale, and losses of others alone", () => {
    expect(lossOptions("das-nce", supervision, {})).toEqual({ stopGradient: false });
    expect(lossOptions("someone-elses", supervision, { a: 1 })).toEqual({ a: 1 });
  });
});

describe("options of a loss", () => {
  it("are checked with advice", () => {
    expect(() => make("das-nce", { tau: -1 })).toThrowErrorMatchingInlineSnapshot(`
      [BasicError: Options of the loss "das-nce" are not valid.
      ✖ Too small: expected number to be >0, got -1
        → at tau
      Known: tau, negatives, normalise, stopGradient. [E_RECIPE_INVALID]]
    `);
  });
});
