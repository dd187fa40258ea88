import { z } from "zod";

const lossWeight = z
  .union([
    z.number().nonnegative(),
    z.strictObject({
      weight: z
        .number()
        .nonnegative()
        .describe("λ after the ramp. 0: computed and logged, without gradient."),
      start: z.int().nonnegative().default(0).describe("Optimizer step of the stage at which it begins."),
      ramp: z.int().nonnegative().default(0).describe("Steps over which it grows from 0 to `weight`."),
      options: z
        .record(z.string(), z.unknown())
        .default({})
        .describe("Options of the loss itself, for example the temperature of das-nce."),
    }),
  ])
  .transform((value) =>
    typeof value === "number" ? { weight: value, start: 0, ramp: 0, options: {} } : value,
  );

const schedule = z
  .union([
    z.enum(["cosine", "linear", "constant"]),
    z.strictObject({
      kind: z.enum(["cosine", "linear", "constant"]).describe("Shape of the curve after the warm-up."),
      floor: z.number().min(0).max(1).default(0).describe("Share of the learning rate left at the end."),
    }),
  ])
  .transform((value) => (typeof value === "string" ? { kind: value, floor: 0 } : value));

const warmup = z.union([
  z.int().nonnegative(),
  z.strictObject({ ratio: z.number().min(0).max(1).describe("Share of the stage's steps.") }),
]);

// Absent and not float32 by default: recipes and runs from before it stay as they are.
const moments = z
  .enum(["float32", "bfloat16", "int8"])
  .optional()
  .describe(
    "How AdamW's moments are stored. Default: float32; bfloat16 takes half of its memory, int8 a quarter.",
  );

// Absent by default: recipes and runs from before them stay as they are.
const grouping = z
  .enum(["none", "modality-length"])
  .optional()
  .describe(
    "modality-length: a step holds samples with images or text alone, dealt out so that its micro-batches have like numbers of rows. Default: none.",
  );

const packing = z
  .enum(["none", "rows"])
  .optional()
  .describe(
    "rows: the batchSize × accumulate samples of a step are packed into micro-batches of up to rowBudget rows; the step's loss is the same. Default: none, which is accumulate micro-batches of batchSize samples.",
  );

const prefetch = z
  .int()
  .nonnegative()
  .max(64)
  .optional()
  .describe("Steps whose batches are loaded ahead while the device works; each is in memory. Default: 1.");

const betas = z
  .tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)])
  .default([0.9, 0.999])
  .describe("AdamW's decay rates of the two moments.");

/** A stage of a recipe. @param mainLoss - The loss that has weight 1 unless the stage gives another. */
export const stageOf = (mainLoss: string) =>
  z.strictObject({
    train: z
      .array(z.string().min(1))
      .min(1)
      .describe(
        "What trains; all else is frozen. Groups (vision, projector, language, lora, text), blocks of one (language.blocks[12:]), or names (language/*.mlp.*).",
      ),
    data: z.string().min(1).optional().describe("Name of a set in `data.train`. Default: the stage's name."),
    template: z.string().min(1).default("plain").describe("How a sample becomes tokens: plain, chat, ..."),
    steps: z
      .union([
        z.int().positive(),
        z.strictObject({ epochs: z.number().positive().describe("Passes over the data.") }),
      ])
      .describe("Optimizer steps, or passes over the data."),
    batchSize: z.int().positive().default(16).describe("Samples of one micro-batch."),
    accumulate: z.int().positive().default(1).describe("Micro-batches of one optimizer step, over all GPUs."),
    rowBudget: z.int().positive().default(4096).describe("Largest number of packed rows of a micro-batch."),
    learningRate: z
      .union([z.number().positive(), z.record(z.string(), z.number().nonnegative())])
      .describe("Peak learning rate: one number, or one per entry of `train`."),
    schedule: schedule.prefault("cosine").describe("Learning-rate curve after the warm-up."),
    warmup: warmup.prefault({ ratio: 0.03 }).describe("Linear warm-up: steps, or a share of the stage."),
    betas,
    epsilon: z.number().positive().default(1e-8).describe("AdamW's ε, added to the bias-corrected root."),
    moments,
    weightDecay: z
      .union([z.number().nonnegative(), z.record(z.string(), z.number().nonnegative())])
      .default(0)
      .describe(
        "Decoupled weight decay of tensors with two or more dimensions; one number, or one per entry of `train`.",
      ),
    shuffle: z
      .boolean()
      .default(true)
      .describe("Order of the samples: a new permutation each epoch, or as they are."),
    grouping,
    packing,
    prefetch,
    maxNorm: z.number().nonnegative().default(1).describe("Gradients are clipped to this norm. 0: never."),
    losses: z
      .record(z.string(), lossWeight)
      .prefault({})
      .transform((given) => ({ [mainLoss]: { weight: 1, start: 0, ramp: 0, options: {} }, ...given }))
      .describe(
        `λ of each loss by name: a number, or { weight, start, ramp, options }. ${mainLoss} is 1 unless given.`,
      ),
    lossReduction: z
      .enum(["global", "mean-of-means"])
      .default("global")
      .describe("Denominators over the whole optimizer step, or per micro-batch and then averaged (LLaVA)."),
    evaluateEvery: z
      .int()
      .nonnegative()
      .default(0)
      .describe(
        "Evaluate every n steps and at the stage's end, on the first evaluation set. 0: at the end of the last stage only.",
      ),
    checkpointEvery: z.int().positive().default(200).describe("Save a checkpoint every n steps."),
    logEvery: z.int().positive().default(10).describe("Write metrics every n steps."),
  });
