import "@tensorflow/tfjs-backend-cpu";

import {
  defineRecipe,
  type Fallback,
  type MomentStorage,
  type Objective,
  Parameter,
  ParameterSet,
  type Recipe,
  type RehearsingBackend,
  setFallback,
  type TrainingData,
} from "@basic-mllm/core";
import { recipes } from "@basic-mllm/recipes";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";

import { checkMemoryLimit, estimateMemory, type StageMemory, stageStates, stateTable } from "./memory.js";
import type { TaskSession } from "./task.js";

/** A group of one parameter for each shape. */
function groupOf(...shapes: readonly (readonly number[])[]) {
  return shapes.map((shape, i) => ({ name: `layers.${i}.w`, shape, size: shape.reduce((a, b) => a * b, 1) }));
}

it("knows parameters, gradients, moments and checkpoints of each stage from sizes alone", async () => {
  const { quickstart } = recipes;
  if (quickstart === undefined) throw new Error("the quickstart is gone");
  const data: TrainingData<number> = { size: 8000, batch: async ([first = 0]) => first };
  const objective = {
    groups: { projector: groupOf([10]), language: groupOf([100]) },
  } as unknown as Objective<number>;
  const parts = [
    { name: "vision", parameters: 1000, bytes: 4000 },
    { name: "projector", parameters: 10, bytes: 40 },
    { name: "language", parameters: 100, bytes: 400 },
  ];
  const states = await stageStates(quickstart, { parts, objective, data: async () => data });
  expect(states).toEqual([
    // A checkpoint: values of what has trained, two moments of what trains.
    { stage: "align", steps: 600, parameters: 4440, state: 3 * 4 * 10, saving: 4 * (10 + 2 * 10) },
    { stage: "finetune", steps: 1400, parameters: 4440, state: 3 * 4 * 110, saving: 4 * (110 + 2 * 110) },
  ]);
  expect(`\n${stateTable(states)}`).toMatchInlineSnapshot(`
    "
      STAGE     STEPS  PARAMETERS  GRADIENTS, MOMENTS  A CHECKPOINT ADDS
      align     600    4.4 kB      120 B               120 B
      finetune  1400   4.4 kB      1.3 kB              1.3 kB
      activations come on top: --dry predicts the peak"
  `);
});

it("counts moments as they are stored", async () => {
  const { quickstart } = recipes;
  const recipe = withMoments(quickstart, "int8");
  const data: TrainingData<number> = { size: 8000, batch: async ([first = 0]) => first };
  const groups = { projector: groupOf([10, 100]), language: groupOf() };
  const objective = { groups } as unknown as Objective<number>;
  const [align] = await stageStates(recipe, { parts: [], objective, data: async () => data });
  // Four scales and 1000 bytes a moment.
  expect(align).toMatchObject({ state: 4000 + 2 * 1016, saving: 4000 + 2 * 1016 });
});

it("counts adapters and parts of groups where they train, and frozen weights in their own storage", async () => {
  const recipe = withTrain(recipes["quickstart"], [["projector"], ["lora", "language.blocks[1:]"]]);
  const data: TrainingData<number> = { size: 8000, batch: async ([first = 0]) => first };
  const groups = { projector: groupOf([10]), language: groupOf([1000], [50]), lora: groupOf([2, 4]) };
  const objective = { groups } as unknown as Objective<number>;
  // A quarter of the language model's float32 memory: packed.
  const parts = [{ name: "language", parameters: 1050, bytes: 1050 }];
  const states = await stageStates(recipe, { parts, objective, data: async () => data });
  expect(states.map(({ parameters }) => parameters)).toEqual([1050, 1050]);
  expect(states.map(({ state }) => state)).toEqual([3 * 4 * 10, 3 * 4 * (8 + 50)]);
  expect(states[1]?.saving).toBe(4 * (10 + 58 + 2 * 58));
});

describe("the predicted peak of a process", () => {
  let fallback: Fallback;
  beforeAll(async () => {
    await tf.setBackend("cpu");
    fallback = setFallback("reference");
  });
  afterAll(() => {
    setFallback(fallback);
  });
  const backend = () => tf.backend() as Partial<RehearsingBackend>;
  afterEach(() => {
    delete backend().rehearse;
    vi.restoreAllMocks();
  });

  const read = { train: ["language"], steps: 2, batchSize: 1, learningRate: 1e-2 };
  const recipe = defineRecipe({
    task: "language",
    name: "tiny",
    model: { language: "any", tokenizer: "any" },
    data: { train: { first: "any", second: "any" } },
    stages: { first: read, second: read },
  });
  function ofOneParameter(): Objective<number> {
    const language = new ParameterSet();
    const parameter = language.add(new Parameter("w", Float32Array.of(1, 2), [2]));
    return {
      groups: { language },
      count: () => ({ tokens: 1, samples: 1 }),
      parts: () => {
        const sum = tf.sum(tf.square(parameter.value)) as tf.Scalar;
        return [{ name: "language", sum, per: "tokens", weight: 1 }];
      },
    };
  }

  /** A process that has 20 MB once it is settled, and these megabytes after what it rehearses. */
  async function peaksOf(looks: readonly number[]): Promise<readonly (number | null)[]> {
    const sizes = [...looks];
    vi.spyOn(process.memoryUsage, "rss").mockImplementation(() => 1e6 * (sizes.shift() ?? 20));
    vi.spyOn(process, "resourceUsage").mockReturnValue({ ...process.resourceUsage(), maxRSS: 0 });
    const data: TrainingData<number> = { size: 2, batch: async ([first = 0]) => first };
    const objective = ofOneParameter();
    const session = { parts: [], objective, data: async () => data } as Partial<TaskSession<number>>;
    const stages = await estimateMemory(recipe, session as TaskSession<number>);
    objective.groups["language"]?.dispose();
    return stages.map(({ resident }) => resident);
  }

  /** Stages that take 3 and 5 MB. */
  function rehearse(): void {
    const grown = [3e6, 5e6];
    backend().rehearse = async (body) => {
      await body(() => grown.shift() ?? 0);
      return 0;
    };
  }

  it("has the most garbage that a rehearsal left, after steps or an evaluation", async () => {
    rehearse();
    expect(await peaksOf([24, 23, 26, 25])).toEqual([29e6, 31e6]);
    rehearse();
    expect(await peaksOf([24, 23, 22, 28])).toEqual([31e6, 33e6]);
  });

  it("has no garbage where the process is larger in the end", async () => {
    rehearse();
    expect(await peaksOf([14, 13, 12, 18])).toEqual([23e6, 25e6]);
  });

  it("is not known where the backend cannot rehearse", async () => {
    expect(await peaksOf([])).toEqual([null, null]);
  });
});

