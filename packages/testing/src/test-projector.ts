import {
  createRandom,
  type Grid,
  type Projector,
  type ProjectorContext,
  type VisualRows,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { worstDifference } from "./compare.js";
import { testPart } from "./part-suite.js";
import {
  assignParameters,
  leakSince,
  normalTensor,
  parameterValues,
  startStockCpu,
  upload,
} from "./parts.js";
import { type Regions, regionProblems } from "./projector-regions.js";

/** What {@link testProjector} needs to know of a projector. */
export interface ProjectorSuite {
  readonly name: string;
  /** The factory that a registry would call. */
  readonly create: (context: ProjectorContext) => Projector;
  /** Options of the factory. */
  readonly options?: ProjectorContext["options"];
  /** Width of the features. Default 6. */
  readonly features?: number;
  /** Width of the LLM. Default 8. */
  readonly width?: number;
  /** Patches of the two images that are projected. Default 4 x 4 and 2 x 4. */
  readonly grids?: readonly [readonly [number, number], readonly [number, number]];
  /** Which rows a patch reaches. Default: its own where rows are a grid, else all of the image. */
  readonly regions?: Regions;
  /** Starts the backend; default: stock cpu with the references. */
  readonly start?: () => Promise<unknown>;
}

const DEFAULT_GRIDS = [
  [4, 4],
  [2, 4],
] as const;

/** Rows of the embedding table that projectors are made with. */
const VOCABULARY_SIZE = 11;

/**
 * A vitest suite for a projector: shapes, which rows belong to which patches, gradient (by finite differences), save and
 * load, leaks.
 */
export function testProjector(suite: ProjectorSuite): void {
  const { features = 6, width = 8, grids = DEFAULT_GRIDS } = suite;
  const create = () => createIn(suite, { features, width, patches: grids[0] });
  const counts = grids.map(([height, columns]) => height * columns) as [number, number];
  const total = counts[0] + counts[1];
  const inputs = { rows: normalTensor([total, features], "rows") };
  const project = (projector: Projector, rows: tf.Tensor): VisualRows =>
    run(projector, rows, { offsets: offsetsOf(counts), grids });

  describe(`projector ${suite.name}`, () => {
    beforeAll(() => (suite.start ?? startStockCpu)());

    it("gives the rows and grids that it announces, as wide as the LLM", () => {
      const before = tf.memory();
      const projector = create();
      const announced = grids.map((grid, i) => projector.gridAfter(grid, counts[i] as number));
      const { rows, offsets, grids: after } = project(projector, upload(inputs.rows));
      expect([...offsets]).toEqual([...offsetsOf(announced.map((image) => image.rows))]);
      expect(after).toEqual(announced.map(({ grid }) => grid));
      expect(rows.shape).toEqual([offsets.at(-1), width]);
      rows.dispose();
      projector.parameters.dispose();
      expect(leakSince(before)).toBeUndefined();
    });

    it("projects each image by itself", async () => {
      const projector = create();
      const both = project(projector, upload(inputs.rows));
      const values = inputs.rows.values.slice(0, counts[0] * features);
      const first = tf.tensor2d([...values], [counts[0], features]);
      const alone = run(projector, first, { offsets: offsetsOf([counts[0]]), grids: [grids[0]] });
      const [together, apart] = [await both.rows.data(), await alone.rows.data()];
      const tolerance = { absolute: 1e-6, relative: 1e-6 };
      expect(worstDifference(apart, together.slice(0, apart.length), tolerance)).toBeUndefined();
      tf.dispose([both.rows, alone.rows]);
      projector.parameters.dispose();
    });

    it("gives each patch the rows that it should reach", () => {
      const projector = create();
      // Fresh weights may hide a way, for example zeros behind a gate.
      assignParameters(projector.parameters, parameterValues(projector.parameters, "regions"));
      const values = inputs.rows.values.slice(0, counts[0] * features);
      const rows = { ...inputs.rows, shape: [counts[0], features], values };
      const isGrid = projector.gridAfter(grids[0], counts[0]).grid !== null;
      const { regions = isGrid ? "own" : "all" } = suite;
      expect(regionProblems({ projector, rows, grid: grids[0], regions })).toEqual([]);
      projector.parameters.dispose();
    });

    testPart<Projector>({
      create,
      inputs,
      output: (projector, { rows }) =>
        tf.clone(projector.project({ rows: rows as tf.Tensor2D, offsets: offsetsOf(counts), grids }).rows),
      gradientsTo: ["rows"],
    });
  });
}

/** A factory copies what it needs of the table. */
function createIn(
  { create, name, options = {} }: ProjectorSuite,
  place: Pick<ProjectorContext, "features" | "width" | "patches">,
): Projector {
  const vocabulary = upload(normalTensor([VOCABULARY_SIZE, place.width], "vocabulary")) as tf.Tensor2D;
  try {
    return create({ ...place, vocabulary, random: createRandom(1, name), options });
  } finally {
    vocabulary.dispose();
  }
}

type Layout = { readonly offsets: Int32Array; readonly grids: readonly Grid[] };

/** Projects and disposes the input, which a projector may hand through. */
function run(projector: Projector, input: tf.Tensor, layout: Layout): VisualRows {
  const projected = projector.project({ rows: input as tf.Tensor2D, ...layout });
  if (projected.rows === input) return projected;
  input.dispose();
  return projected;
}

function offsetsOf(counts: readonly number[]): Int32Array {
  const ends = counts.map((_, i) => counts.slice(0, i + 1).reduce((sum, count) => sum + count, 0));
  return Int32Array.from([0, ...ends]);
}
