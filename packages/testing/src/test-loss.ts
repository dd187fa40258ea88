import {
  createRandom,
  type LossContext,
  type VisualLoss,
  type VisualSpan,
  type VisualView,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import {
  checkOnDevice,
  checkSlopes,
  evaluate,
  type HostTensors,
  leakSince,
  namesWithGradient,
  normalTensor,
  parameterValues,
  type ScalarFunction,
  startStockCpu,
  type Tensors,
  uploadAll,
} from "./parts.js";

/** Fields of a view through which a gradient may flow. */
export type LossField = "initial" | "refined" | "hidden" | "block";

/** What {@link testLoss} needs to know of a loss. */
export interface LossSuite {
  readonly name: string;
  /** The factory that a registry would call. */
  readonly create: (context: LossContext) => VisualLoss;
  /** Options of the factory. */
  readonly options?: LossContext["options"];
  /** Fields that get a gradient; the others must get none. Default: `initial` alone. */
  readonly gradientsTo?: readonly LossField[];
  /** Whether the loss of two samples is the sum of their losses. Default true. */
  readonly addsUp?: boolean;
  /** Starts the backend; default: stock cpu with the references. */
  readonly start?: () => Promise<unknown>;
}

const WIDTH = 6;
const FEATURES = 5;
const WORDS = 11;
const DEPTH = 4;
const fields: readonly LossField[] = ["initial", "refined", "hidden", "block"];

/** Sample 0 has two images, sample 1 none, sample 2 one. */
const images: readonly VisualSpan[] = [
  { sample: 0, start: 0, length: 3 },
  { sample: 0, start: 3, length: 2 },
  { sample: 2, start: 5, length: 4 },
];

/** A vitest suite for a visual loss: value, gradient (checked by finite differences), samples, leaks. */
export function testLoss(suite: LossSuite): void {
  const { gradientsTo = ["initial"], addsUp = true } = suite;
  const create = () => suite.create(contextOf(suite));

  describe(`visual loss ${suite.name}`, () => {
    let fn: ScalarFunction<VisualLoss>;
    let parameters: readonly string[] = [];
    let used: readonly LossField[] = [];
    beforeAll(async () => {
      await (suite.start ?? startStockCpu)();
      const loss = create();
      const own = parameterValues(loss.parameters, suite.name);
      parameters = Object.keys(own);
      used = fieldsOf(loss);
      fn = functionOf(create, { ...viewValues(9), ...own }, images);
      loss.parameters?.dispose();
    });

    it("gives a finite scalar, and one number for each visual row where it reports rows", async () => {
      const before = tf.memory();
      const loss = create();
      const { sum, perRow } = tf.tidy(
        () => loss.compute(viewOf(uploadAll(viewValues(9)), images)) as Computed,
      );
      expect(sum.shape).toEqual([]);
      expect(Number.isFinite((await sum.data())[0])).toBe(true);
      expect(perRow?.shape ?? [9]).toEqual([9]);
      tf.dispose([sum, ...(perRow === undefined ? [] : [perRow])]);
      loss.parameters?.dispose();
      expect(leakSince(before)).toBeUndefined();
    });

    it("has the slope of its value as gradient", () => {
      expect(checkSlopes(fn, [...gradientsTo, ...parameters])).toEqual([]);
    });

    it("sends a gradient where it says, and nowhere else", () => {
      expect(namesWithGradient(fn, used)).toEqual(used.filter((name) => gradientsTo.includes(name)));
      expect(namesWithGradient(fn, parameters)).toEqual(parameters);
    });

    it("gives the same on the device as in double precision, and leaks nothing", async () => {
      expect(await checkOnDevice(fn, [...gradientsTo, ...parameters])).toEqual([]);
    });

    it("is 0 without images", () => {
      expect(evaluate(functionOf(create, { ...fn.values, ...viewValues(0) }, []))).toBe(0);
    });

    if (addsUp) {
      it("is the sum over the samples", () => {
        const [first, second] = [partOf(fn.values, 0, 5), partOf(fn.values, 5, 4)];
        const alone = [
          evaluate(functionOf(create, first, images.slice(0, 2))),
          evaluate(functionOf(create, second, [{ sample: 0, start: 0, length: 4 }])),
        ] as const;
        expect(alone[0] + alone[1]).toBeCloseTo(evaluate(fn), 9);
      });
    }
  });
}

type Computed = { sum: tf.Scalar; perRow?: tf.Tensor1D };

function contextOf({ name, options = {} }: LossSuite): LossContext {
  return { width: WIDTH, depth: DEPTH, features: FEATURES, random: createRandom(1, name), options };
}

function functionOf(
  create: () => VisualLoss,
  values: HostTensors,
  spans: readonly VisualSpan[],
): ScalarFunction<VisualLoss> {
  return { create, values, loss: (loss, tensors) => loss.compute(viewOf(tensors, spans)).sum };
}

/** The fields of a view that this loss is given. */
function fieldsOf({ needs }: VisualLoss): readonly LossField[] {
  const given = {
    initial: true,
    refined: needs.refined,
    hidden: needs.hidden,
    block: needs.block !== undefined,
  };
  return fields.filter((field) => given[field]);
}

const rowFields = {
  initial: WIDTH,
  refined: WIDTH,
  hidden: WIDTH,
  block: WIDTH,
  features: FEATURES,
} as const;

function viewValues(rows: number): HostTensors {
  const perRow = Object.entries(rowFields).map(([name, width]) => [name, normalTensor([rows, width], name)]);
  const weights = normalTensor([rows], "patchWeights", 0.3);
  return {
    ...Object.fromEntries(perRow),
    patchWeights: { ...weights, values: weights.values.map(Math.abs) },
    vocabulary: normalTensor([WORDS, WIDTH], "vocabulary"),
    head: normalTensor([WORDS, WIDTH], "head"),
  };
}

/** The values of some visual rows. */
function partOf(values: HostTensors, start: number, rows: number): HostTensors {
  const cut = Object.entries(values).map(([name, value]) => {
    if (!(name in rowFields) && name !== "patchWeights") return [name, value];
    const [, width = 1] = value.shape;
    const kept = value.values.slice(start * width, (start + rows) * width);
    return [name, { ...value, shape: [rows, ...value.shape.slice(1)], values: kept }];
  });
  return Object.fromEntries(cut);
}

function viewOf(tensors: Tensors, spans: readonly VisualSpan[]): VisualView {
  const rows = tensors as Readonly<Record<string, tf.Tensor2D>> as unknown as Required<VisualView>;
  const weight = tensors["head"] as tf.Tensor2D;
  return {
    initial: rows.initial,
    refined: rows.refined,
    hidden: rows.hidden,
    block: rows.block,
    features: rows.features,
    patchWeights: rows.patchWeights,
    vocabulary: rows.vocabulary,
    head: { weight, trainable: false, softcap: 0 },
    images: spans,
  };
}