const stage = (name: string, sizes: Partial<StageMemory>): StageMemory => ({
  ...{ stage: name, steps: 10, parameters: 5e6, state: 12e6, saving: 8e6 },
  ...{ training: 60e6, resident: 200e6, device: null },
  ...sizes,
});
/** Steps of 110 MB over 253.4 MB of anything else. */
const twoStages = [
  stage("align", { resident: 255e6 }),
  stage("finetune", { training: 110e6, resident: 363.4e6, state: 30e6, saving: 20e6 }),
];

it("names what the whole run needs, of the stage that needs most", () => {
  expect(() => checkMemoryLimit(twoStages, 364e6)).not.toThrow();
  // Over the first stage's need already, and far from enough for the second.
  expect(() => checkMemoryLimit(twoStages, 310e6)).toThrowErrorMatchingInlineSnapshot(
    `[BasicError: Stage "finetune" would take 364 MB, and the limit is 310 MB: 253 MB for the process with data and parameters (5.0 MB), 110 MB for gradients, moments, and activations or a checkpoint. Lower batchSize (and raise accumulate), or rowBudget where samples are packed, train fewer parts, or raise the limit. As it is, the run needs 364 MB (stage "finetune"), a few MB more or less from start to start. [E_MEMORY_LIMIT]]`,
  );
});

it("names the least where no batch size fits, and it is enough for the smallest", () => {
  expect(() => checkMemoryLimit(twoStages, 250e6)).toThrowErrorMatchingInlineSnapshot(
    `[BasicError: Stage "finetune" would take 364 MB, and the limit is 250 MB: 253 MB for the process with data and parameters (5.0 MB), 110 MB for gradients, moments, and activations or a checkpoint. No batchSize fits: the least is 304 MB. As it is, the run needs 364 MB (stage "finetune"), a few MB more or less from start to start. [E_MEMORY_LIMIT]]`,
  );
  expect(() => checkMemoryLimit(twoStages, 304e6)).toThrow(/Lower batchSize/);
  // Another stage may need the least than that which needs most.
  const large = stage("large", { state: 100e6, saving: 40e6, training: 50e6, resident: 330e6 });
  expect(() => checkMemoryLimit([...twoStages, large], 320e6)).toThrow(/the least is 330 MB/);
});

it("looks at the process alone where steps take a GPU's memory", () => {
  const onGpu = [stage("align", { training: 900e6, resident: 300e6, device: 2e9 })];
  expect(() => checkMemoryLimit(onGpu, 100e6)).toThrowErrorMatchingInlineSnapshot(
    `[BasicError: Stage "align" would take 300 MB, and the limit is 100 MB: 292 MB for the process with data and parameters (5.0 MB), 8.0 MB for a checkpoint. No batchSize fits: the least is 300 MB. As it is, the run needs 300 MB (stage "align"), a few MB more or less from start to start. [E_MEMORY_LIMIT]]`,
  );
});

it("says that a backend does not tell its memory", () => {
  const unknown = [stage("align", {}), stage("finetune", { training: null, resident: null })];
  expect(() => checkMemoryLimit(unknown, undefined)).not.toThrow();
  expect(() => checkMemoryLimit(unknown, 1e12)).toThrow(/cannot be predicted on this backend/);
});

function withTrain(recipe: Recipe | undefined, train: readonly (readonly string[])[]): Recipe {
  if (recipe === undefined) throw new Error("the quickstart is gone");
  const stages = Object.entries(recipe.stages).map(([name, stage], i) => [
    name,
    { ...stage, train: train[i] },
  ]);
  return { ...recipe, stages: Object.fromEntries(stages) } as Recipe;
}

function withMoments(recipe: Recipe | undefined, moments: MomentStorage): Recipe {
  if (recipe === undefined) throw new Error("the quickstart is gone");
  const stages = Object.entries(recipe.stages).map(([name, stage]) => [name, { ...stage, moments }]);
  return { ...recipe, stages: Object.fromEntries(stages) } as Recipe;
}
